//! `/v1/deliveries`: the deliveries of each event to each webhook, and their attempts.
//!
//! A delivery is sent again by making another one; history is never rewritten.

pub(super) mod answer;

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use switchhook_domain::attempt::Failure;
use switchhook_domain::delivery::{Delivery, StateName};
use switchhook_domain::id::{DeliveryId, EventId, ReplayId, WebhookId};
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::DeliveryFilter;

pub(super) use self::answer::{
    AttemptAnswer, DeliveryAnswer, DeliveryWithAttempts, LastAttemptAnswer, ListedDelivery,
};
use super::SharedApi;
use super::auth::{Reader, Writer};
use super::compat::Items;
use super::query::{PageQuery, Query, query};
use super::request::PathId;
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;
use switchhook_ingress::words;
use switchhook_node::deliveries::{self, DeliverySearch, LONGEST_TEXT};
use switchhook_node::events::summaries;
use switchhook_node::summary::Summary;
use switchhook_node::visibility::Visibility;

query! {
    /// Filter for a list of deliveries.
    DeliveryQuery {
        /// Webhook to narrow to.
        #[param(value_type = Option<String>)]
        webhook_id: WebhookId,
        /// Event to narrow to.
        #[param(value_type = Option<String>)]
        event_id: EventId,
        /// Replay to narrow to: only deliveries that it made.
        #[param(value_type = Option<String>)]
        replay_id: ReplayId,
        /// State to narrow to.
        #[param(schema_with = words::state)]
        state: StateName,
        /// True for only those of which an attempt failed, whatever their state is now.
        failed: bool,
        /// Failure of the last failed attempt to narrow to, whatever the state is now: an HTTP status, or the reason for which no answer came.
        #[param(schema_with = words::failure)]
        failure: Failure,
        /// Text to find in the answer of a failed attempt, or in the reason for which there was none, in upper or lower case. Text that is
        /// hidden from the key is not found. A page ends within a second, with what was found until then.
        #[param(example = "upstream connect error")]
        error: String,
        /// Kind to narrow to.
        #[param(schema_with = words::kept_kind)]
        kind: Kind,
        /// Start of the period in which they were made: RFC 3339 or unix milliseconds.
        #[param(value_type = Option<String>)]
        since: Timestamp,
        /// End of that period.
        #[param(value_type = Option<String>)]
        until: Timestamp,
    }
}

/// Lists the company's deliveries, newest first.
///
/// Kinds that the key may not see are left out, and a page that skips many deliveries outside the filter may have fewer items
/// than `limit`, even none: it is the last one only if it has no `cursor`.
#[utoipa::path(
    get, path = "/v1/deliveries", tag = "deliveries", operation_id = "deliveries.list",
    params(PageQuery, DeliveryQuery),
    responses((status = 200, description = "A page of deliveries.", body = Items<ListedDelivery>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(page): Query<PageQuery>,
    Query(query): Query<DeliveryQuery>,
) -> Result<Json<Items<ListedDelivery>>, ApiError> {
    let page = page.ours()?;
    let filter = DeliveryFilter {
        event_id: query.event_id,
        webhook_id: query.webhook_id,
        replay_id: query.replay_id,
        state: query.state,
        has_failed: query.failed.unwrap_or_default(),
        failure: query.failure,
        kind: query.kind,
        since: query.since,
        until: query.until,
    };
    if let Some(kind) = filter.kind {
        caller.require_visible(kind)?;
    }
    let text = query.error;
    if text
        .as_ref()
        .is_some_and(|text| text.chars().count() > LONGEST_TEXT)
    {
        return Err(ApiError::invalid(format!(
            "error: look for at most {LONGEST_TEXT} characters"
        )));
    }
    let sought = DeliverySearch {
        filter,
        class: None,
        text,
    };
    let found = deliveries::search(&api.node, caller, &sought, page).await?;
    let ids = found
        .deliveries
        .iter()
        .map(|delivery| delivery.event_id)
        .collect();
    let summaries = summaries(&api.node, caller, ids).await?;
    Ok(Json(Items {
        items: listed(&api, found.deliveries, &summaries).await?,
        cursor: found.next.map(IdText),
    }))
}

/// Deliveries with their last attempts and the summaries of their events.
pub(crate) async fn listed(
    api: &SharedApi,
    deliveries: Vec<Delivery>,
    summaries: &HashMap<EventId, Summary>,
) -> Result<Vec<ListedDelivery>, ApiError> {
    let mut last = deliveries::last_attempts(&api.node, &deliveries).await?;
    let statuses = deliveries::statuses(&api.node, &deliveries).await?;
    let mask = api.node.settings.mask;
    let listed = deliveries
        .into_iter()
        .zip(statuses)
        .map(|(delivery, status)| ListedDelivery {
            summary: summaries.get(&delivery.event_id).map(Summary::in_a_line),
            last_attempt: last.remove(&delivery.id).map(|attempt| LastAttemptAnswer {
                number: attempt.number,
                status: attempt.status,
                total_ms: attempt.took.as_secs_f64() * 1_000.0,
            }),
            delivery: DeliveryAnswer::of(delivery, status, mask),
        });
    Ok(listed.collect())
}

/// Shows a delivery with its attempts.
#[utoipa::path(
    get, path = "/v1/deliveries/{id}", tag = "deliveries", operation_id = "deliveries.get",
    params(("id" = IdText, Path, description = "The delivery's id.")),
    responses((status = 200, description = "The delivery.", body = DeliveryWithAttempts)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<DeliveryId>,
) -> Result<Json<DeliveryWithAttempts>, ApiError> {
    let (delivery, attempts) = deliveries::get_with_attempts(&api.node, caller, id).await?;
    let visibility = Visibility::of(caller, &api.node);
    let attempts = attempts
        .into_iter()
        .map(|attempt| AttemptAnswer::of(attempt, &delivery, visibility))
        .collect();
    Ok(Json(DeliveryWithAttempts {
        delivery: shown(&api, delivery).await?,
        attempts,
    }))
}

/// Sends the same event to the same webhook again, as a new delivery.
///
/// The delivery is sent at once, also while the webhook's breaker is open; while the webhook is paused or in its quiet hours, it waits
/// until that ends. It takes a key that may see what the delivery shows.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/redeliver", tag = "deliveries", operation_id = "deliveries.redeliver",
    params(("id" = IdText, Path, description = "The delivery's id.")),
    responses((status = 200, description = "The new delivery.", body = DeliveryAnswer)),
)]
pub(crate) async fn redeliver(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<DeliveryId>,
) -> Result<Json<DeliveryAnswer>, ApiError> {
    let delivery = deliveries::redeliver(&api.node, caller, id).await?;
    Ok(Json(shown(&api, delivery).await?))
}

/// Gives up a pending delivery.
#[utoipa::path(
    post, path = "/v1/deliveries/{id}/cancel", tag = "deliveries", operation_id = "deliveries.cancel",
    params(("id" = IdText, Path, description = "The delivery's id.")),
    responses((status = 200, description = "The delivery.", body = DeliveryAnswer)),
)]
pub(crate) async fn cancel(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<DeliveryId>,
) -> Result<Json<DeliveryAnswer>, ApiError> {
    let delivery = deliveries::cancel(&api.node, caller, id).await?;
    Ok(Json(shown(&api, delivery).await?))
}

async fn shown(api: &SharedApi, delivery: Delivery) -> Result<DeliveryAnswer, ApiError> {
    let status = deliveries::status(&api.node, &delivery).await?;
    Ok(DeliveryAnswer::of(delivery, status, api.node.settings.mask))
}
