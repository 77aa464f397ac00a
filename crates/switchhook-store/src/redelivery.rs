//! Redelivery and calling off: what becomes of a delivery that somebody decides about, and the words in which that is
//! refused. The drivers look up what is asked here, and write what is answered.

use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::id::DeliveryId;
use switchhook_domain::retry::Failures;

use crate::error::StoreError;

/// A new delivery of the same event to the same webhook, due at once and behind nobody.
pub(crate) fn redelivery(origin: Delivery, new_id: DeliveryId, ordinal: u32, now: Timestamp) -> Delivery {
    Delivery {
        id: new_id,
        ordinal,
        order_key: None,
        state: DeliveryState::Pending { due_at: now },
        attempt_number: 0,
        failures: Failures::default(),
        blocks_until: now,
        note: None,
        origin: Some(origin.id),
        replay_id: None,
        suspended: Duration::ZERO,
        last_failure: None,
        resolved: None,
        created_at: now,
        ..origin
    }
}

/// There is nowhere to deliver it to again.
pub(crate) fn webhook_is_gone(origin: &Delivery) -> StoreError {
    let (webhook_id, id) = (origin.webhook_id, origin.id);
    StoreError::Conflict(format!(
        "webhook {webhook_id}, where delivery {id} went, was deleted: create a webhook and replay the event to it"
    ))
}

/// There is nothing to deliver again.
pub(crate) fn payload_is_gone(origin: &Delivery) -> StoreError {
    StoreError::Conflict(format!(
        "the payload of event {} was removed: there is nothing to send again",
        origin.event_id
    ))
}

/// It cannot be called off any more.
pub(crate) fn is_final(delivery: &Delivery) -> StoreError {
    let (id, state) = (delivery.id, delivery.state.name());
    StoreError::Conflict(format!(
        "delivery {id} is {state} since {} and stays so: only a pending one can be cancelled",
        delivery.state.at()
    ))
}
