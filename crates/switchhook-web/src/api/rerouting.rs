//! `POST /v1/events/{id}/route`: somebody says what an event is whose shape told nobody.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use switchhook_domain::Kind;
use switchhook_domain::id::EventId;
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::Ingester;
use super::compat::IdText;
use super::error::ApiError;
use super::events::{AcceptedEvent, accepted_answer};
use super::request::{Field, JsonBody, PathId};
use super::words;
use switchhook_node::ingest::{self, Submission};

/// What an event is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct RouteRequest {
    /// Its kind.
    #[serde(default)]
    #[schema(schema_with = words::kind, required = true)]
    kind: Field<Kind>,
}

/// Takes the bytes of an event of unknown kind in again as one of this kind: a new event, which goes to the subscriptions
/// for it. The one that is there stays. Within 24 hours the same again is answered with the same.
#[utoipa::path(
    post, path = "/v1/events/{event}/route", tag = "events", operation_id = "events.route",
    params(("event" = IdText, Path, description = "The event's id")),
    request_body = RouteRequest,
    responses((status = 202, description = "The new event", body = AcceptedEvent<'_>)),
)]
pub(crate) async fn route(
    State(api): State<SharedApi>,
    Ingester(caller): Ingester,
    PathId(id): PathId<EventId>,
    JsonBody(request): JsonBody<RouteRequest>,
) -> Result<Response, ApiError> {
    let kind = request.kind.one_of_five()?.given();
    let kind = kind.ok_or_else(|| ApiError::required("kind is required: what the event is, as \"call\""))?;
    caller.require_sight(Kind::Unknown)?;
    let node = &api.node;
    let event = node.store.event(caller.company_id, id).await?;
    if event.kind != Kind::Unknown {
        return Err(ApiError::conflict(format!(
            "event {id} is of kind {} already: a replay sends it again",
            event.kind
        )));
    }
    if event.payload_removed.is_some() {
        return Err(ApiError::conflict(format!("event {id} has no payload any more")));
    }
    let submission = Submission {
        company_id: caller.company_id,
        kind,
        body: event.body,
        idempotency_key: Some(format!("route:{id}:{kind}").into()),
    };
    let accepted = ingest::accept_from_source(node, submission).await?;
    Ok(accepted_answer(&accepted))
}
