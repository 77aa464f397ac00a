//! The documents over HTTP, and where somebody who comes by is led. No key needed.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use super::SharedApi;
use switchhook_node::documents;

/// Redirects to the dashboard.
#[utoipa::path(
    get, path = "/", tag = "operation", operation_id = "index", security(()),
    responses((status = 303, description = "The dashboard is at /dashboard/.")),
)]
pub(crate) async fn index() -> Redirect {
    Redirect::to("/dashboard/")
}

/// Returns the AsyncAPI document of the events.
#[utoipa::path(
    get, path = "/asyncapi.yaml", tag = "operation", operation_id = "asyncapi", security(()),
    responses((status = 200, description = "AsyncAPI 2.6.0.", body = String, content_type = "application/yaml")),
)]
pub(crate) async fn asyncapi() -> Response {
    (
        [(CONTENT_TYPE, HeaderValue::from_static("application/yaml"))],
        documents::asyncapi(),
    )
        .into_response()
}

/// Returns the OpenAPI document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operation", operation_id = "openapi", security(()),
    responses((status = 200, description = "OpenAPI 3.1.", body = Object, content_type = "application/json")),
)]
pub(crate) async fn openapi(State(api): State<SharedApi>) -> Response {
    (
        [(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
        api.openapi.clone(),
    )
        .into_response()
}
