//! Pending deliveries: which webhooks have some, how many, since when; and making them due at once.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{DeliveryId, WebhookId};

use super::row::{all, first};
use super::transaction::Transaction;
use crate::claim::{PendingCount, PendingWebhook, WaitingDelivery};
use crate::delivery_progress::DeliveryProgress;
use crate::error::StoreError;
use crate::row::Row;
use crate::row::delivery::{self, delivery_columns};

/// The webhooks after `after` for which something is pending.
pub(super) fn pending_webhooks(
    connection: &Connection,
    after: Option<WebhookId>,
    limit: u32,
) -> Result<Vec<PendingWebhook>, StoreError> {
    let mut found = Vec::new();
    let mut after = after.map_or(i64::MIN, |id| id.0);
    while found.len() < limit as usize {
        let unclaimed = first(connection, NEXT_UNCLAIMED, &[&after], read_pending)?;
        let claimed = first(connection, NEXT_CLAIMED, &[&after], read_pending)?;
        let next = [unclaimed, claimed]
            .into_iter()
            .flatten()
            .min_by_key(|next| (next.webhook_id, next.first_due_at));
        let Some(next) = next else { break };
        after = next.webhook_id.0;
        found.push(next);
    }
    Ok(found)
}

pub(super) const NEXT_UNCLAIMED: &str = "SELECT webhook_id, due_at FROM deliveries INDEXED BY deliveries_due \
     WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id > ? ORDER BY webhook_id, due_at LIMIT 1";

pub(super) const NEXT_CLAIMED: &str = "SELECT webhook_id, due_at FROM deliveries INDEXED BY deliveries_claimed \
     WHERE claimed_by IS NOT NULL AND state = 'pending' AND webhook_id > ? ORDER BY webhook_id, due_at LIMIT 1";

fn read_pending(row: &Row<'_>) -> Result<PendingWebhook, StoreError> {
    Ok(PendingWebhook {
        webhook_id: WebhookId(row.get(0)?),
        first_due_at: Timestamp::from_millis(row.get::<Option<i64>>(1)?.unwrap_or_default()),
    })
}

/// The delivery of a webhook that has waited longest: what is due and unclaimed, or claimed for its first attempt. Replays make
/// deliveries long before they are due.
pub(super) fn longest_waiting(
    connection: &Connection,
    webhook_id: WebhookId,
) -> Result<Option<WaitingDelivery>, StoreError> {
    let read = |row: &Row<'_>| {
        Ok(WaitingDelivery {
            delivery_id: DeliveryId(row.get(0)?),
            since: Timestamp::from_millis(row.get(1)?),
        })
    };
    let due = first(connection, LONGEST_DUE, &[&webhook_id.0], read)?;
    let unstarted = first(connection, LONGEST_UNSTARTED, &[&webhook_id.0], read)?;
    Ok(WaitingDelivery::longer(due, unstarted))
}

pub(super) const LONGEST_DUE: &str = "SELECT id, due_at FROM deliveries INDEXED BY deliveries_due \
     WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = ? AND due_at IS NOT NULL ORDER BY due_at LIMIT 1";

pub(super) const LONGEST_UNSTARTED: &str = "SELECT id, created_at FROM deliveries INDEXED BY deliveries_claimed \
     WHERE claimed_by IS NOT NULL AND state = 'pending' AND webhook_id = ? AND attempt_number = 1 AND replay_id IS NULL \
     ORDER BY created_at LIMIT 1";

/// Progress of those of these deliveries that are pending.
pub(super) fn progress_of(
    connection: &Connection,
    ids: &[DeliveryId],
) -> Result<Vec<DeliveryProgress>, StoreError> {
    let read = |row: &Row<'_>| {
        Ok(DeliveryProgress {
            delivery_id: DeliveryId(row.get(0)?),
            is_claimed: row.get(1)?,
            behind: row.get::<Option<i64>>(2)?.map(DeliveryId),
        })
    };
    let mut progress = Vec::new();
    for id in ids {
        progress.extend(first(connection, PROGRESS, &[&id.0], read)?);
    }
    Ok(progress)
}

pub(super) const PROGRESS: &str = "SELECT id, claimed_by IS NOT NULL, CASE WHEN held IS NOT NULL THEN (\
     SELECT first.id FROM deliveries AS first INDEXED BY deliveries_by_order_key WHERE first.state = 'pending' \
     AND first.webhook_id = deliveries.webhook_id AND first.order_key = deliveries.order_key ORDER BY first.id LIMIT 1) END \
     FROM deliveries WHERE id = ? AND state = 'pending'";

/// Some of a webhook's pending deliveries.
pub(super) fn pending_of(
    connection: &Connection,
    webhook_id: WebhookId,
    limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    let mut pending = all(
        connection,
        PENDING_UNCLAIMED,
        &[&webhook_id.0, &limit],
        delivery::read,
    )?;
    let rest = limit.saturating_sub(u32::try_from(pending.len()).unwrap_or(limit));
    pending.extend(all(
        connection,
        PENDING_CLAIMED,
        &[&webhook_id.0, &rest],
        delivery::read,
    )?);
    Ok(pending)
}

pub(super) const PENDING_UNCLAIMED: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    " FROM deliveries INDEXED BY deliveries_due \
     WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = ? LIMIT ?"
);

pub(super) const PENDING_CLAIMED: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    " FROM deliveries INDEXED BY deliveries_claimed \
     WHERE claimed_by IS NOT NULL AND state = 'pending' AND webhook_id = ? LIMIT ?"
);

/// Number of pending deliveries of these webhooks, counted up to `most` of each sort.
pub(super) fn count(
    connection: &Connection,
    webhook_ids: &[WebhookId],
    now: Timestamp,
    most: u32,
) -> Result<Vec<PendingCount>, StoreError> {
    let one = |webhook_id: &WebhookId| {
        let (id, now) = (webhook_id.0, now.as_millis());
        let count = |sql, values: &[&dyn rusqlite::ToSql]| {
            let read = |row: &Row<'_>| Ok((row.get::<u64>(0)?, row.get::<Option<i64>>(1)?));
            Ok::<_, StoreError>(first(connection, sql, values, read)?.unwrap_or_default())
        };
        let (due, oldest_due) = count(COUNT_DUE, &[&id, &now, &most])?;
        let (under_way, oldest_under_way) = count(COUNT_UNDER_WAY, &[&id, &most])?;
        let (later, oldest_later) = count(COUNT_LATER, &[&id, &now, &most])?;
        let oldest = [oldest_due, oldest_under_way, oldest_later];
        Ok(PendingCount {
            webhook_id: *webhook_id,
            due: due + under_way,
            later,
            oldest: oldest.into_iter().flatten().min().map(DeliveryId),
        })
    };
    webhook_ids.iter().map(one).collect()
}

pub(super) const COUNT_DUE: &str = "SELECT count(*), min(id) FROM (SELECT id FROM deliveries INDEXED BY deliveries_due \
     WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = ? AND due_at <= ? ORDER BY due_at LIMIT ?)";

pub(super) const COUNT_LATER: &str = "SELECT count(*), min(id) FROM (SELECT id FROM deliveries INDEXED BY deliveries_due \
     WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = ? AND due_at > ? ORDER BY due_at LIMIT ?)";

pub(super) const COUNT_UNDER_WAY: &str = "SELECT count(*), min(id) FROM (SELECT id FROM deliveries INDEXED BY deliveries_claimed \
     WHERE claimed_by IS NOT NULL AND state = 'pending' AND webhook_id = ? ORDER BY due_at LIMIT ?)";

/// Creation of the oldest pending delivery, whatever it waits for.
pub(super) fn oldest_undelivered(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let companies = all(connection, "SELECT id FROM companies", &[], |row| {
        row.get::<i64>(0)
    })?;
    let mut oldest: Option<Timestamp> = None;
    for company_id in companies {
        let of_company = first(connection, OLDEST_OF_COMPANY, &[&company_id], |row| {
            Ok(Timestamp::from_millis(row.get(0)?))
        })?;
        oldest = [oldest, of_company].into_iter().flatten().min();
    }
    Ok(oldest)
}

pub(super) const OLDEST_OF_COMPANY: &str = "SELECT created_at FROM deliveries INDEXED BY deliveries_unfinished \
     WHERE company_id = ? AND state = 'pending' AND state <> 'delivered' ORDER BY id LIMIT 1";

/// Lets deliveries that wait for a retry go now: their receiver works again.
pub(super) fn make_retries_due(
    transaction: &mut Transaction<'_>,
    webhook_id: WebhookId,
    now: Timestamp,
    limit: u32,
) -> Result<usize, StoreError> {
    let now_ms = now.as_millis();
    let changed = transaction
        .prepare(MAKE_DUE)?
        .execute(params![now_ms, webhook_id.0, now_ms, limit])?;
    if changed > 0 {
        transaction.effects.due(webhook_id, now);
    }
    Ok(changed)
}

/// Those that wait for their order wait for others, not for the receiver.
const MAKE_DUE: &str = "UPDATE deliveries SET due_at = ? WHERE id IN (\
     SELECT id FROM deliveries INDEXED BY deliveries_due \
     WHERE state = 'pending' AND claimed_by IS NULL AND webhook_id = ? AND due_at > ? AND held IS NULL LIMIT ?)";
