//! `/in/{token}`: accepting a source's events. The token in the address is the right to send; no key is needed.

use axum::Json;
use axum::extract::{Path, Request, State};
use serde::Serialize;
use switchhook_domain::Kind;
use switchhook_ingress::error::{ApiError, ErrorEnvelope};
use switchhook_ingress::id::IdText;
use switchhook_ingress::{inlet, words};
use utoipa::ToSchema;

use super::SharedApi;

/// An accepted event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TakenAnswer {
    id: IdText,
    #[schema(schema_with = words::kept_kind)]
    kind: Kind,
    /// True if it had been accepted before.
    duplicate: bool,
}

/// Accepts an event from outside, as Dialpad posts it to a webhook.
///
/// The body is a JWT or JSON, whatever its content type, or JSON that was signed at most {signed-within} ago as Standard Webhooks are
/// (`webhook-id`, `webhook-timestamp`, `webhook-signature`). The source's secret is checked, the event's shape tells its kind unless the
/// source says it, and an event that was accepted before is known by its natural key and its bytes. The response is sent once the event
/// is stored. A refused request is kept for inspection: `GET /v1/sources/{id}/refusals`.
#[utoipa::path(
    post, path = "/in/{token}", tag = "sources", operation_id = "sources.take",
    params(("token" = String, Path, description = "Token of the source's address.")),
    request_body(
        description = "One event.",
        content((String = "application/jwt"), (Object = "application/json")),
    ),
    responses(
        (status = 200, description = "The accepted event.", body = TakenAnswer),
        (status = 401, description = "The signature is missing or wrong.", body = ErrorEnvelope),
    ),
    security(()),
)]
pub(crate) async fn take(
    State(api): State<SharedApi>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Json<TakenAnswer>, ApiError> {
    let accepted = inlet::take(&api.node, &api.inlets, &token, request).await?;
    Ok(Json(TakenAnswer {
        id: IdText(accepted.id.0),
        kind: accepted.kind,
        duplicate: accepted.is_duplicate,
    }))
}
