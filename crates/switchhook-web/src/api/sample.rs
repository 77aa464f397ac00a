//! `POST /v1/webhooks/{id}/test`: a sample event for one webhook, whatever it is subscribed to.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use switchhook_domain::Kind;
use switchhook_domain::id::WebhookId;
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::Writer;
use super::compat::IdText;
use super::error::ApiError;
use super::events::{AcceptedEvent, accepted_answer};
use super::request::{Field, JsonBody, PathId};
use super::words;
use switchhook_node::ingest;

/// What to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub(crate) struct SampleRequest {
    /// The kind of event; `call` unless told otherwise.
    #[serde(default)]
    #[schema(schema_with = words::kind_or_null)]
    kind: Field<Kind>,
}

/// Sends a small sample event to this webhook only. It is kept like any other event.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/test", tag = "webhooks", operation_id = "webhooks.test",
    params(("id" = IdText, Path, description = "The webhook's id")),
    request_body = SampleRequest,
    responses((status = 202, description = "The event is kept and on its way", body = AcceptedEvent<'_>)),
)]
pub(crate) async fn send(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
    JsonBody(request): JsonBody<SampleRequest>,
) -> Result<Response, ApiError> {
    let webhook = api.node.store.webhook(caller.company_id, id).await?;
    let kind = request.kind.one_of_five()?.given().unwrap_or(Kind::Call);
    let accepted = ingest::accept_sample(&api.node, webhook.company_id, webhook.id, kind).await?;
    Ok(accepted_answer(&accepted))
}
