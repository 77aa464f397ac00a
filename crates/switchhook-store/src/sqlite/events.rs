//! Events: how they are found again. How they are kept: `record.rs`.

use bytes::Bytes;
use rusqlite::Connection;
use switchhook_domain::Kind;
use switchhook_domain::id::{CompanyId, EventId};

use super::list::{Listing, first};
use crate::error::StoreError;
use crate::event::{EventHead, EventRecord, LARGEST_EVENT_PAGE};
use crate::filter::EventFilter;
use crate::page::{Page, PageRequest};
use crate::row::Columns;
use crate::row::event::{COLUMNS, event_head_columns, read, read_head};

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
