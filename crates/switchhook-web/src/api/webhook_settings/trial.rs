//! Trying a webhook out: a sample event to it, and what its template would make of an event.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use switchhook_domain::Kind;
use switchhook_domain::id::{EventId, WebhookId};
use switchhook_node::webhooks::{self, PreviewRequest};
use utoipa::ToSchema;

use super::answer::PreviewAnswer;
use crate::api::SharedApi;
use crate::api::auth::{Reader, Writer};
use crate::api::request::{Field, JsonBody, PathId};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::events::AcceptedEvent;
use switchhook_ingress::events::accepted_answer;
use switchhook_ingress::id::{IdText, LooseId};
use switchhook_ingress::words;

/// Sample to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub(crate) struct SampleRequest {
    /// Kind of the event; `call` by default.
    #[serde(default)]
    #[schema(schema_with = words::kind_or_null)]
    kind: Field<Kind>,
}

/// A template to preview.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct PreviewBody {
    /// The template or the name of a ready one; without it the webhook's own.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "slack-missed-call")]
    template: Field<String>,
    /// The content type of what it makes; without it the webhook's own.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "application/json")]
    content_type: Field<String>,
    /// Event to make the body from; the last one if absent.
    #[serde(default)]
    #[schema(value_type = Option<LooseId>)]
    event_id: Field<LooseId>,
    /// Kind whose last event is meant; `call` by default.
    #[serde(default)]
    #[schema(schema_with = words::kind_or_null)]
    kind: Field<Kind>,
}

/// Shows what a template makes of an event, as far as the key may see that. Nothing is sent or changed.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/preview", tag = "webhooks", operation_id = "webhooks.preview",
    params(("id" = IdText, Path, description = "The webhook's id.")),
    request_body = PreviewBody,
    responses((status = 200, description = "The body that it makes, or the reason why it makes none.", body = PreviewAnswer)),
)]
pub(crate) async fn preview(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<WebhookId>,
    JsonBody(request): JsonBody<PreviewBody>,
) -> Result<Json<PreviewAnswer>, ApiError> {
    let request = PreviewRequest {
        template: request.template.given(),
        content_type: request.content_type.given(),
        event_id: request.event_id.given().map(|id| EventId(id.0)),
        kind: request.kind.given(),
    };
    let preview = webhooks::preview(&api.node, caller, Some(id), request).await?;
    let (body, error) = match preview.made {
        Ok(body) => (Some(body), None),
        Err(error) => (None, Some(error)),
    };
    Ok(Json(PreviewAnswer {
        event_id: preview.event_id.map(|id| IdText(id.0)),
        kind: preview.kind,
        content_type: preview.content_type,
        body,
        error,
    }))
}

/// Sends a small sample event to this webhook only, at once and also while its breaker is open; of a webhook that is paused, or in its
/// quiet hours, it waits until that ends. It is kept like any other event.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/test", tag = "webhooks", operation_id = "webhooks.test",
    params(("id" = IdText, Path, description = "The webhook's id.")),
    request_body = SampleRequest,
    responses((status = 202, description = "The event is kept and on its way.", body = AcceptedEvent<'_>)),
)]
pub(crate) async fn test(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
    JsonBody(request): JsonBody<SampleRequest>,
) -> Result<Response, ApiError> {
    let kind = request.kind.given().unwrap_or(Kind::Call);
    let accepted = webhooks::test(&api.node, caller, id, kind).await?;
    Ok(accepted_answer(&accepted))
}
