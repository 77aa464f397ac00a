//! `POST /v1/erasures`: removing a phone number from the store, which knows the places.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchhook_domain::id::EventId;
use switchhook_node::events::{self, Erasure};
use switchhook_store::ErasureExtent;
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::Writer;
use super::request::{Field, JsonBody};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::{IdText, LooseId};

/// Number to erase.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct ErasureRequest {
    /// The phone number, with its country code.
    #[serde(default)]
    #[schema(value_type = String, example = "+15551234567")]
    number: Field<String>,
    /// True to only count the erasures.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    dry_run: Field<bool>,
    /// Position to continue from: the `cursor` of the previous answer.
    #[serde(default)]
    #[schema(value_type = Option<LooseId>)]
    cursor: Field<LooseId>,
}

/// Result of this request.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ErasureAnswer {
    /// True if it was only counted.
    pub dry_run: bool,
    /// Number of events examined.
    pub examined: u64,
    /// Number of events that contain the number. Unless this is a dry run, their payloads are gone now.
    pub events: u64,
    /// Number of their pending deliveries that were cancelled.
    pub deliveries_cancelled: u64,
    /// Number of attempts that lost the receiver's answer or the record of the request.
    pub attempts_cleaned: u64,
    /// Send the request again with this to go on; absent when all events were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub cursor: Option<IdText>,
}

/// Erases a phone number.
///
/// Removes the payload of every event in which the number occurs, in any member or text, with its country code or as it is
/// dialled at home, and what attempts and order keys hold of it. The record of the deliveries stays; pending ones are cancelled. Goes through the events from the
/// oldest on for about {longest-erasure}; repeat with the `cursor` until there is none. A delivery that is being sent at this
/// moment still arrives. Needs an admin's key.
#[utoipa::path(
    post, path = "/v1/erasures", tag = "events", operation_id = "erasures.create",
    request_body = ErasureRequest,
    responses((status = 200, description = "The result.", body = ErasureAnswer)),
)]
pub(crate) async fn erase(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(request): JsonBody<ErasureRequest>,
) -> Result<Json<ErasureAnswer>, ApiError> {
    let number = request.number.given().ok_or_else(|| {
        ApiError::required("number is required: the phone number to erase, as +15551234567")
    })?;
    let dry_run = request.dry_run.given().unwrap_or_default();
    let erasure = Erasure {
        number,
        extent: if dry_run {
            ErasureExtent::Count
        } else {
            ErasureExtent::Erase
        },
        after: request.cursor.given().map(|cursor| EventId(cursor.0)),
    };
    let done = events::erase(&api.node, caller, erasure).await?;
    Ok(Json(ErasureAnswer {
        dry_run,
        examined: done.examined,
        events: done.events,
        deliveries_cancelled: done.cancelled,
        attempts_cleaned: done.attempts,
        cursor: done.next.map(|id| IdText(id.0)),
    }))
}
