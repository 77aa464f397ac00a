//! Erasing by phone number: events are looked through first, then what was found is taken out.
//!
//! The record stays: that there was an event, where it went, when, and how that ended.

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::id::EventId;
use switchhook_domain::phone_number::PhoneNumber;

use super::columns::bind_columns;
use super::columns::unprepared;
use super::deliveries;
use super::order_queue::QueueLocks;
use super::retention::{lock, numbers, remove_payloads};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::removal_rules::{AttemptRecord, MOST_BYTES, NOTE, NumberSearch};
use crate::retention::{Erased, ErasureSlice, RemovalReason};

/// Looks through a slice.
pub(super) async fn find(
    connection: &mut PgConnection,
    slice: &ErasureSlice,
) -> Result<NumberSearch, StoreError> {
    let rows = unprepared(BODIES)
        .bind(slice.company_id.0)
        .bind(slice.after.map_or(0, |id| id.0))
        .bind(i64::from(slice.limit))
        .bind(i64::try_from(MOST_BYTES).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let mut search = NumberSearch::default();
    for row in &rows {
        if !search.look(row, &slice.number)? {
            break;
        }
    }
    Ok(search.end(slice))
}

/// No more than what is looked through at a time. Bounds and order name the whole index, as `sql/listing.rs` says why.
const BODIES: &str = "SELECT id, body, idempotency_key, order_key FROM (\
       SELECT *, sum(octet_length(body)) OVER (ORDER BY id) - octet_length(body) AS bytes_before FROM (\
         SELECT id, body, idempotency_key, order_key FROM events WHERE (company_id, id) > ($1, $2) AND (company_id, id) < ($1 + 1, 0) \
         ORDER BY company_id, id LIMIT $3\
       ) AS slice\
     ) AS slice WHERE bytes_before <= $4 ORDER BY id";

/// Takes the number out of the events that were found.
pub(super) async fn erase(
    transaction: &mut Transaction<'_>,
    ids: &[EventId],
    number: &PhoneNumber,
    now: Timestamp,
) -> Result<Erased, StoreError> {
    // QueueLocks come before events; which deliveries there are is certain only once the events are locked.
    let locks = QueueLocks::of(deliveries_of(transaction.connection, ids).await?);
    locks.take(transaction.connection).await?;
    lock(transaction.connection, ids).await?;
    let delivery_ids = deliveries_of(transaction.connection, ids).await?;
    let pending = deliveries::lock_pending(transaction, delivery_ids.clone()).await?;
    let connection = &mut *transaction.connection;
    // The key may be the number itself. A repetition of the event is then a new event.
    sqlx::query("UPDATE events SET idempotency_key = NULL WHERE id = ANY($1)")
        .bind(numbers(ids))
        .execute(&mut *connection)
        .await?;
    remove_payloads(connection, &numbers(ids), RemovalReason::Erased, now).await?;
    let attempts = clean_attempts(connection, &delivery_ids, number).await?;
    sqlx::query("UPDATE deliveries SET note = coalesce(note || '; ', '') || $1 WHERE id = ANY($2)")
        .bind(NOTE)
        .bind(&delivery_ids)
        .execute(&mut *connection)
        .await?;
    // There is nothing left to send.
    deliveries::call_off(transaction, &pending, now).await?;
    forget_order_keys(transaction.connection, ids, number).await?;
    Ok(Erased {
        events: ids.len() as u64,
        cancelled: pending.len() as u64,
        attempts,
        ..Erased::default()
    })
}

/// Removes the order keys of events, since the erased number may be in them. Nothing waits by them any more.
async fn forget_order_keys(
    connection: &mut PgConnection,
    ids: &[EventId],
    number: &PhoneNumber,
) -> Result<(), StoreError> {
    let sql = "SELECT id, order_key FROM events WHERE id = ANY($1) AND order_key IS NOT NULL";
    let rows = sqlx::query(sql)
        .bind(numbers(ids))
        .fetch_all(&mut *connection)
        .await?;
    let mut affected: Vec<i64> = Vec::new();
    for row in &rows {
        if number.occurs_in(row.try_get::<&str, _>(1)?.as_bytes()) {
            affected.push(row.try_get(0)?);
        }
    }
    for sql in [
        "UPDATE events SET order_key = NULL WHERE id = ANY($1)",
        "UPDATE deliveries SET order_key = NULL WHERE event_id = ANY($1)",
    ] {
        sqlx::query(sql).bind(&affected).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn deliveries_of(connection: &mut PgConnection, ids: &[EventId]) -> Result<Vec<i64>, StoreError> {
    let rows = sqlx::query("SELECT id FROM deliveries WHERE event_id = ANY($1)")
        .bind(numbers(ids))
        .fetch_all(connection)
        .await?;
    let mut ids = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<Vec<i64>, _>>()?;
    ids.sort_unstable();
    Ok(ids)
}

/// Forgets what receivers answered, and of the rest what holds the number. Answers how many attempts that changed.
async fn clean_attempts(
    connection: &mut PgConnection,
    delivery_ids: &[i64],
    number: &PhoneNumber,
) -> Result<u64, StoreError> {
    let rows = sqlx::query(RECORDS)
        .bind(delivery_ids)
        .fetch_all(&mut *connection)
        .await?;
    let mut affected = Vec::new();
    for row in &rows {
        let record = AttemptRecord::read(row, number)?;
        if record.is_affected() {
            affected.push(record);
        }
    }
    let query = bind_columns!(sqlx::query(CLEAN), affected, |record| {
        i64: record.delivery_id,
        i64: record.number,
        Option<&str>: record.instead()[0],
        Option<&str>: record.instead()[1],
        Option<&str>: record.instead()[2],
    });
    query.execute(connection).await?;
    Ok(affected.len() as u64)
}

const RECORDS: &str = "SELECT delivery_id, number, coalesce(length(answer_body) > 0 OR answer_headers <> '{}', false)::int::bigint, \
     url, detail, request_headers FROM attempts WHERE delivery_id = ANY($1)";

const CLEAN: &str = "UPDATE attempts SET answer_body = NULL, \
     answer_headers = CASE WHEN answer_headers IS NOT NULL THEN '{}' END, url = coalesce(one.url, attempts.url), \
     detail = coalesce(one.detail, attempts.detail), \
     request_headers = coalesce(one.request_headers, attempts.request_headers) \
     FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[]) \
       AS one (delivery_id, number, url, detail, request_headers) \
     WHERE attempts.delivery_id = one.delivery_id AND attempts.number = one.number";
