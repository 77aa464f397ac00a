//! Removing what is too old, and dropping the payloads of what is delivered: found by reading, and looked at again, with
//! the events locked, before anything goes.

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{EventId, first_id_at};

use super::columns::unprepared;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::removal_rules::{ExaminedEvent, LOOK_AT, RemovableEvents};
use crate::retention::{PayloadSlice, RemovalReason, RemovalSlice, Removed};

/// The first events that can be removed.
pub(super) async fn removable(
    connection: &mut PgConnection,
    slice: RemovalSlice,
) -> Result<RemovableEvents, StoreError> {
    let rows = unprepared(OLDEST)
        .bind(slice.before.as_millis())
        .bind(slice.after.map_or(0, |id| id.0))
        .bind(first_id_at(slice.before))
        .bind(i64::from(LOOK_AT))
        .fetch_all(connection)
        .await?;
    Ok(RemovableEvents::removable(&seen(&rows)?, slice))
}

fn seen(rows: &[PgRow]) -> Result<Vec<ExaminedEvent>, StoreError> {
    rows.iter().map(|row| ExaminedEvent::read(row)).collect()
}

/// A column: whether there is a delivery of the event that `$condition` says. Its `LIMIT` keeps the planner from reading
/// all deliveries at once instead of those of each event.
macro_rules! whether {
    ($condition:literal) => {
        concat!(
            "CROSS JOIN LATERAL (SELECT count(*) AS needs FROM (SELECT FROM deliveries WHERE event_id = events.id AND (",
            $condition,
            ") LIMIT 1) AS one) AS needing"
        )
    };
}

/// Condition for keeping an event: a delivery that is pending, open, or ended recently.
macro_rules! needs_event {
    () => {
        whether!("state = 'pending' OR claimed_by IS NOT NULL OR ended_at >= $1")
    };
}

/// Condition for keeping a payload: a delivery that is pending, or that was given up and may be redelivered.
macro_rules! needs_payload {
    () => {
        whether!("state IN ('pending', 'exhausted') OR claimed_by IS NOT NULL")
    };
}

const OLDEST: &str = concat!(
    "SELECT id, needs, octet_length(body)::bigint FROM (\
     SELECT id, body FROM events WHERE id > $2 AND id < $3 ORDER BY id LIMIT $4) AS events ",
    needs_event!(),
    " ORDER BY id"
);

/// Removes events with their deliveries and attempts, unless something needs them by now.
pub(super) async fn remove(
    transaction: &mut Transaction<'_>,
    ids: &[EventId],
    before: Timestamp,
) -> Result<Removed, StoreError> {
    let connection = &mut *transaction.connection;
    lock(connection, ids).await?;
    let rows = sqlx::query(UNNEEDED)
        .bind(before.as_millis())
        .bind(numbers(ids))
        .fetch_all(&mut *connection)
        .await?;
    let event_ids = first_cells(&rows)?;
    let rows = sqlx::query("DELETE FROM deliveries WHERE event_id = ANY($1) RETURNING id")
        .bind(&event_ids)
        .fetch_all(&mut *connection)
        .await?;
    let attempts = sqlx::query("DELETE FROM attempts WHERE delivery_id = ANY($1)")
        .bind(first_cells(&rows)?)
        .execute(&mut *connection)
        .await?;
    let events = sqlx::query("DELETE FROM events WHERE id = ANY($1)")
        .bind(&event_ids)
        .execute(&mut *connection)
        .await?;
    Ok(Removed {
        events: events.rows_affected(),
        deliveries: rows.len() as u64,
        attempts: attempts.rows_affected(),
        next: None,
    })
}

/// Waits until nobody makes deliveries of the events, so that what is seen of them afterwards stays so until the commit.
pub(super) async fn lock(connection: &mut PgConnection, ids: &[EventId]) -> Result<(), StoreError> {
    sqlx::query("SELECT FROM events WHERE id = ANY($1) ORDER BY id FOR UPDATE")
        .bind(numbers(ids))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) fn numbers(ids: &[EventId]) -> Vec<i64> {
    ids.iter().map(|id| id.0).collect()
}

fn first_cells(rows: &[PgRow]) -> Result<Vec<i64>, StoreError> {
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

const UNNEEDED: &str = concat!(
    "SELECT id FROM events ",
    needs_event!(),
    " WHERE id = ANY($2) AND needs = 0"
);

/// The events of a slice that have a payload and need it no longer.
pub(super) async fn droppable(
    connection: &mut PgConnection,
    slice: PayloadSlice,
) -> Result<RemovableEvents, StoreError> {
    let rows = unprepared(WITH_PAYLOAD)
        .bind(slice.company_id.0)
        .bind(slice.after.map_or(0, |id| id.0))
        .bind(i64::from(slice.limit))
        .fetch_all(connection)
        .await?;
    Ok(RemovableEvents::droppable(&seen(&rows)?, slice.limit))
}

/// Bounds and order name the whole index, as `sql/listing.rs` says why.
const WITH_PAYLOAD: &str = concat!(
    "SELECT id, needs + (payload_removed_at IS NOT NULL)::int, 0::bigint FROM (\
     SELECT id, payload_removed_at FROM events WHERE (company_id, id) > ($1, $2) AND (company_id, id) < ($1 + 1, 0) \
     ORDER BY company_id, id LIMIT $3) AS events ",
    needs_payload!(),
    " ORDER BY id"
);

/// Takes the payloads out of events, and what receivers answered: they may repeat what they got.
pub(super) async fn drop_payloads(
    transaction: &mut Transaction<'_>,
    ids: &[EventId],
    now: Timestamp,
) -> Result<u64, StoreError> {
    lock(transaction.connection, ids).await?;
    let rows = sqlx::query(UNNEEDED_PAYLOAD)
        .bind(numbers(ids))
        .fetch_all(&mut *transaction.connection)
        .await?;
    let ids = first_cells(&rows)?;
    sqlx::query(FORGET_ANSWERS)
        .bind(&ids)
        .execute(&mut *transaction.connection)
        .await?;
    remove_payloads(transaction.connection, &ids, RemovalReason::Delivered, now).await
}

const UNNEEDED_PAYLOAD: &str = concat!(
    "SELECT id FROM events ",
    needs_payload!(),
    " WHERE id = ANY($1) AND needs = 0"
);

const FORGET_ANSWERS: &str = "UPDATE attempts SET answer_body = NULL, answer_headers = '{}' WHERE answer_headers IS NOT NULL \
     AND delivery_id = ANY(ARRAY(SELECT id FROM deliveries WHERE event_id = ANY($1)))";

/// Takes the payloads of events out, and the warnings, which may quote them. Answers how many there were.
pub(super) async fn remove_payloads(
    connection: &mut PgConnection,
    ids: &[i64],
    reason: RemovalReason,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let sql = "UPDATE events SET body = '', warnings = NULL, payload_removed_at = $1, payload_removed_for = $2 \
               WHERE id = ANY($3) AND payload_removed_at IS NULL";
    let changed = sqlx::query(sql)
        .bind(now.as_millis())
        .bind(reason.as_str())
        .bind(ids)
        .execute(connection)
        .await?;
    Ok(changed.rows_affected())
}
