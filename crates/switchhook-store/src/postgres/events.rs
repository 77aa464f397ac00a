//! Events: how they are found again. How they are kept: `record.rs`.

use std::collections::{HashMap, HashSet};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::Kind;
use switchhook_domain::id::{CompanyId, EventId};
use switchhook_domain::order::OrderKey;

use super::list::{Listing, first};
use crate::error::StoreError;
use crate::event::{EventHead, EventRecord, LARGEST_EVENT_PAGE};
use crate::filter::EventFilter;
use crate::page::{Page, PageRequest};
use crate::row::event::{COLUMNS, event_columns, event_head_columns, read, read_head};

/// The bytes of events.
pub(super) async fn bodies(
    connection: &mut PgConnection,
    ids: Vec<i64>,
) -> Result<HashMap<EventId, bytes::Bytes>, StoreError> {
    let rows = sqlx::query("SELECT id, body FROM events WHERE id = ANY($1)")
        .bind(ids)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let body: &str = row.try_get(1)?;
            Ok((
                EventId(row.try_get(0)?),
                bytes::Bytes::copy_from_slice(body.as_bytes()),
            ))
        })
        .collect()
}

/// Locks events, so that nobody removes them or their payloads until the commit, and nobody else makes deliveries of them.
/// Answers which still have their payloads.
pub(super) async fn lock_with_payload(
    connection: &mut PgConnection,
    ids: &[i64],
) -> Result<HashSet<EventId>, StoreError> {
    let sql = "SELECT id, payload_removed_at FROM events WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";
    let rows = sqlx::query(sql).bind(ids).fetch_all(connection).await?;
    let mut with_payload = HashSet::new();
    for row in &rows {
        if row.try_get::<Option<i64>, _>(1)?.is_none() {
            with_payload.insert(EventId(row.try_get(0)?));
        }
    }
    Ok(with_payload)
}

pub(super) async fn find(
    connection: &mut PgConnection,
    company_id: CompanyId,
    id: EventId,
) -> Result<EventRecord, StoreError> {
    let sql = concat!(
        "SELECT ",
        event_columns!(),
        " FROM events WHERE id = $1 AND company_id = $2"
    );
    let query = sqlx::query(sql).bind(id.0).bind(company_id.0);
    first(connection, query, read)
        .await?
        .ok_or(StoreError::NotFound("event"))
}

pub(super) async fn list(
    connection: &mut PgConnection,
    company_id: CompanyId,
    filter: &EventFilter,
    page: PageRequest,
) -> Result<Page<EventRecord>, StoreError> {
    listing("*", company_id, filter, page)
        .within_bytes(COLUMNS, LARGEST_EVENT_PAGE)
        .page_of_readable(connection, read)
        .await
}

pub(super) async fn list_heads(
    connection: &mut PgConnection,
    company_id: CompanyId,
    filter: &EventFilter,
    page: PageRequest,
) -> Result<Page<EventHead>, StoreError> {
    listing(event_head_columns!(), company_id, filter, page)
        .page_of_readable(connection, read_head)
        .await
}

fn listing(columns: &str, company_id: CompanyId, filter: &EventFilter, page: PageRequest) -> Listing {
    let path = vec![("company_id", company_id.0.into())];
    let of = "FROM events WHERE true".to_owned();
    Listing::along(columns, of, company_id, path)
        .with_equal("order_key", filter.order_key.as_ref().map(OrderKey::as_str))
        .with_equal("kind", filter.kind.map(Kind::route))
        .newest_first_of(filter.since, filter.until, page)
}
