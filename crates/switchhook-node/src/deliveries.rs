//! Verbs for deliveries. Redelivering makes a new delivery: history is never rewritten.

pub mod search;
mod status;

use std::collections::HashMap;

use switchhook_domain::attempt::Attempt;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{DeliveryId, EventId};
use switchhook_domain::key::Right;
use switchhook_domain::subscription::Endpoint;
use switchhook_store::{DeliveryFilter, LastAttempt, PageRequest, StoreError};

use crate::Node;
use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::traffic::leading_to;

pub use self::search::{DeliverySearch, LONGEST_TEXT, SearchResult, search};
pub(crate) use self::status::attempts;
pub use self::status::{DeliveryStatus, status, statuses};

/// Shows a delivery.
///
/// # Errors
/// If the caller may not, or may not see events of its kind; if there is no such delivery.
pub async fn get(node: &Node, caller: Caller, id: DeliveryId) -> Result<Delivery, Refusal> {
    caller.require(Right::Read)?;
    seen(node, caller, id).await
}

/// A delivery and its attempts, as they were at one moment.
///
/// # Errors
/// As [`get`].
pub async fn get_with_attempts(
    node: &Node,
    caller: Caller,
    id: DeliveryId,
) -> Result<(Delivery, Vec<Attempt>), Refusal> {
    let mut delivery = get(node, caller, id).await?;
    loop {
        let attempts = node.store.attempts_of(id).await?;
        // An attempt that begins or ends changes its delivery, in the same commit.
        let afterwards = get(node, caller, id).await?;
        if afterwards == delivery {
            return Ok((delivery, attempts));
        }
        delivery = afterwards;
    }
}

/// Lists an event's deliveries, newest first.
///
/// # Errors
/// If the caller may not, or the store cannot be read.
pub async fn of_event(
    node: &Node,
    caller: Caller,
    id: EventId,
    page: PageRequest,
) -> Result<Vec<Delivery>, Refusal> {
    let sought = DeliverySearch {
        filter: DeliveryFilter {
            event_id: Some(id),
            ..DeliveryFilter::default()
        },
        ..DeliverySearch::default()
    };
    Ok(search(node, caller, &sought, page).await?.deliveries)
}

/// The attempts of a delivery that have ended, first to last; its reader may see it.
///
/// # Errors
/// If the store cannot be read.
pub async fn attempts_of(node: &Node, delivery: &Delivery) -> Result<Vec<Attempt>, StoreError> {
    node.store.attempts_of(delivery.id).await
}

/// The last attempt that ended of each of these deliveries, which their reader may see.
///
/// # Errors
/// If the store cannot be read.
pub async fn last_attempts(
    node: &Node,
    deliveries: impl IntoIterator<Item = &Delivery>,
) -> Result<HashMap<DeliveryId, LastAttempt>, StoreError> {
    let ids = deliveries.into_iter().map(|delivery| delivery.id).collect();
    let last = node.store.last_attempts(ids).await?;
    Ok(last.into_iter().map(|last| (last.delivery_id, last)).collect())
}

async fn seen(node: &Node, caller: Caller, id: DeliveryId) -> Result<Delivery, Refusal> {
    let delivery = node.store.delivery(caller.company_id, id).await?;
    caller.require_visible(delivery.kind)?;
    Ok(delivery)
}

/// Sends the same event to the same webhook again, as a new delivery, at once and whatever the webhook's breaker says.
///
/// # Errors
/// If the caller may not, or may not see what it shows; if there is no such delivery, or its webhook or payload is gone.
pub async fn redeliver(node: &Node, caller: Caller, id: DeliveryId) -> Result<Delivery, Refusal> {
    caller.require(Right::Write)?;
    let delivery = seen(node, caller, id).await?;
    let endpoint = Endpoint::Webhook(delivery.webhook_id);
    let subscriptions = leading_to(node, caller.company_id, endpoint).await?;
    caller.clearance().may_send(&delivery, &subscriptions)?;
    let now = node.clock.now();
    let new_id = DeliveryId(node.ids.next(now));
    let delivery = node.store.redeliver(caller.company_id, id, new_id, now).await?;
    node.engine.send(delivery.webhook_id, delivery.id);
    node.engine.nudge(delivery.webhook_id);
    Ok(delivery)
}

/// Gives a pending delivery up.
///
/// # Errors
/// If the caller may not; if there is no such delivery, or it has ended.
pub async fn cancel(node: &Node, caller: Caller, id: DeliveryId) -> Result<Delivery, Refusal> {
    caller.require(Right::Write)?;
    seen(node, caller, id).await?;
    let now = node.clock.now();
    let delivery = node.store.cancel_delivery(caller.company_id, id, now).await?;
    // Those that it held up may go now.
    node.engine.nudge(delivery.webhook_id);
    Ok(delivery)
}
