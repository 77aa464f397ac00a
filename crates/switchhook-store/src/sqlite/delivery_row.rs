//! A delivery becomes a row.

use rusqlite::{Connection, params};
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::order::OrderKey;

use super::transaction::THIS_NODE;
use crate::error::StoreError;
use crate::line::Start;
use crate::row::delivery::ids;

pub(super) fn insert(connection: &Connection, delivery: &Delivery, start: Start) -> Result<(), StoreError> {
    let DeliveryState::Pending { due_at } = delivery.state else {
        return Err(StoreError::Conflict(
            "a delivery cannot be made in a final state".into(),
        ));
    };
    let is_claimed = start == Start::Claimed;
    connection.prepare_cached(INSERT)?.execute(params![
        delivery.id.0,
        delivery.event_id.0,
        delivery.ordinal,
        delivery.company_id.0,
        delivery.webhook_id.0,
        delivery.kind.route(),
        ids(&delivery.subscription_ids),
        delivery.hidden.to_string(),
        delivery.order_key.as_ref().map(OrderKey::as_str),
        due_at.as_millis(),
        (start == Start::Held).then_some("order"),
        is_claimed.then_some(THIS_NODE),
        is_claimed.then_some(delivery.created_at.as_millis()),
        delivery.attempt_number,
        delivery.blocks_until.as_millis(),
        delivery.origin.map(|origin| origin.0),
        delivery.replay_id.map(|id| id.0),
        delivery.created_at.as_millis(),
        delivery.note,
    ])?;
    Ok(())
}

const INSERT: &str = "INSERT INTO deliveries (id, event_id, ordinal, company_id, webhook_id, kind, subscription_ids, \
     hidden, order_key, due_at, held, claimed_by, claimed_at, attempt_number, blocks_until, origin_id, replay_id, \
     created_at, note, state, failures_answered, failures_unanswered) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', 0, 0)";
