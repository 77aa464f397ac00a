//! `/in/{token}`: where a source's events come in. The token in the address is the right to send; no key is needed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use switchhook_domain::Kind;
use utoipa::ToSchema;

use super::SharedApi;
use super::compat::IdText;
use super::error::ApiError;
use super::words;
use switchhook_http::server::read_body;
use switchhook_node::source::{Incoming, Inlet, LARGEST_REQUEST, NotTaken};
use switchhook_protocol::StandardHeaders;

/// An event that came in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TakenAnswer {
    id: IdText,
    #[schema(schema_with = words::kept_kind)]
    kind: Kind,
    /// Whether it had come in before.
    duplicate: bool,
}

/// Takes an event from outside: what Dialpad posts to a webhook, a JWT or JSON, whatever its content type; or JSON that is
/// signed as Standard Webhooks are (`webhook-id`, `webhook-timestamp`, `webhook-signature`), at most five minutes ago.
///
/// The source's secret is checked, the event's shape tells its kind unless the source says it, and an event that was
/// taken before is known by its natural key and its bytes. The response is sent once the event is stored. What is refused is kept for
/// inspection: `GET /v1/sources/{id}/refusals`.
#[utoipa::path(
    post, path = "/in/{token}", tag = "sources", operation_id = "sources.take",
    params(("token" = String, Path, description = "From the source's address")),
    request_body(
        description = "One event",
        content((String = "application/jwt"), (Object = "application/json")),
    ),
    responses((status = 200, description = "The event is kept", body = TakenAnswer)),
    security(()),
)]
pub(crate) async fn take(
    State(api): State<SharedApi>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Json<TakenAnswer>, ApiError> {
    let node = &api.node;
    let inlet = find(&api, &token).await?;
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let incoming = |content| Incoming {
        content_type: header(CONTENT_TYPE.as_str()).map(str::to_owned),
        signature: StandardHeaders::read(header),
        content,
    };
    let content = match read_body(&parts.headers, body, LARGEST_REQUEST).await {
        Ok(content) => content,
        Err(trouble) => {
            let error = ApiError::unread(trouble, LARGEST_REQUEST);
            let (status, reason) = (error.status().as_u16(), error.message());
            let nothing = incoming(Bytes::new());
            inlet.keep_refusal(node, &nothing, status, reason).await;
            return Err(error);
        }
    };
    // A body may have come slowly, and the source be gone or changed since.
    let inlet = find(&api, &token).await?;
    match inlet.take(node, incoming(content)).await {
        Ok(accepted) => Ok(Json(TakenAnswer {
            id: IdText(accepted.id.0),
            kind: accepted.kind,
            duplicate: accepted.is_duplicate,
        })),
        Err(NotTaken::Refused { status, reason }) => Err(match status {
            401 => ApiError::unauthorized("invalid", reason),
            409 => ApiError::conflict(reason),
            413 => ApiError::too_large(reason),
            _ => ApiError::invalid(reason),
        }),
        Err(NotTaken::NotKept(error)) => Err(error.into()),
    }
}

async fn find(api: &SharedApi, token: &str) -> Result<Arc<Inlet>, ApiError> {
    let inlet = api.inlets.find(&api.node, token).await?;
    inlet.ok_or_else(|| {
        ApiError::not_found("there is no source with this token: `switchhook sources create` makes one")
    })
}
