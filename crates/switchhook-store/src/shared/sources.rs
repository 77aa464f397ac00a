//! Sources: where events come in from outside. What they did not take: `refusals.rs`.
//!
//! A source's row is locked by whoever changes it or its refusals.

use async_trait::async_trait;
use switchhook_domain::id::{CompanyId, RefusalId, SourceId};
use switchhook_domain::notification::SilentSource;
use switchhook_domain::source::{RecentRefusals, Refusal, RefusalBounds, Source, SourceChange};
use switchhook_domain::{Kind, Timestamp};

use super::refusals;
use crate::error::StoreError;
use crate::page::{Page, PageRequest, RefusalSlice};
use crate::row::secret;
use crate::row::source::{read, read_silent, source_columns};
use crate::sealing::Sealing;
use crate::sql::{Driver, Listing, Sql, SqlTransaction, Tasks, all, first, values};

/// Sources, and what they did not take.
#[async_trait]
pub trait SourceStore: Send + Sync {
    async fn create_source(&self, source: Source) -> Result<Source, StoreError>;
    /// One source of the company.
    async fn source(&self, company_id: CompanyId, id: SourceId) -> Result<Source, StoreError>;
    /// The source with a token of this hash.
    async fn find_source(&self, token_hash: [u8; 32]) -> Result<Option<Source>, StoreError>;
    /// The company's sources, oldest first.
    async fn list_sources(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<Source>, StoreError>;
    async fn count_sources(&self, company_id: CompanyId) -> Result<usize, StoreError>;
    async fn update_source(
        &self,
        company_id: CompanyId,
        id: SourceId,
        change: SourceChange,
        now: Timestamp,
    ) -> Result<Source, StoreError>;
    /// Deletes a source with its refusals and answers what it was. The events that came in by it stay.
    async fn delete_source(&self, company_id: CompanyId, id: SourceId) -> Result<Source, StoreError>;
    /// Keeps what a source did not take, and of its refusals the newest that `bounds` allow. Does nothing if the source is
    /// gone.
    async fn keep_refusal(&self, refusal: Refusal, bounds: RefusalBounds) -> Result<(), StoreError>;
    /// Some of a source's refusals, oldest first, whole. None are left after the last slice, which is empty.
    async fn read_refusals(
        &self,
        id: SourceId,
        after: Option<RefusalId>,
        most: RefusalSlice,
    ) -> Result<Vec<Refusal>, StoreError>;
    /// Writes down when the last event came in by each of these sources.
    async fn note_last_events(&self, last: Vec<(SourceId, Timestamp)>) -> Result<(), StoreError>;
    /// The sources of all companies whose last event is from before `before`, with whose they are.
    async fn silent_sources(&self, before: Timestamp) -> Result<Vec<(CompanyId, SilentSource)>, StoreError>;
    /// Removes refusals of a source that were taken after all.
    async fn forget_refusals(&self, id: SourceId, refusals: Vec<RefusalId>) -> Result<(), StoreError>;
    /// Removes the oldest refusals of before `before`, `most` at a time; answers how many.
    async fn forget_old_refusals(&self, before: Timestamp, most: u32) -> Result<u32, StoreError>;
    /// A source's refusals, newest first, with the heads of their bodies.
    async fn list_refusals(
        &self,
        company_id: CompanyId,
        id: SourceId,
        page: PageRequest,
    ) -> Result<Page<Refusal>, StoreError>;
    /// The company's sources that refused something since `since`, oldest first. Of each no more than `most` are counted.
    async fn refusing_sources(
        &self,
        company_id: CompanyId,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<RecentRefusals>, StoreError>;
}

#[async_trait]
impl<D: Driver> SourceStore for D {
    async fn create_source(&self, source: Source) -> Result<Source, StoreError> {
        self.keep((source, self.sealing()), |sql, (source, sealing)| {
            Box::pin(create(sql, source, sealing))
        })
        .await
    }

    async fn source(&self, company_id: CompanyId, id: SourceId) -> Result<Source, StoreError> {
        let given = (company_id, id, self.sealing());
        self.read(given, |sql, (company_id, id, sealing)| {
            Box::pin(find(sql, FIND, *company_id, *id, sealing))
        })
        .await
    }

    async fn find_source(&self, token_hash: [u8; 32]) -> Result<Option<Source>, StoreError> {
        let given = (token_hash, self.sealing());
        self.look_up(given, |sql, (token_hash, sealing)| {
            Box::pin(find_by_token(sql, token_hash, sealing))
        })
        .await
    }

    async fn list_sources(
        &self,
        company_id: CompanyId,
        page: PageRequest,
    ) -> Result<Page<Source>, StoreError> {
        let given = (company_id, page, self.sealing());
        self.read(given, |sql, (company_id, page, sealing)| {
            let listing = listing(*company_id).oldest_first(*page);
            Box::pin(listing.page(sql, |row| read(row, sealing), |source| source.id.0))
        })
        .await
    }

    async fn count_sources(&self, company_id: CompanyId) -> Result<usize, StoreError> {
        self.read(company_id, |sql, &company_id| Box::pin(count(sql, company_id)))
            .await
    }

    async fn update_source(
        &self,
        company_id: CompanyId,
        id: SourceId,
        change: SourceChange,
        now: Timestamp,
    ) -> Result<Source, StoreError> {
        let given = (company_id, id, change, now, self.sealing());
        self.keep(given, |sql, (company_id, id, change, now, sealing)| {
            Box::pin(update(sql, *company_id, *id, change, *now, sealing))
        })
        .await
    }

    async fn delete_source(&self, company_id: CompanyId, id: SourceId) -> Result<Source, StoreError> {
        let given = (company_id, id, self.sealing());
        self.keep(given, |sql, (company_id, id, sealing)| {
            Box::pin(delete(sql, *company_id, *id, sealing))
        })
        .await
    }

    async fn keep_refusal(&self, refusal: Refusal, bounds: RefusalBounds) -> Result<(), StoreError> {
        let bytes = refusal.body.len();
        self.keep_bytes(bytes, (refusal, bounds), |sql, (refusal, bounds)| {
            Box::pin(refusals::keep(sql, refusal, *bounds))
        })
        .await
    }

    async fn read_refusals(
        &self,
        id: SourceId,
        after: Option<RefusalId>,
        most: RefusalSlice,
    ) -> Result<Vec<Refusal>, StoreError> {
        self.read((id, after, most), |sql, &(id, after, most)| {
            Box::pin(refusals::read_some(sql, id, after, most))
        })
        .await
    }

    async fn note_last_events(&self, last: Vec<(SourceId, Timestamp)>) -> Result<(), StoreError> {
        self.keep(last, |sql, last| Box::pin(note_last_events(sql, last)))
            .await
    }

    async fn silent_sources(&self, before: Timestamp) -> Result<Vec<(CompanyId, SilentSource)>, StoreError> {
        self.read(before, |sql, &before| Box::pin(silent(sql, before)))
            .await
    }

    async fn forget_refusals(&self, id: SourceId, refusals: Vec<RefusalId>) -> Result<(), StoreError> {
        self.keep((id, refusals), |sql, (id, refusals)| {
            Box::pin(refusals::forget(sql, *id, refusals))
        })
        .await
    }

    async fn forget_old_refusals(&self, before: Timestamp, most: u32) -> Result<u32, StoreError> {
        self.keep((before, most), |sql, &(before, most)| {
            Box::pin(refusals::forget_old(sql, before, most))
        })
        .await
    }

    async fn list_refusals(
        &self,
        company_id: CompanyId,
        id: SourceId,
        page: PageRequest,
    ) -> Result<Page<Refusal>, StoreError> {
        self.read((company_id, id, page), |sql, &(company_id, id, page)| {
            Box::pin(refusals::list(sql, company_id, id, page))
        })
        .await
    }

    async fn refusing_sources(
        &self,
        company_id: CompanyId,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<RecentRefusals>, StoreError> {
        self.read((company_id, since, most), |sql, &(company_id, since, most)| {
            Box::pin(refusals::by_source(sql, company_id, since, most))
        })
        .await
    }
}

async fn create(
    sql: &mut dyn SqlTransaction,
    source: &Source,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    let insert = concat!(
        "INSERT INTO sources (",
        source_columns!(),
        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    );
    let values = values![
        source.id.0,
        source.company_id.0,
        &source.name,
        source.kind.map(Kind::route),
        &source.token_hash[..],
        secret::kept(source.id, source.secret.as_ref(), sealing),
        secret::kept_old(source.id, &source.old_secrets, sealing)?,
        source.created_at,
        source.updated_at,
    ];
    sql.execute(insert, values).await?;
    Ok(source.clone())
}

async fn update(
    sql: &mut dyn SqlTransaction,
    company_id: CompanyId,
    id: SourceId,
    change: &SourceChange,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    let before = find(sql, FIND_AND_LOCK, company_id, id, sealing).await?;
    let source = before.changed(change.clone(), now);
    let update =
        "UPDATE sources SET name = ?, kind = ?, secret = ?, old_secrets = ?, updated_at = ? WHERE id = ?";
    let values = values![
        &source.name,
        source.kind.map(Kind::route),
        secret::kept(id, source.secret.as_ref(), sealing),
        secret::kept_old(id, &source.old_secrets, sealing)?,
        source.updated_at,
        id.0,
    ];
    sql.execute(update, values).await?;
    Ok(source)
}

async fn delete(
    sql: &mut dyn SqlTransaction,
    company_id: CompanyId,
    id: SourceId,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    let source = find(sql, FIND_AND_LOCK, company_id, id, sealing).await?;
    sql.execute("DELETE FROM source_refusals WHERE source_id = ?", values![id.0])
        .await?;
    sql.execute("DELETE FROM sources WHERE id = ?", values![id.0])
        .await?;
    Ok(source)
}

async fn find(
    sql: &mut dyn Sql,
    select: &'static str,
    company_id: CompanyId,
    id: SourceId,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    let found = first(sql, select, values![id.0, company_id.0], |row| read(row, sealing)).await?;
    found.ok_or(StoreError::NotFound("source"))
}

const FIND: &str = concat!(
    "SELECT ",
    source_columns!(),
    " FROM sources WHERE id = ? AND company_id = ?"
);

const FIND_AND_LOCK: &str = concat!(
    "SELECT ",
    source_columns!(),
    " FROM sources WHERE id = ? AND company_id = ? FOR UPDATE"
);

async fn find_by_token(
    sql: &mut dyn Sql,
    token_hash: &[u8; 32],
    sealing: &Sealing,
) -> Result<Option<Source>, StoreError> {
    let select = concat!("SELECT ", source_columns!(), " FROM sources WHERE token_hash = ?");
    first(sql, select, values![&token_hash[..]], |row| read(row, sealing)).await
}

/// Writes down when the last event came in by each.
async fn note_last_events(
    sql: &mut dyn SqlTransaction,
    last: &[(SourceId, Timestamp)],
) -> Result<(), StoreError> {
    let mut last = last.to_vec();
    // Rows are locked in the order of their ids.
    last.sort_unstable();
    for (id, at) in last {
        let update =
            "UPDATE sources SET last_event_at = ?1 WHERE id = ?2 AND coalesce(last_event_at, 0) < ?1";
        sql.execute(update, values![at, id.0]).await?;
    }
    Ok(())
}

/// Those whose last event is from before `before`. Sources are few, and this is asked now and then.
async fn silent(sql: &mut dyn Sql, before: Timestamp) -> Result<Vec<(CompanyId, SilentSource)>, StoreError> {
    let select =
        "SELECT id, company_id, name, last_event_at FROM sources WHERE last_event_at < ? ORDER BY id";
    all(sql, select, values![before], read_silent).await
}

async fn count(sql: &mut dyn Sql, company_id: CompanyId) -> Result<usize, StoreError> {
    let count = first(sql, COUNT, values![company_id.0], |row| row.get::<i64>(0)).await?;
    Ok(count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0))
}

pub(crate) const COUNT: &str = "SELECT count(*) FROM sources WHERE company_id = ?";

pub(crate) fn listing(company_id: CompanyId) -> Listing {
    Listing::new(source_columns!(), "FROM sources WHERE true").along("company_id", Some(company_id.0))
}
