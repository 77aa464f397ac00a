//! Order queues as rows: who is ahead of a delivery, and letting the next one go. The rules are in `src/order_queue.rs`.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_domain::order::OrderKey;

use super::row::first;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::order_queue::{ClaimHolder, LONGEST_WALK, QueuedDelivery, freed};
use crate::row::{Columns, Row};

/// The last one in the queue.
pub(super) fn last(
    transaction: &mut Transaction<'_>,
    webhook_id: WebhookId,
    key: &OrderKey,
) -> Result<Option<QueuedDelivery>, StoreError> {
    let deferred = transaction.deferred.queue(webhook_id, key);
    let deferred = deferred.max_by_key(|one| one.position);
    if !transaction.deferred.queues_with_rows.may_have(webhook_id, key) {
        return Ok(deferred);
    }
    let mut rows = transaction
        .statements
        .hot(LAST)?
        .query(params![webhook_id.0, key.as_str()])?;
    let written = rows.next()?.map(|row| read(row)).transpose()?;
    Ok(deferred.into_iter().chain(written).max_by_key(|one| one.position))
}

/// The one directly ahead of a delivery.
pub(super) fn ahead_of(
    connection: &Connection,
    id: DeliveryId,
    webhook_id: WebhookId,
    key: &OrderKey,
) -> Result<Option<QueuedDelivery>, StoreError> {
    first(connection, AHEAD, &[&webhook_id.0, &key.as_str(), &id.0], read)
}

/// Lets the first one that waits go, unless one before it still blocks.
pub(super) fn free_follower(
    transaction: &mut Transaction<'_>,
    webhook_id: WebhookId,
    key: &OrderKey,
    now: Timestamp,
) -> Result<(), StoreError> {
    if !transaction.deferred.queues_with_rows.may_have(webhook_id, key) {
        // Those without a row are claimed, and none waits.
        return Ok(());
    }
    let mut queue = Vec::new();
    let mut rows =
        transaction
            .statements
            .hot(FIRST)?
            .query(params![webhook_id.0, key.as_str(), LONGEST_WALK])?;
    while let Some(row) = rows.next()? {
        queue.push(read(row)?);
    }
    drop(rows);
    if queue.is_empty() {
        return Ok(());
    }
    queue.extend(transaction.deferred.queue(webhook_id, key));
    queue.sort_unstable_by_key(|one| one.position);
    let Some(freed) = freed(&queue, key, now) else {
        return Ok(());
    };
    let sql =
        "UPDATE deliveries SET held = NULL, due_at = min(due_at, ?), note = coalesce(?, note) WHERE id = ?";
    transaction
        .prepare(sql)?
        .execute(params![now.as_millis(), freed.note, freed.id.0])?;
    transaction.effects.due(webhook_id, now);
    Ok(())
}

pub(super) const LAST: &str = "SELECT id, due_at, held, claimed_by, blocks_until, created_at, note IS NOT NULL FROM deliveries \
     INDEXED BY deliveries_by_order_key WHERE state = 'pending' AND webhook_id = ? AND order_key = ? ORDER BY id DESC LIMIT 1";

pub(super) const AHEAD: &str = "SELECT id, due_at, held, claimed_by, blocks_until, created_at, note IS NOT NULL FROM deliveries \
     INDEXED BY deliveries_by_order_key WHERE state = 'pending' AND webhook_id = ? AND order_key = ? AND id < ? ORDER BY id DESC LIMIT 1";

pub(super) const FIRST: &str = "SELECT id, due_at, held, claimed_by, blocks_until, created_at, note IS NOT NULL FROM deliveries \
     INDEXED BY deliveries_by_order_key WHERE state = 'pending' AND webhook_id = ? AND order_key = ? ORDER BY id LIMIT ?";

fn read(row: &Row<'_>) -> Result<QueuedDelivery, StoreError> {
    let mut columns = Columns::of("deliveries", row)?;
    Ok(QueuedDelivery {
        id: DeliveryId(columns.id()),
        position: columns.id(),
        // One without a time is damaged, and about to be set aside: nobody waits for it.
        due_at: columns.maybe_time()?.unwrap_or(Timestamp::from_millis(0)),
        is_waiting: columns.read::<Option<String>>()?.is_some(),
        // All claims are this node's: no other may have the file.
        claimed: match columns.read::<Option<i64>>()? {
            Some(_) => ClaimHolder::Here,
            None => ClaimHolder::No,
        },
        blocks_until: columns.time()?,
        created_at: columns.time()?,
        is_overtaking: columns.read()?,
    })
}
