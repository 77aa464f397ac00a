//! Feeds: companies whose events are all in their logs, and consumers, whose places in it are kept.

use std::collections::BTreeSet;

use async_trait::async_trait;
use switchhook_domain::Timestamp;
use switchhook_domain::id::CompanyId;

use crate::error::StoreError;
use crate::row::{Columns, Row};
use crate::sql::{Driver, Sql, SqlTransaction, Tasks, all, first, values};
use crate::websocket::{Consumer, ConsumerMove, LogPosition};

/// Feeds and their consumers.
#[async_trait]
pub trait FeedStore: Send + Sync {
    /// Has all events of the company be in its log from now on, whoever asked for them. Answers whether that is new.
    async fn open_feed(&self, company_id: CompanyId, now: Timestamp) -> Result<bool, StoreError>;
    /// Gives the company's last events that have no place in the log one, at most so many of them.
    async fn log_earlier_events(&self, company_id: CompanyId, most: u32) -> Result<(), StoreError>;
    /// The companies that keep a feed, or whether this one does.
    async fn feeds(&self, company_id: Option<CompanyId>) -> Result<BTreeSet<CompanyId>, StoreError>;
    /// Makes a consumer unless it is there; answers it as it is, and whether it was made.
    async fn create_consumer(&self, consumer: Consumer, most: u32) -> Result<(Consumer, bool), StoreError>;
    /// A consumer of the company.
    async fn consumer(&self, company_id: CompanyId, name: String) -> Result<Consumer, StoreError>;
    /// The company's consumers, by name: there are few.
    async fn list_consumers(&self, company_id: CompanyId) -> Result<Vec<Consumer>, StoreError>;
    /// Moves a consumer; answers it as it is then.
    async fn move_consumer(
        &self,
        company_id: CompanyId,
        name: String,
        to: ConsumerMove,
        now: Timestamp,
    ) -> Result<Consumer, StoreError>;
    /// Forgets a consumer; answers what it was.
    async fn delete_consumer(&self, company_id: CompanyId, name: String) -> Result<Consumer, StoreError>;
}

#[async_trait]
impl<D: Driver> FeedStore for D {
    async fn open_feed(&self, company_id: CompanyId, now: Timestamp) -> Result<bool, StoreError> {
        self.register((company_id, now), |sql, &(company_id, now)| {
            Box::pin(open(sql, company_id, now))
        })
        .await
    }

    async fn log_earlier_events(&self, company_id: CompanyId, most: u32) -> Result<(), StoreError> {
        self.register((company_id, most), |sql, &(company_id, most)| {
            Box::pin(log_earlier(sql, company_id, most))
        })
        .await
    }

    async fn feeds(&self, company_id: Option<CompanyId>) -> Result<BTreeSet<CompanyId>, StoreError> {
        self.read(company_id, |sql, &company_id| {
            Box::pin(list_feeds(sql, company_id))
        })
        .await
    }

    async fn create_consumer(&self, consumer: Consumer, most: u32) -> Result<(Consumer, bool), StoreError> {
        self.register((consumer, most), |sql, (consumer, most)| {
            Box::pin(create(sql, consumer, *most))
        })
        .await
    }

    async fn consumer(&self, company_id: CompanyId, name: String) -> Result<Consumer, StoreError> {
        self.read((company_id, name), |sql, (company_id, name)| {
            Box::pin(find(sql, *company_id, name))
        })
        .await
    }

    async fn list_consumers(&self, company_id: CompanyId) -> Result<Vec<Consumer>, StoreError> {
        self.read(company_id, |sql, &company_id| Box::pin(list(sql, company_id)))
            .await
    }

    async fn move_consumer(
        &self,
        company_id: CompanyId,
        name: String,
        to: ConsumerMove,
        now: Timestamp,
    ) -> Result<Consumer, StoreError> {
        let given = (company_id, name, to, now);
        self.keep(given, |sql, (company_id, name, to, now)| {
            Box::pin(place(sql, *company_id, name, *to, *now))
        })
        .await
    }

    async fn delete_consumer(&self, company_id: CompanyId, name: String) -> Result<Consumer, StoreError> {
        self.keep((company_id, name), |sql, (company_id, name)| {
            Box::pin(delete(sql, *company_id, name))
        })
        .await
    }
}

async fn open(
    sql: &mut dyn SqlTransaction,
    company_id: CompanyId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let insert =
        "INSERT INTO feeds (company_id, opened_at) VALUES (?, ?) ON CONFLICT (company_id) DO NOTHING";
    let made = sql.execute(insert, values![company_id.0, now]).await?;
    if made > 0 {
        sql.registry_changed(company_id).await?;
    }
    Ok(made > 0)
}

/// Each gets its own id as its place, or the next free one: before what comes from now on, and in their order.
async fn log_earlier(
    sql: &mut dyn SqlTransaction,
    company_id: CompanyId,
    most: u32,
) -> Result<(), StoreError> {
    let mut ids: Vec<i64> = all(sql, UNLOGGED, values![company_id.0, most], |row| row.get(0)).await?;
    ids.reverse();
    let Some(first_id) = ids.first().copied() else {
        return Ok(());
    };
    let taken: Vec<i64> = all(sql, TAKEN, values![company_id.0, first_id], |row| row.get(0)).await?;
    let taken: BTreeSet<_> = taken.into_iter().collect();
    let mut last = first_id - 1;
    for id in ids {
        let mut position = id.max(last + 1);
        while taken.contains(&position) {
            position += 1;
        }
        last = position;
        let update = "UPDATE events SET position = ? WHERE id = ? AND position IS NULL";
        sql.execute(update, values![position, id]).await?;
    }
    Ok(())
}

pub(crate) const UNLOGGED: &str =
    "SELECT id FROM events WHERE company_id = ? AND position IS NULL ORDER BY id DESC LIMIT ?";

pub(crate) const TAKEN: &str = "SELECT position FROM events INDEXED BY events_by_position \
     WHERE company_id = ? AND position >= ? AND position IS NOT NULL";

async fn list_feeds(
    sql: &mut dyn Sql,
    company_id: Option<CompanyId>,
) -> Result<BTreeSet<CompanyId>, StoreError> {
    let select = "SELECT company_id FROM feeds WHERE company_id >= ? AND company_id <= ?";
    let (from, to) = company_id.map_or((i64::MIN, i64::MAX), |id| (id.0, id.0));
    let found = all(sql, select, values![from, to], |row| Ok(CompanyId(row.get(0)?))).await?;
    Ok(found.into_iter().collect())
}

macro_rules! consumer_columns {
    () => {
        "company_id, name, position, created_at, updated_at"
    };
}

fn read(row: &Row<'_>) -> Result<Consumer, StoreError> {
    let mut columns = Columns::of("consumers", row)?;
    Ok(Consumer {
        company_id: CompanyId(columns.id()),
        name: columns.read()?,
        position: LogPosition(columns.read()?),
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

async fn create(
    sql: &mut dyn SqlTransaction,
    consumer: &Consumer,
    most: u32,
) -> Result<(Consumer, bool), StoreError> {
    let company_id = consumer.company_id;
    match find(sql, company_id, &consumer.name).await {
        Err(StoreError::NotFound(_)) => {}
        found => return Ok((found?, false)),
    }
    let count = "SELECT count(*) FROM consumers WHERE company_id = ?";
    let there: i64 = first(sql, count, values![company_id.0], |row| row.get(0))
        .await?
        .unwrap_or(0);
    if there >= i64::from(most) {
        return Err(StoreError::LimitReached(format!(
            "this company has {there} consumers, which is as many as it may have: delete one first"
        )));
    }
    let insert = concat!(
        "INSERT INTO consumers (",
        consumer_columns!(),
        ") VALUES (?, ?, ?, ?, ?)"
    );
    let values = values![
        company_id.0,
        &consumer.name,
        consumer.position.0,
        consumer.created_at,
        consumer.updated_at,
    ];
    sql.execute(insert, values).await?;
    Ok((consumer.clone(), true))
}

async fn find(sql: &mut dyn Sql, company_id: CompanyId, name: &str) -> Result<Consumer, StoreError> {
    let select = concat!(
        "SELECT ",
        consumer_columns!(),
        " FROM consumers WHERE company_id = ? AND name = ?"
    );
    let found = first(sql, select, values![company_id.0, name], read).await?;
    found.ok_or(StoreError::NotFound("consumer"))
}

async fn list(sql: &mut dyn Sql, company_id: CompanyId) -> Result<Vec<Consumer>, StoreError> {
    let select = concat!(
        "SELECT ",
        consumer_columns!(),
        " FROM consumers WHERE company_id = ? ORDER BY name"
    );
    all(sql, select, values![company_id.0], read).await
}

const ACKNOWLEDGE: &str = "UPDATE consumers SET position = ?1, updated_at = ?2 \
     WHERE company_id = ?3 AND name = ?4 AND position < ?1";

const SEEK: &str = "UPDATE consumers SET position = ?1, updated_at = ?2 WHERE company_id = ?3 AND name = ?4";

async fn place(
    sql: &mut dyn SqlTransaction,
    company_id: CompanyId,
    name: &str,
    to: ConsumerMove,
    now: Timestamp,
) -> Result<Consumer, StoreError> {
    let (update, position) = match to {
        ConsumerMove::Acknowledged(position) => (ACKNOWLEDGE, position),
        ConsumerMove::Seeked(position) => (SEEK, position),
    };
    sql.execute(update, values![position.0, now, company_id.0, name])
        .await?;
    find(sql, company_id, name).await
}

async fn delete(
    sql: &mut dyn SqlTransaction,
    company_id: CompanyId,
    name: &str,
) -> Result<Consumer, StoreError> {
    let consumer = find(sql, company_id, name).await?;
    let delete = "DELETE FROM consumers WHERE company_id = ? AND name = ?";
    sql.execute(delete, values![company_id.0, name]).await?;
    Ok(consumer)
}
