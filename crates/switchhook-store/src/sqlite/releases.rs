//! Releases: claims given back unopened.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;

use super::attempts::{OpenAttempt, open_attempt};
use super::order_queue;
use super::transaction::Transaction;
use crate::claim::Release;
use crate::error::StoreError;
use crate::order_queue::waits_until;

/// Gives claims back: the number of the attempt that was not made is free again.
pub(super) fn release(
    transaction: &mut Transaction<'_>,
    released: &[Release],
    now: Timestamp,
) -> Result<(), StoreError> {
    for one in released {
        transaction.effects.released(one);
        match open_attempt(transaction.connection, one.delivery_id)? {
            Some(open) if open.number == one.attempt_number => release_one(transaction, one, &open, now)?,
            _ => {}
        }
    }
    Ok(())
}

fn release_one(
    transaction: &mut Transaction<'_>,
    one: &Release,
    open: &OpenAttempt,
    now: Timestamp,
) -> Result<(), StoreError> {
    let waits_until = wait_of(transaction.connection, one, open, now)?;
    let due_at = waits_until.unwrap_or(one.due_at);
    let sql = "UPDATE deliveries SET claimed_by = NULL, claimed_at = NULL, attempt_number = attempt_number - 1, \
               due_at = ?, held = ? WHERE id = ?";
    let held = waits_until.map(|_| "order").filter(|_| open.is_pending);
    transaction
        .prepare(sql)?
        .execute(params![due_at.as_millis(), held, one.delivery_id.0])?;
    if open.is_pending {
        transaction.effects.due(one.webhook_id, due_at);
    }
    Ok(())
}

/// Until when a released delivery waits for the one ahead in its order queue.
fn wait_of(
    connection: &Connection,
    one: &Release,
    open: &OpenAttempt,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let Some(key) = &open.order_key else {
        return Ok(None);
    };
    let ahead = order_queue::ahead_of(connection, one.delivery_id, one.webhook_id, key)?;
    Ok(waits_until(ahead.as_ref(), open.blocks_until, now))
}
