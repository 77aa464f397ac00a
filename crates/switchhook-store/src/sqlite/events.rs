//! Events: keeping them with their deliveries, and finding them again.

use bytes::Bytes;
use rusqlite::{Connection, params};
use switchhook_domain::Kind;
use switchhook_domain::id::{CompanyId, EventId};
use switchhook_domain::order::OrderKey;

use super::list::{Listing, first};
use super::row::Verbatim;
use super::transaction::Transaction;
use super::{deliveries, log};
use crate::error::StoreError;
use crate::event::{EventHead, EventRecord, Idempotency, LARGEST_EVENT_PAGE, NewEvent, Recorded};
use crate::filter::EventFilter;
use crate::page::{Page, PageRequest};
use crate::row::Columns;
use crate::row::event::{COLUMNS, event_columns, event_head_columns, read, read_head, warnings};

/// Keeps events, each with its deliveries.
pub(super) fn record(
    transaction: &mut Transaction<'_>,
    events: &[NewEvent],
) -> Result<Vec<Recorded>, StoreError> {
    events
        .iter()
        .map(|event| record_one(transaction, event))
        .collect()
}

fn record_one(transaction: &mut Transaction<'_>, event: &NewEvent) -> Result<Recorded, StoreError> {
    if let Some(idempotency) = &event.idempotency
        && let Some(answer) = answer_to_repetition(transaction, event, idempotency)?
    {
        return Ok(answer);
    }
    insert(transaction, event)?;
    for (ordinal, delivery) in (0..).zip(&event.deliveries) {
        deliveries::create(transaction, event, delivery, ordinal)?;
    }
    Ok(Recorded::Kept)
}

fn insert(transaction: &mut Transaction<'_>, event: &NewEvent) -> Result<(), StoreError> {
    let position = log::next(transaction, event)?;
    transaction.hot(INSERT)?.execute(params![
        event.id.0,
        event.company_id.0,
        event.kind.route(),
        event.accepted_at.as_millis(),
        event.order_key.as_ref().map(OrderKey::as_str),
        event.idempotency.as_ref().map(|idempotency| &*idempotency.key),
        warnings(&event.warnings)?,
        Verbatim(&event.body),
        event.revision.0,
        position,
    ])?;
    Ok(())
}

const INSERT: &str = "INSERT INTO events (id, company_id, kind, accepted_at, order_key, idempotency_key, warnings, body, \
     revision, position) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// The answer if the key was used before. A use too long ago is forgotten, so that the key is free again.
fn answer_to_repetition(
    transaction: &mut Transaction<'_>,
    event: &NewEvent,
    idempotency: &Idempotency,
) -> Result<Option<Recorded>, StoreError> {
    let connection = transaction.connection;
    let Some(earlier) = first(
        connection,
        BY_IDEMPOTENCY_KEY,
        &[&event.company_id.0, &idempotency.key],
        read,
    )?
    else {
        return Ok(None);
    };
    if earlier.accepted_at < idempotency.not_before {
        let sql = "UPDATE events SET idempotency_key = NULL WHERE id = ?";
        transaction.prepare(sql)?.execute(params![earlier.id.0])?;
        return Ok(None);
    }
    // Of a payload that was removed nobody can tell whether it was the same. The key says that it was.
    if earlier.payload_removed.is_none() && earlier.body != event.body {
        return Ok(Some(Recorded::KeyReused));
    }
    transaction.write_deferred()?;
    let deliveries = deliveries::originals_of(connection, earlier.id)?;
    Ok(Some(Recorded::Repeated {
        event: earlier,
        deliveries,
    }))
}

pub(super) const BY_IDEMPOTENCY_KEY: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM events WHERE company_id = ? AND idempotency_key = ?"
);

pub(super) fn find(
    connection: &Connection,
    company_id: CompanyId,
    id: EventId,
) -> Result<EventRecord, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE id = ? AND company_id = ?");
    first(connection, &sql, &[&id.0, &company_id.0], read)?.ok_or(StoreError::NotFound("event"))
}

/// The bytes of an event.
pub(super) fn body(connection: &Connection, id: EventId) -> Result<Option<Bytes>, StoreError> {
    first(
        connection,
        "SELECT id, body FROM events WHERE id = ?",
        &[&id.0],
        |row| Ok(Bytes::copy_from_slice(Columns::of("events", row)?.bytes()?)),
    )
}

pub(super) fn list(
    connection: &Connection,
    company_id: CompanyId,
    filter: &EventFilter,
    page: PageRequest,
) -> Result<Page<EventRecord>, StoreError> {
    listing(COLUMNS, company_id, filter)
        .newest_first(page)
        .page_of_readable_within(LARGEST_EVENT_PAGE, connection, read, |event| event.body.len())
}

pub(super) fn list_heads(
    connection: &Connection,
    company_id: CompanyId,
    filter: &EventFilter,
    page: PageRequest,
) -> Result<Page<EventHead>, StoreError> {
    listing(event_head_columns!(), company_id, filter)
        .newest_first(page)
        .page_of_readable(connection, read_head)
}

pub(super) fn listing(columns: &str, company_id: CompanyId, filter: &EventFilter) -> Listing {
    Listing::new(
        columns,
        "FROM events INDEXED BY events_by_company WHERE company_id = ?",
    )
    .with(company_id.0)
    .narrowed(
        "order_key = ?",
        filter.order_key.as_ref().map(ToString::to_string),
    )
    .narrowed("kind = ?", filter.kind.map(Kind::route))
    .between(filter.since, filter.until)
}
