//! Deliveries: how they are found, made anew and called off.

use std::collections::{BTreeMap, HashMap};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::{Delivery, DeliveryState, StateName};
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, ReplayId, WebhookId};
use switchhook_domain::order::OrderKey;

use super::delivery_row::{self, NewRow};
use super::events;
use super::order_queue::{self, QueueLocks};
use super::replays;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::redelivery::{self, redelivery};
use crate::shared::deliveries::find;
use crate::shared::{dead_letters, webhooks};

/// A new delivery of the same event to the same webhook.
pub(super) async fn redeliver(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: DeliveryId,
    new_id: DeliveryId,
    now: Timestamp,
) -> Result<Delivery, StoreError> {
    let connection = &mut *transaction.connection;
    let origin = find(connection, company_id, id).await?;
    let webhook_id = origin.webhook_id;
    if !webhooks::exists(connection, company_id, webhook_id).await? {
        return Err(redelivery::webhook_is_gone(&origin));
    }
    let with_payload = events::lock_with_payload(connection, &[origin.event_id.0]).await?;
    if !with_payload.contains(&origin.event_id) {
        return Err(redelivery::payload_is_gone(&origin));
    }
    let next_ordinals = next_ordinals(connection, &[origin.event_id.0]).await?;
    let ordinal = next_ordinals.get(&origin.event_id).copied().unwrap_or(0);
    let delivery = redelivery(origin, new_id, ordinal, now);
    delivery_row::insert(connection, None, &[NewRow::free(delivery.clone())]).await?;
    dead_letters::resent(connection, delivery.event_id, webhook_id, now).await?;
    transaction.effects.due(webhook_id, now);
    Ok(delivery)
}

/// Next ordinal for deliveries of each event. The events are locked.
pub(super) async fn next_ordinals(
    connection: &mut PgConnection,
    event_ids: &[i64],
) -> Result<HashMap<EventId, u32>, StoreError> {
    let sql = "SELECT event_id, max(ordinal) + 1 FROM deliveries WHERE event_id = ANY($1) GROUP BY event_id";
    let rows = sqlx::query(sql).bind(event_ids).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let next = u32::try_from(row.try_get::<i64, _>(1)?).unwrap_or(u32::MAX);
            Ok((EventId(row.try_get(0)?), next))
        })
        .collect()
}

/// Calls a delivery off. A claim stays as it is, and the node that has it is notified: if its attempt is under way, it may
/// still end, without effect on the state.
pub(super) async fn cancel(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: DeliveryId,
    now: Timestamp,
) -> Result<Delivery, StoreError> {
    // Whose it is, before anything is locked for it.
    find(transaction.connection, company_id, id).await?;
    let pending = lock_pending(transaction, vec![id.0]).await?;
    let mut delivery = find(transaction.connection, company_id, id).await?;
    if pending.is_empty() {
        return Err(redelivery::is_final(&delivery));
    }
    call_off(transaction, &pending, now).await?;
    delivery.state = DeliveryState::Cancelled { at: now };
    Ok(delivery)
}

/// Facts needed for ending a pending delivery.
pub(super) struct PendingDelivery {
    pub(super) id: DeliveryId,
    pub(super) webhook_id: WebhookId,
    pub(super) replay_id: Option<ReplayId>,
    pub(super) order_key: Option<OrderKey>,
    /// The node that has it in memory.
    pub(super) claimed_by: Option<i64>,
}

/// Locks the order queues and then the rows of those of the deliveries that are pending.
pub(super) async fn lock_pending(
    transaction: &mut Transaction<'_>,
    ids: Vec<i64>,
) -> Result<Vec<PendingDelivery>, StoreError> {
    let locks = QueueLocks::of(ids);
    locks.take(transaction.connection).await?;
    let sql = "SELECT id, webhook_id, replay_id, order_key, claimed_by FROM deliveries \
               WHERE id = ANY($1) AND state = 'pending' ORDER BY id FOR UPDATE";
    let rows = sqlx::query(sql)
        .bind(&locks.of_deliveries)
        .fetch_all(&mut *transaction.connection)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(PendingDelivery {
                id: DeliveryId(row.try_get(0)?),
                webhook_id: WebhookId(row.try_get(1)?),
                replay_id: row.try_get::<Option<i64>, _>(2)?.map(ReplayId),
                order_key: row.try_get::<Option<&str>, _>(3)?.map(OrderKey::new),
                claimed_by: row.try_get(4)?,
            })
        })
        .collect()
}

/// Cancels them, counts them, notifies who has them in memory, and lets go who waited for them. All are locked.
pub(super) async fn call_off(
    transaction: &mut Transaction<'_>,
    pending: &[PendingDelivery],
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "UPDATE deliveries SET state = 'cancelled', ended_at = $1, held = NULL WHERE id = ANY($2)";
    sqlx::query(sql)
        .bind(now.as_millis())
        .bind(pending.iter().map(|one| one.id.0).collect::<Vec<_>>())
        .execute(&mut *transaction.connection)
        .await?;
    let (mut ended, mut queues) = (replays::FinalStateCounts::new(), BTreeMap::new());
    for one in pending {
        replays::note_ended(&mut ended, one.replay_id, StateName::Cancelled);
        if let Some(holder) = one.claimed_by {
            transaction.notify_holder(holder, one.webhook_id, one.id);
        }
        if let Some(key) = &one.order_key {
            queues.insert((one.webhook_id, key.clone()), now);
        }
    }
    order_queue::free_followers(transaction, &queues).await?;
    replays::count_ended(transaction.connection, &ended).await
}

/// Calls off some of a webhook's pending deliveries. The webhook is gone: nobody needs to be let go or notified.
pub(super) async fn cancel_some_of(
    transaction: &mut Transaction<'_>,
    webhook_id: WebhookId,
    now: Timestamp,
    limit: u32,
) -> Result<usize, StoreError> {
    let rows = sqlx::query(CANCEL_SOME)
        .bind(now.as_millis())
        .bind(webhook_id.0)
        .bind(i64::from(limit))
        .fetch_all(&mut *transaction.connection)
        .await?;
    let mut ended = replays::FinalStateCounts::new();
    for row in &rows {
        let replay_id = row.try_get::<Option<i64>, _>(0)?.map(ReplayId);
        replays::note_ended(&mut ended, replay_id, StateName::Cancelled);
    }
    replays::count_ended(transaction.connection, &ended).await?;
    Ok(rows.len())
}

/// Calls off some of a webhook's pending deliveries that were made until `made_until`.
pub(super) async fn skip_some_of(
    transaction: &mut Transaction<'_>,
    webhook_id: WebhookId,
    made_until: Timestamp,
    note: &str,
    now: Timestamp,
    limit: u32,
) -> Result<usize, StoreError> {
    let pending = loop {
        let ids = sqlx::query_scalar::<_, i64>(SKIPPED_OF)
            .bind(webhook_id.0)
            .bind(made_until.as_millis())
            .bind(i64::from(limit))
            .fetch_all(&mut *transaction.connection)
            .await?;
        let is_none_left = ids.is_empty();
        let pending = lock_pending(transaction, ids).await?;
        // All of them may have ended while their locks were waited for: then there may be others.
        if is_none_left || !pending.is_empty() {
            break pending;
        }
    };
    sqlx::query("UPDATE deliveries SET note = $1 WHERE id = ANY($2)")
        .bind(note)
        .bind(pending.iter().map(|one| one.id.0).collect::<Vec<_>>())
        .execute(&mut *transaction.connection)
        .await?;
    call_off(transaction, &pending, now).await?;
    Ok(pending.len())
}

const SKIPPED_OF: &str = "SELECT id FROM (\
       (SELECT id FROM deliveries WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = $1 \
        AND created_at <= $2 ORDER BY due_at, id LIMIT $3) \
       UNION ALL \
       (SELECT id FROM deliveries WHERE claimed_by IS NOT NULL AND state = 'pending' AND webhook_id = $1 \
        AND created_at <= $2 ORDER BY due_at, id LIMIT $3)\
     ) AS pending LIMIT $3";

const CANCEL_SOME: &str = "UPDATE deliveries SET state = 'cancelled', ended_at = $1, held = NULL WHERE id IN (\
     SELECT id FROM (\
       (SELECT id FROM deliveries WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = $2 \
        ORDER BY due_at, id LIMIT $3) \
       UNION ALL \
       (SELECT id FROM deliveries WHERE claimed_by IS NOT NULL AND state = 'pending' AND webhook_id = $2 \
        ORDER BY due_at, id LIMIT $3)\
     ) AS pending LIMIT $3) AND ended_at IS NULL RETURNING replay_id";
