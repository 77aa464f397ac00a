//! `POST /v1/erasures`: removing what the store knows of a phone number. What that touches is the store's.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchhook_domain::id::EventId;
use switchhook_domain::phone_number::PhoneNumber;
use switchhook_store::{Erased, ErasureExtent, ErasureSlice};
use tokio::time::Instant;
use tracing::info;
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::{Writer, key_has_ended};
use super::compat::{IdText, LooseId};
use super::error::ApiError;
use super::request::{Field, JsonBody};
use switchhook_node::caller::Caller;
use switchhook_node::telemetry::Removal;

/// How many events one commit may change.
const SLICE: u32 = 500;

/// How long one request goes on.
const LONGEST: Duration = Duration::from_secs(5);

/// What to erase.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct ErasureRequest {
    /// The phone number, with its country code.
    #[serde(default)]
    #[schema(value_type = String, example = "+15551234567")]
    number: Field<String>,
    /// Only count what would be erased.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    dry_run: Field<bool>,
    /// Where to go on: the `cursor` of the answer before.
    #[serde(default)]
    #[schema(value_type = Option<LooseId>)]
    cursor: Field<LooseId>,
}

/// What this request came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErasureAnswer {
    /// Whether it was only counted.
    dry_run: bool,
    /// How many events were looked at.
    examined: u64,
    /// How many of them the number occurs in. Unless this is a dry run, their payloads are gone now.
    events: u64,
    /// How many pending deliveries of theirs were cancelled.
    deliveries_cancelled: u64,
    /// From how many attempts the receiver's answer or a record of the request was taken.
    attempts_cleaned: u64,
    /// Send the request again with this to go on; absent when all events were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    cursor: Option<IdText>,
}

/// Erases a phone number.
///
/// Removes the payload of every event in which the number occurs, in any member or text, with its country code or as it is
/// dialled at home, and what attempts and order keys hold of it. The record of the deliveries stays; pending ones are cancelled. Goes through the events from the
/// oldest on for about five seconds; repeat with the `cursor` until there is none. A delivery that is being sent at this
/// moment still arrives. Needs an admin's key.
#[utoipa::path(
    post, path = "/v1/erasures", tag = "events", operation_id = "erasures.create",
    request_body = ErasureRequest,
    responses((status = 200, description = "What was done", body = ErasureAnswer)),
)]
pub(crate) async fn erase(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(request): JsonBody<ErasureRequest>,
) -> Result<Json<ErasureAnswer>, ApiError> {
    caller.require_admin("erasures")?;
    let number = request.number.given().ok_or_else(|| {
        ApiError::required("number is required: the phone number to erase, as +15551234567")
    })?;
    let number: PhoneNumber = number
        .parse()
        .map_err(|error| ApiError::invalid(format!("number: {error}")))?;
    let dry_run = request.dry_run.given().unwrap_or_default();
    let after = request.cursor.given().map(|cursor| EventId(cursor.0));
    let done = go_through(&api, caller, number, dry_run, after).await?;
    if !dry_run {
        tell(&api, &done);
    }
    Ok(Json(ErasureAnswer {
        dry_run,
        examined: done.examined,
        events: done.events,
        deliveries_cancelled: done.cancelled,
        attempts_cleaned: done.attempts,
        cursor: done.next.map(|id| IdText(id.0)),
    }))
}

async fn go_through(
    api: &SharedApi,
    caller: Caller,
    number: PhoneNumber,
    dry_run: bool,
    after: Option<EventId>,
) -> Result<Erased, ApiError> {
    let extent = if dry_run {
        ErasureExtent::Count
    } else {
        ErasureExtent::Erase
    };
    let mut slice = ErasureSlice {
        company_id: caller.company_id,
        number,
        after,
        limit: SLICE,
        extent,
    };
    let lease = api.node.leases.hold(caller);
    let began = Instant::now();
    let mut sum = Erased::default();
    loop {
        let now = api.node.clock.now();
        let erased = api.node.store.erase_number(slice.clone(), now).await?;
        sum.examined += erased.examined;
        sum.events += erased.events;
        sum.cancelled += erased.cancelled;
        sum.attempts += erased.attempts;
        sum.next = erased.next;
        slice.after = erased.next;
        if lease.is_over() {
            return Err(key_has_ended());
        }
        if erased.next.is_none() || began.elapsed() > LONGEST {
            return Ok(sum);
        }
    }
}

/// The number itself is in no log line.
fn tell(api: &SharedApi, done: &Erased) {
    api.node.telemetry.removed(Removal::Payloads, done.events);
    if done.events > 0 {
        let (events, cancelled, attempts) = (done.events, done.cancelled, done.attempts);
        info!(
            events,
            cancelled,
            attempts,
            why = "a number was erased on request",
            "removed"
        );
    }
}
