//! The documents over HTTP, and the page that names them. No key needed.

use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use super::SharedApi;
use crate::documents;

/// Names what is here.
#[utoipa::path(
    get, path = "/", tag = "operation", operation_id = "index", security(()),
    responses((status = 200, description = "A page with links", body = String, content_type = "text/html")),
)]
pub(crate) async fn index() -> Html<&'static str> {
    Html(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Switchhook</title>\
         <h1>Switchhook</h1><p>This server speaks HTTP:</p><ul>\
         <li><a href=\"/openapi.json\">the API</a> (OpenAPI)\
         <li><a href=\"/asyncapi.yaml\">the events</a> (AsyncAPI)\
         <li><a href=\"/readyz\">is it ready?</a>\
         <li><a href=\"/metrics\">metrics</a></ul></html>\n",
    )
}

/// The AsyncAPI document of the events.
#[utoipa::path(
    get, path = "/asyncapi.yaml", tag = "operation", operation_id = "asyncapi", security(()),
    responses((status = 200, description = "AsyncAPI 2.6.0", body = String, content_type = "application/yaml")),
)]
pub(crate) async fn asyncapi() -> Response {
    (
        [(CONTENT_TYPE, HeaderValue::from_static("application/yaml"))],
        documents::asyncapi(),
    )
        .into_response()
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operation", operation_id = "openapi", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json")),
)]
pub(crate) async fn openapi(State(api): State<SharedApi>) -> Response {
    (
        [(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
        api.openapi.clone(),
    )
        .into_response()
}
