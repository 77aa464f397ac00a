//! Erasing by phone number: a reader looks through events, the writer takes out what was found.
//!
//! The record stays: that there was an event, where it went, when, and how that ended.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{DeliveryId, EventId, ReplayId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::phone_number::PhoneNumber;

use super::deliveries::{self, PendingDelivery};
use super::retention::remove_payload;
use super::row::all;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::removal_rules::{AttemptRecord, NOTE, NumberSearch};
use crate::retention::{Erased, ErasureSlice, RemovalReason};
use crate::row::{Columns, Row};

/// Looks through a slice.
pub(super) fn find(connection: &Connection, slice: &ErasureSlice) -> Result<NumberSearch, StoreError> {
    let mut statement = connection.prepare_cached(BODIES)?;
    let after = slice.after.map_or(0, |id| id.0);
    let mut rows = statement.query(params![slice.company_id.0, after, slice.limit])?;
    let mut search = NumberSearch::default();
    while let Some(row) = rows.next()? {
        if !search.look(row, &slice.number)? {
            break;
        }
    }
    Ok(search.end(slice))
}

pub(super) const BODIES: &str = "SELECT id, body, idempotency_key, order_key FROM events INDEXED BY events_by_company \
     WHERE company_id = ? AND id > ? ORDER BY id LIMIT ?";

/// Takes the number out of the events that were found.
pub(super) fn erase(
    transaction: &mut Transaction<'_>,
    ids: &[EventId],
    number: &PhoneNumber,
    now: Timestamp,
) -> Result<Erased, StoreError> {
    let mut erased = Erased::default();
    for id in ids {
        // The key may be the number itself. A repetition of the event is then a new event.
        let sql = "UPDATE events SET idempotency_key = NULL WHERE id = ?";
        transaction.prepare(sql)?.execute([id.0])?;
        remove_payload(transaction, *id, RemovalReason::Erased, now)?;
        erased.events += 1;
        for (delivery, is_pending) in all(transaction.connection, DELIVERIES, &[&id.0], read)? {
            erased.attempts += clean_attempts(transaction, delivery.id, number)?;
            note_erasure(transaction, delivery.id)?;
            // There is nothing left to send.
            if is_pending {
                deliveries::call_off(transaction, &delivery, now)?;
                erased.cancelled += 1;
            }
        }
        forget_order_key(transaction, *id, number)?;
    }
    Ok(erased)
}

/// A delivery of an erased event, and whether it is pending.
type Affected = (PendingDelivery, bool);

pub(super) const DELIVERIES: &str = "SELECT id, webhook_id, replay_id, order_key, state FROM deliveries \
     INDEXED BY deliveries_by_event WHERE event_id = ?";

fn read(row: &Row<'_>) -> Result<Affected, StoreError> {
    let mut columns = Columns::of("deliveries", row)?;
    let delivery = PendingDelivery {
        id: DeliveryId(columns.id()),
        webhook_id: WebhookId(columns.read()?),
        replay_id: columns.read::<Option<i64>>()?.map(ReplayId),
        order_key: columns.maybe_text()?.map(OrderKey::new),
    };
    Ok((delivery, columns.word::<StateName>()? == StateName::Pending))
}

/// Removes the order key of an event, since the erased number may be in it. Nothing waits by it any more.
fn forget_order_key(
    transaction: &Transaction<'_>,
    id: EventId,
    number: &PhoneNumber,
) -> Result<(), StoreError> {
    let sql = "SELECT order_key FROM events WHERE id = ?";
    let key: Option<String> = transaction.prepare(sql)?.query_row([id.0], |row| row.get(0))?;
    if key.is_some_and(|key| number.occurs_in(key.as_bytes())) {
        for sql in [
            "UPDATE events SET order_key = NULL WHERE id = ?",
            "UPDATE deliveries SET order_key = NULL WHERE event_id = ?",
        ] {
            transaction.prepare(sql)?.execute([id.0])?;
        }
    }
    Ok(())
}

fn note_erasure(transaction: &Transaction<'_>, id: DeliveryId) -> Result<(), StoreError> {
    let sql = "UPDATE deliveries SET note = coalesce(note || '; ', '') || ? WHERE id = ?";
    transaction.prepare(sql)?.execute(params![NOTE, id.0])?;
    Ok(())
}

/// Forgets what the receiver answered, and of the rest what holds the number. Answers how many attempts that changed.
fn clean_attempts(
    transaction: &Transaction<'_>,
    id: DeliveryId,
    number: &PhoneNumber,
) -> Result<u64, StoreError> {
    let mut changed = 0;
    let records = all(transaction.connection, RECORDS, &[&id.0], |row| {
        AttemptRecord::read(row, number)
    })?;
    for record in records.iter().filter(|record| record.is_affected()) {
        let [url, detail, request] = record.instead();
        let has_own_row =
            transaction
                .prepare(CLEAN)?
                .execute(params![url, detail, request, id.0, record.number])?
                > 0;
        if !has_own_row {
            let mut clean = transaction.prepare(CLEAN_FIRST)?;
            clean.execute(params![url, request, id.0])?;
        }
        changed += 1;
    }
    Ok(changed)
}

pub(super) const RECORDS: &str = "SELECT delivery_id, number, coalesce(length(answer_body) > 0 OR answer_headers <> '{}', 0), \
     url, detail, request_headers FROM attempts WHERE delivery_id = ?";

const CLEAN: &str = "UPDATE attempt_rows SET answer_body = NULL, answer_headers = CASE WHEN answer_headers IS NOT NULL THEN '{}' END, \
     url = coalesce(?, url), detail = coalesce(?, detail), request_headers = coalesce(?, request_headers) \
     WHERE delivery_id = ? AND number = ?";

/// The same for the attempt in the delivery's row, which has no explanation.
const CLEAN_FIRST: &str = "UPDATE deliveries SET first_answer_body = NULL, \
     first_answer_headers = CASE WHEN first_answer_headers IS NOT NULL THEN '{}' END, first_url = coalesce(?, first_url), \
     first_request_headers = coalesce(?, first_request_headers) WHERE id = ?";
