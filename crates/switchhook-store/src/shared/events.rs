//! Events and deliveries: how they are found again. How they come into being is the drivers' to know.

use std::cmp::Reverse;
use std::collections::HashMap;

use async_trait::async_trait;
use switchhook_domain::Kind;
use switchhook_domain::attempt::Attempt;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{CompanyId, DeliveryId, EventId};

use super::deliveries;
use crate::attempt::{FailedAttempts, LastAttempt};
use crate::error::StoreError;
use crate::event::{EventHead, EventRecord, LARGEST_EVENT_PAGE, LARGEST_SMALL_EVENT, LARGEST_SMALL_EVENTS};
use crate::filter::{DeliveryFilter, EventFilter};
use crate::page::{Page, PageRequest};
use crate::row::Row;
use crate::row::event::{event_columns, event_head_columns, read, read_head};
use crate::sql::{Driver, Listing, Sql, Tasks, all, first, readable, values};

/// Events, their deliveries, and the attempts at them.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// One event of the company.
    async fn event(&self, company_id: CompanyId, id: EventId) -> Result<EventRecord, StoreError>;
    /// The company's events, newest first. A page of large ones has fewer of them than asked for: at most one more than
    /// fit into [`LARGEST_EVENT_PAGE`].
    async fn list_events(
        &self,
        company_id: CompanyId,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<EventRecord>, StoreError>;
    /// The same without their bytes, which are not even read.
    async fn list_event_heads(
        &self,
        company_id: CompanyId,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<EventHead>, StoreError>;
    /// Those of the company's events with these ids that are small, in any order, for lists that say what is in them: each of at
    /// most [`LARGEST_SMALL_EVENT`] bytes, and the first of `ids` that have no more than [`LARGEST_SMALL_EVENTS`] together.
    async fn small_events(
        &self,
        company_id: CompanyId,
        ids: Vec<EventId>,
    ) -> Result<Vec<EventRecord>, StoreError>;
    /// One delivery of the company.
    async fn delivery(&self, company_id: CompanyId, id: DeliveryId) -> Result<Delivery, StoreError>;
    /// The company's deliveries, newest first.
    async fn list_deliveries(
        &self,
        company_id: CompanyId,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<Delivery>, StoreError>;
    /// Those of the company's deliveries with these ids, newest first.
    async fn deliveries(
        &self,
        company_id: CompanyId,
        ids: Vec<DeliveryId>,
    ) -> Result<Vec<Delivery>, StoreError>;
    /// Failed attempts at the company's deliveries, newest delivery first: for a page of deliveries, or for fewer if
    /// many attempts failed.
    async fn failed_attempts(
        &self,
        company_id: CompanyId,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<FailedAttempts, StoreError>;
    /// A delivery's finished attempts, first to last.
    async fn attempts_of(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError>;
    /// The last finished attempt of each of these deliveries that has one.
    async fn last_attempts(&self, ids: Vec<DeliveryId>) -> Result<Vec<LastAttempt>, StoreError>;
}

#[async_trait]
impl<D: Driver> EventStore for D {
    async fn event(&self, company_id: CompanyId, id: EventId) -> Result<EventRecord, StoreError> {
        self.read((company_id, id), |sql, &(company_id, id)| {
            Box::pin(find(sql, company_id, id))
        })
        .await
    }

    async fn list_events(
        &self,
        company_id: CompanyId,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<EventRecord>, StoreError> {
        let given = (company_id, filter, page);
        self.read(given, |sql, (company_id, filter, page)| {
            Box::pin(list(sql, *company_id, filter, *page))
        })
        .await
    }

    async fn list_event_heads(
        &self,
        company_id: CompanyId,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<EventHead>, StoreError> {
        let given = (company_id, filter, page);
        self.read(given, |sql, (company_id, filter, page)| {
            let listing = listing(event_head_columns!(), *company_id, filter).newest_first(*page);
            Box::pin(listing.page_of_readable(sql, read_head))
        })
        .await
    }

    async fn small_events(
        &self,
        company_id: CompanyId,
        ids: Vec<EventId>,
    ) -> Result<Vec<EventRecord>, StoreError> {
        self.read((company_id, ids), |sql, (company_id, ids)| {
            Box::pin(small(sql, *company_id, ids))
        })
        .await
    }

    async fn delivery(&self, company_id: CompanyId, id: DeliveryId) -> Result<Delivery, StoreError> {
        self.read((company_id, id), |sql, &(company_id, id)| {
            Box::pin(deliveries::find(sql, company_id, id))
        })
        .await
    }

    async fn list_deliveries(
        &self,
        company_id: CompanyId,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<Delivery>, StoreError> {
        let given = (company_id, filter, page);
        self.read(given, |sql, (company_id, filter, page)| {
            Box::pin(deliveries::list(sql, *company_id, filter, *page))
        })
        .await
    }

    async fn deliveries(
        &self,
        company_id: CompanyId,
        ids: Vec<DeliveryId>,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.read((company_id, ids), |sql, (company_id, ids)| {
            Box::pin(deliveries::with_ids(sql, *company_id, ids))
        })
        .await
    }

    async fn failed_attempts(
        &self,
        company_id: CompanyId,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<FailedAttempts, StoreError> {
        let given = (company_id, filter, page);
        self.read(given, |sql, (company_id, filter, page)| {
            Box::pin(deliveries::failed_attempts(sql, *company_id, filter, *page))
        })
        .await
    }

    async fn attempts_of(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        self.read(id, |sql, &id| Box::pin(deliveries::attempts_of(sql, id)))
            .await
    }

    async fn last_attempts(&self, ids: Vec<DeliveryId>) -> Result<Vec<LastAttempt>, StoreError> {
        self.read(ids, |sql, ids| Box::pin(deliveries::last_attempts(sql, ids)))
            .await
    }
}

pub(super) async fn find(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    id: EventId,
) -> Result<EventRecord, StoreError> {
    let select = concat!(
        "SELECT ",
        event_columns!(),
        " FROM events WHERE id = ? AND company_id = ?"
    );
    first(sql, select, values![id.0, company_id.0], read)
        .await?
        .ok_or(StoreError::NotFound("event"))
}

/// Bytes are counted where they are, so that no more of them travel than are wanted.
async fn list(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    filter: &EventFilter,
    page: PageRequest,
) -> Result<Page<EventRecord>, StoreError> {
    let sizes = listing(SIZE_COLUMNS, company_id, filter).newest_first(page);
    let sizes = sizes
        .page(sql, |row| Ok((row.get(0)?, row.get::<usize>(1)?)), |(id, _)| *id)
        .await?;
    let (mut ids, mut bytes, mut next) = (Vec::new(), 0_usize, sizes.next);
    for (id, size) in sizes.items {
        if bytes >= LARGEST_EVENT_PAGE {
            next = ids.last().copied();
            break;
        }
        ids.push(id);
        bytes += size;
    }
    let mut items = readable(sql, WITH_IDS, values![ids], read).await?;
    items.sort_unstable_by_key(|event| Reverse(event.id));
    Ok(Page { items, next })
}

/// As with lists, no bytes travel that are not wanted.
async fn small(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    ids: &[EventId],
) -> Result<Vec<EventRecord>, StoreError> {
    let numbers: Vec<_> = ids.iter().map(|id| id.0).collect();
    let size = |row: &Row<'_>| Ok((row.get::<i64>(0)?, row.get::<usize>(1)?));
    let sizes = all(sql, SIZES, values![numbers, company_id.0], size).await?;
    let sizes: HashMap<_, _> = sizes.into_iter().collect();
    let (mut wanted, mut together) = (Vec::new(), 0);
    for id in ids.iter().map(|id| id.0) {
        let Some(size) = sizes.get(&id).filter(|size| **size <= LARGEST_SMALL_EVENT) else {
            continue;
        };
        together += size;
        if together > LARGEST_SMALL_EVENTS {
            break;
        }
        wanted.push(id);
    }
    readable(sql, WITH_IDS, values![wanted], read).await
}

/// The sum keeps both databases from the company's own index.
pub(crate) const SIZES: &str =
    "SELECT id, CAST(octet_length(body) AS BIGINT) FROM events WHERE id = ANY(?) AND company_id + 0 = ?";

pub(crate) const SIZE_COLUMNS: &str = "id, CAST(octet_length(body) AS BIGINT)";

pub(crate) const WITH_IDS: &str = concat!("SELECT ", event_columns!(), " FROM events WHERE id = ANY(?)");

pub(crate) fn listing(columns: &'static str, company_id: CompanyId, filter: &EventFilter) -> Listing {
    Listing::new(columns, "FROM events INDEXED BY events_by_company WHERE true")
        .along("company_id", Some(company_id.0))
        .narrowed("order_key", filter.order_key.as_ref().map(ToString::to_string))
        .narrowed("kind", filter.kind.map(Kind::route))
        .between(filter.since, filter.until)
}
