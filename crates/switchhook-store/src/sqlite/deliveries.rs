//! Deliveries: how they are found, made anew and called off. How they come into being with an event: `record.rs`.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::{Delivery, DeliveryState, StateName};
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, ReplayId, WebhookId};
use switchhook_domain::order::OrderKey;

use super::row::{all, first};
use super::sql::{OnThread, at_once};
use super::transaction::Transaction;
use super::{attempts, events, order_queue, replays};
use crate::error::StoreError;
use crate::order_queue::InitialState;
use crate::redelivery::{self, redelivery};
use crate::row::Row;
use crate::shared::deliveries::find;
use crate::shared::{dead_letters, webhooks};

/// A new delivery of the same event to the same webhook.
pub(super) fn redeliver(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: DeliveryId,
    new_id: DeliveryId,
    now: Timestamp,
) -> Result<Delivery, StoreError> {
    let connection = transaction.connection;
    let sql = &mut OnThread::new(connection);
    let origin = at_once(find(sql, company_id, id))?;
    let webhook_id = origin.webhook_id;
    if !at_once(webhooks::exists(sql, company_id, webhook_id))? {
        return Err(redelivery::webhook_is_gone(&origin));
    }
    if events::body(connection, origin.event_id)?.is_some_and(|body| body.is_empty()) {
        return Err(redelivery::payload_is_gone(&origin));
    }
    let ordinal = next_ordinal(connection, origin.event_id)?;
    let delivery = redelivery(origin, new_id, ordinal, now);
    transaction.insert_delivery(&delivery, InitialState::Free)?;
    at_once(dead_letters::resent(sql, delivery.event_id, webhook_id, now))?;
    transaction.effects.due(webhook_id, now);
    Ok(delivery)
}

pub(super) fn next_ordinal(connection: &Connection, event_id: EventId) -> Result<u32, StoreError> {
    let sql = "SELECT coalesce(max(ordinal) + 1, 0) FROM deliveries WHERE event_id = ?";
    let next = first(connection, sql, &[&event_id.0], |row| row.get(0))?;
    Ok(next.unwrap_or(0))
}

/// Calls a delivery off. A claim stays as it is, and the node that has it is notified: if its attempt is under way, it may
/// still end, without effect on the state.
pub(super) fn cancel(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: DeliveryId,
    now: Timestamp,
) -> Result<Delivery, StoreError> {
    let sql = &mut OnThread::new(transaction.connection);
    let mut delivery = at_once(find(sql, company_id, id))?;
    if delivery.state.is_final() {
        return Err(redelivery::is_final(&delivery));
    }
    let pending = PendingDelivery {
        id,
        webhook_id: delivery.webhook_id,
        replay_id: delivery.replay_id,
        order_key: delivery.order_key.clone(),
    };
    call_off(transaction, &pending, now)?;
    delivery.state = DeliveryState::Cancelled { at: now };
    Ok(delivery)
}

/// Facts needed for ending a pending delivery.
pub(super) struct PendingDelivery {
    pub(super) id: DeliveryId,
    pub(super) webhook_id: WebhookId,
    pub(super) replay_id: Option<ReplayId>,
    pub(super) order_key: Option<OrderKey>,
}

/// Cancels it, counts it, notifies who has it in memory, and lets go who waited for it.
pub(super) fn call_off(
    transaction: &mut Transaction<'_>,
    pending: &PendingDelivery,
    now: Timestamp,
) -> Result<(), StoreError> {
    let connection = transaction.connection;
    transaction
        .prepare(CANCEL)?
        .execute(params![now.as_millis(), pending.id.0])?;
    replays::count_ended(connection, pending.replay_id, StateName::Cancelled, 1)?;
    notify_holder(transaction, pending.webhook_id, pending.id)?;
    match &pending.order_key {
        Some(key) => order_queue::free_follower(transaction, pending.webhook_id, key, now),
        None => Ok(()),
    }
}

/// The node that has the delivery in memory drops it.
pub(super) fn notify_holder(
    transaction: &mut Transaction<'_>,
    webhook_id: WebhookId,
    delivery_id: DeliveryId,
) -> Result<(), StoreError> {
    if attempts::open_attempt(transaction.connection, delivery_id)?.is_some() {
        transaction.effects.cancelled(webhook_id, delivery_id);
    }
    Ok(())
}

/// Calls off some of a webhook's pending deliveries.
pub(super) fn cancel_some_of(
    transaction: &mut Transaction<'_>,
    webhook_id: WebhookId,
    now: Timestamp,
    limit: u32,
) -> Result<usize, StoreError> {
    let connection = transaction.connection;
    let id_of = |row: &Row<'_>| Ok((row.get::<i64>(0)?, row.get::<Option<i64>>(1)?));
    let mut ids = all(connection, UNCLAIMED_OF, &[&webhook_id.0, &limit], id_of)?;
    let rest = limit.saturating_sub(u32::try_from(ids.len()).unwrap_or(limit));
    ids.extend(all(connection, CLAIMED_OF, &[&webhook_id.0, &rest], id_of)?);
    let mut cancel = transaction.prepare(CANCEL)?;
    for (id, replay_id) in &ids {
        cancel.execute(params![now.as_millis(), id])?;
        replays::count_ended(connection, replay_id.map(ReplayId), StateName::Cancelled, 1)?;
    }
    Ok(ids.len())
}

/// Calls off some of a webhook's pending deliveries that were made until `made_until`.
pub(super) fn skip_some_of(
    transaction: &mut Transaction<'_>,
    webhook_id: WebhookId,
    made_until: Timestamp,
    note: &str,
    now: Timestamp,
    limit: u32,
) -> Result<usize, StoreError> {
    let connection = transaction.connection;
    let pending_of = |row: &Row<'_>| {
        Ok(PendingDelivery {
            id: DeliveryId(row.get(0)?),
            webhook_id,
            replay_id: row.get::<Option<i64>>(1)?.map(ReplayId),
            order_key: row.get::<Option<&str>>(2)?.map(OrderKey::new),
        })
    };
    let made_until = made_until.as_millis();
    let mut pending = all(
        connection,
        SKIPPED_OF,
        &[&webhook_id.0, &made_until, &limit],
        pending_of,
    )?;
    let rest = limit.saturating_sub(u32::try_from(pending.len()).unwrap_or(limit));
    let claimed = all(
        connection,
        SKIPPED_CLAIMED_OF,
        &[&webhook_id.0, &made_until, &rest],
        pending_of,
    )?;
    pending.extend(claimed);
    for one in &pending {
        transaction.prepare(NOTE)?.execute(params![note, one.id.0])?;
        call_off(transaction, one, now)?;
    }
    Ok(pending.len())
}

const NOTE: &str = "UPDATE deliveries SET note = ? WHERE id = ?";

const SKIPPED_OF: &str = "SELECT id, replay_id, order_key FROM deliveries INDEXED BY deliveries_due \
     WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = ? AND created_at <= ? LIMIT ?";

const SKIPPED_CLAIMED_OF: &str = "SELECT id, replay_id, order_key FROM deliveries INDEXED BY deliveries_claimed \
     WHERE claimed_by IS NOT NULL AND state = 'pending' AND webhook_id = ? AND created_at <= ? LIMIT ?";

pub(super) const CANCEL: &str =
    "UPDATE deliveries SET state = 'cancelled', ended_at = ?, held = NULL WHERE id = ?";

pub(super) const UNCLAIMED_OF: &str = "SELECT id, replay_id FROM deliveries INDEXED BY deliveries_due WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = ? LIMIT ?";

pub(super) const CLAIMED_OF: &str = "SELECT id, replay_id FROM deliveries INDEXED BY deliveries_claimed \
     WHERE claimed_by IS NOT NULL AND state = 'pending' AND webhook_id = ? LIMIT ?";
