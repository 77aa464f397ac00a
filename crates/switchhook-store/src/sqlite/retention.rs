//! Removing what is too old, and dropping the payloads of what is delivered: found by a reader, done by the writer.
//!
//! The reader looks at many rows, which takes the writer no time; the writer looks at each row again before it goes.

use rusqlite::{CachedStatement, Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{EventId, first_id_at};

use super::row::{all, first};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::removal_rules::{ExaminedEvent, LOOK_AT, RemovableEvents};
use crate::retention::{PayloadSlice, RemovalReason, RemovalSlice, Removed, StoreSize};

pub(super) fn size(connection: &Connection) -> Result<StoreSize, StoreError> {
    let pragma = |sql: &str| -> Result<u64, StoreError> {
        let number: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(number).unwrap_or_default())
    };
    let (pages, page_size) = (pragma("PRAGMA page_count")?, pragma("PRAGMA page_size")?);
    let free = pragma("PRAGMA freelist_count")?;
    Ok(StoreSize {
        used: pages.saturating_sub(free) * page_size,
        file: pages * page_size,
        disk_left: connection
            .path()
            .filter(|path| !path.is_empty())
            .and_then(disk_left),
    })
}

fn disk_left(path: &str) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// The first events that can be removed.
pub(super) fn removable(connection: &Connection, slice: RemovalSlice) -> Result<RemovableEvents, StoreError> {
    let (after, before) = (slice.after.map_or(0, |id| id.0), slice.before);
    let values: [&dyn rusqlite::ToSql; 4] = [&before.as_millis(), &after, &first_id_at(before), &LOOK_AT];
    let seen = all(connection, OLDEST, &values, ExaminedEvent::read)?;
    Ok(RemovableEvents::removable(&seen, slice))
}

/// With whether something still needs them: a delivery that is pending, open, or ended lately.
pub(super) const OLDEST: &str = "SELECT id, EXISTS (SELECT 1 FROM deliveries INDEXED BY deliveries_by_event \
     WHERE event_id = events.id AND (state = 'pending' OR claimed_by IS NOT NULL OR ended_at >= ?)), \
     octet_length(body) FROM events WHERE id > ? AND id < ? ORDER BY id LIMIT ?";

/// Removes events with their deliveries and attempts, unless something needs them by now.
pub(super) fn remove(
    transaction: &mut Transaction<'_>,
    ids: &[EventId],
    before: Timestamp,
) -> Result<Removed, StoreError> {
    let mut statements = Removal::prepare(transaction)?;
    let mut removed = Removed::default();
    for id in ids {
        if first(
            transaction.connection,
            IS_NEEDED,
            &[&before.as_millis(), &id.0],
            |_| Ok(()),
        )?
        .is_none()
        {
            statements.remove(*id, &mut removed)?;
        }
    }
    Ok(removed)
}

pub(super) const IS_NEEDED: &str = "SELECT 1 FROM deliveries INDEXED BY deliveries_by_event \
     WHERE (state = 'pending' OR claimed_by IS NOT NULL OR ended_at >= ?) AND event_id = ? LIMIT 1";

struct Removal<'c> {
    /// Those in the rows of their deliveries.
    count_first: CachedStatement<'c>,
    attempts: CachedStatement<'c>,
    deliveries: CachedStatement<'c>,
    event: CachedStatement<'c>,
}

impl<'c> Removal<'c> {
    fn prepare(transaction: &Transaction<'c>) -> Result<Self, StoreError> {
        Ok(Self {
            count_first: transaction.prepare(
                "SELECT count(first_total_us) FROM deliveries INDEXED BY deliveries_by_event WHERE event_id = ?",
            )?,
            attempts: transaction.prepare(
                "DELETE FROM attempt_rows WHERE delivery_id IN \
                 (SELECT id FROM deliveries INDEXED BY deliveries_by_event WHERE event_id = ?)",
            )?,
            deliveries: transaction
                .prepare("DELETE FROM deliveries INDEXED BY deliveries_by_event WHERE event_id = ?")?,
            event: transaction.prepare("DELETE FROM events WHERE id = ?")?,
        })
    }

    fn remove(&mut self, id: EventId, removed: &mut Removed) -> Result<(), StoreError> {
        let first: i64 = self.count_first.query_row([id.0], |row| row.get(0))?;
        removed.attempts += first.unsigned_abs();
        removed.attempts += self.attempts.execute([id.0])? as u64;
        removed.deliveries += self.deliveries.execute([id.0])? as u64;
        removed.events += self.event.execute([id.0])? as u64;
        Ok(())
    }
}

/// The events of a slice that have a payload and need it no longer.
pub(super) fn droppable(connection: &Connection, slice: PayloadSlice) -> Result<RemovableEvents, StoreError> {
    let after = slice.after.map_or(0, |id| id.0);
    let values: [&dyn rusqlite::ToSql; 3] = [&slice.company_id.0, &after, &slice.limit];
    let seen = all(connection, WITH_PAYLOAD, &values, ExaminedEvent::read)?;
    Ok(RemovableEvents::droppable(&seen, slice.limit))
}

/// With whether the payload stays: there is none, or a delivery is under way or given up and may be made again.
pub(super) const WITH_PAYLOAD: &str = "SELECT id, payload_removed_at IS NOT NULL OR EXISTS (SELECT 1 FROM deliveries \
     INDEXED BY deliveries_by_event WHERE event_id = events.id \
     AND (state IN ('pending', 'exhausted') OR claimed_by IS NOT NULL)), 0 \
     FROM events INDEXED BY events_by_company WHERE company_id = ? AND id > ? ORDER BY id LIMIT ?";

/// Takes the payloads out of events, and what receivers answered: they may repeat what they got.
pub(super) fn drop_payloads(
    transaction: &mut Transaction<'_>,
    ids: &[EventId],
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut dropped = 0;
    for id in ids {
        if first(transaction.connection, KEEPS_PAYLOAD, &[&id.0], |_| Ok(()))?.is_none() {
            dropped += u64::from(remove_payload(transaction, *id, RemovalReason::Delivered, now)?);
            for forget in FORGET_ANSWERS {
                transaction.prepare(forget)?.execute([id.0])?;
            }
        }
    }
    Ok(dropped)
}

pub(super) const KEEPS_PAYLOAD: &str = "SELECT 1 FROM deliveries INDEXED BY deliveries_by_event \
     WHERE (state IN ('pending', 'exhausted') OR claimed_by IS NOT NULL) AND event_id = ? LIMIT 1";

const FORGET_ANSWERS: [&str; 2] = [
    "UPDATE attempt_rows SET answer_body = NULL, answer_headers = '{}' WHERE answer_headers IS NOT NULL AND delivery_id IN \
     (SELECT id FROM deliveries INDEXED BY deliveries_by_event WHERE event_id = ?)",
    "UPDATE deliveries INDEXED BY deliveries_by_event SET first_answer_body = NULL, first_answer_headers = '{}' \
     WHERE first_answer_headers IS NOT NULL AND event_id = ?",
];

/// Takes an event's payload out, and the warnings, which may quote it. Answers whether there was one.
pub(super) fn remove_payload(
    transaction: &Transaction<'_>,
    id: EventId,
    reason: RemovalReason,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE events SET body = '', warnings = NULL, payload_removed_at = ?, payload_removed_for = ? \
               WHERE id = ? AND payload_removed_at IS NULL";
    let changed = transaction
        .prepare(sql)?
        .execute(params![now.as_millis(), reason.as_str(), id.0])?;
    Ok(changed > 0)
}
