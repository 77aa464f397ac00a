//! `POST /v1/events/{id}/route`: somebody says what an event is whose shape told nobody.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use switchhook_domain::Kind;
use switchhook_domain::id::EventId;
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::Ingester;
use super::request::{Field, JsonBody, PathId};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::events::AcceptedEvent;
use switchhook_ingress::events::accepted_answer;
use switchhook_ingress::id::IdText;
use switchhook_ingress::words;
use switchhook_node::events as node_events;

/// Kind of an event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct RouteRequest {
    /// Kind of the event.
    #[serde(default)]
    #[schema(schema_with = words::kind, required = true)]
    kind: Field<Kind>,
}

/// Accepts the bytes of an event of unknown kind again, as a new event of this kind, which goes to its subscriptions.
/// The event of unknown kind stays. Within {idempotency-key-lasts} the same request gets the same answer.
#[utoipa::path(
    post, path = "/v1/events/{event}/route", tag = "events", operation_id = "events.route",
    params(("event" = IdText, Path, description = "The event's id.")),
    request_body = RouteRequest,
    responses((status = 202, description = "The new event.", body = AcceptedEvent<'_>)),
)]
pub(crate) async fn route(
    State(api): State<SharedApi>,
    Ingester(caller): Ingester,
    PathId(id): PathId<EventId>,
    JsonBody(request): JsonBody<RouteRequest>,
) -> Result<Response, ApiError> {
    let kind = request.kind.given();
    let kind = kind.ok_or_else(|| ApiError::required("kind is required: what the event is, as \"call\""))?;
    let accepted = node_events::route(&api.node, caller, id, kind).await?;
    Ok(accepted_answer(&accepted))
}
