//! This process as one of the store's nodes: its number, its part of the ids, and that it is alive.
//!
//! A node's number is never used again, so that what an earlier life, or one that was given up as dead, says of its
//! claims counts for nothing. Whether a node lives is judged by the database's clock: the machines' may differ.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Acquire, Row};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{IdSequence, SLOTS};

use super::transaction::{Lock, lock};
use super::{health, recovery};
use crate::error::StoreError;

/// Interval of a node's sign of life.
pub(super) const SAYS_SO_EVERY: Duration = Duration::from_secs(2);

/// After how long a silence a node does not count when work is shared out.
const COUNTS_FOR_MS: i64 = 10_000;

/// After how long a silence a node is given up, so that its part of the ids is free.
const GIVEN_UP_AFTER_MS: i64 = 3_600_000;

/// The database's clock, in unix milliseconds.
macro_rules! database_now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}

/// This process as one of the nodes.
pub(super) struct Node {
    id: AtomicI64,
    nodes: AtomicU32,
    name: String,
    pub(super) ids: Arc<IdSequence>,
}

/// Time in the database.
pub(super) async fn time(connection: &mut PgConnection) -> Result<Timestamp, StoreError> {
    let sql = concat!("SELECT ", database_now!());
    let row = sqlx::query(sql).fetch_one(connection).await?;
    Ok(Timestamp::from_millis(row.try_get(0)?))
}

impl Node {
    /// Registers this process, and closes what nodes that have ended left open.
    pub(super) async fn join(connection: &mut PgConnection, now: Timestamp) -> Result<Self, StoreError> {
        let name = name();
        let (id, slot) = register(connection, &name).await?;
        while recovery::close_some_of_ended_nodes(connection, now).await? {}
        let ids = IdSequence::of_slot(slot, health::last_id(connection).await?);
        Ok(Self {
            id: AtomicI64::new(id),
            nodes: AtomicU32::new(1),
            name,
            ids: Arc::new(ids),
        })
    }

    pub(super) fn id(&self) -> i64 {
        self.id.load(Ordering::Relaxed)
    }

    /// Number of live nodes, including this one.
    pub(super) fn nodes(&self) -> u32 {
        self.nodes.load(Ordering::Relaxed)
    }

    /// Says that it is alive. One that was given up meanwhile goes on as a new node.
    pub(super) async fn say_alive(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let sql = concat!(
            "UPDATE nodes SET seen_at = ",
            database_now!(),
            " WHERE id = $1 AND ended_at IS NULL"
        );
        let seen = sqlx::query(sql).bind(self.id()).execute(&mut *connection).await?;
        if seen.rows_affected() == 0 {
            let (id, slot) = register(connection, &self.name).await?;
            tracing::warn!(
                node = id,
                before = self.id(),
                "this node was given up as dead; it goes on as a new one"
            );
            self.id.store(id, Ordering::Relaxed);
            self.ids.move_to(slot);
        }
        let alive = Self::count_alive(connection).await?;
        self.nodes.store(alive.max(1), Ordering::Relaxed);
        Ok(())
    }

    /// Number of live nodes.
    pub(super) async fn count_alive(connection: &mut PgConnection) -> Result<u32, StoreError> {
        let sql = concat!(
            "SELECT count(*) FROM nodes WHERE ended_at IS NULL AND seen_at > ",
            database_now!(),
            " - $1"
        );
        let row = sqlx::query(sql).bind(COUNTS_FOR_MS).fetch_one(connection).await?;
        Ok(u32::try_from(row.try_get::<i64, _>(0)?).unwrap_or(u32::MAX))
    }

    /// Says that it claims and sends nothing any more, so that nobody waits for its leases.
    pub(super) async fn leave(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let sql = concat!("UPDATE nodes SET ended_at = ", database_now!(), " WHERE id = $1");
        sqlx::query(sql).bind(self.id()).execute(connection).await?;
        Ok(())
    }
}

/// Takes the first part of the ids that is free, and a number.
async fn register(connection: &mut PgConnection, name: &str) -> Result<(i64, i64), StoreError> {
    let mut transaction = connection.begin().await?;
    lock(&mut transaction, Lock::Nodes).await?;
    let give_up = concat!(
        "UPDATE nodes SET ended_at = seen_at WHERE ended_at IS NULL AND seen_at < ",
        database_now!(),
        " - $1"
    );
    sqlx::query(give_up)
        .bind(GIVEN_UP_AFTER_MS)
        .execute(&mut *transaction)
        .await?;
    let free = "SELECT min(slot) FROM generate_series(0, $1 - 1) AS slot \
                WHERE slot NOT IN (SELECT slot FROM nodes WHERE ended_at IS NULL)";
    let row = sqlx::query(free).bind(SLOTS).fetch_one(&mut *transaction).await?;
    let Some(slot) = row.try_get::<Option<i64>, _>(0)? else {
        return Err(StoreError::Unusable(format!(
            "{SLOTS} nodes use this store already, and there cannot be more; nodes that were killed are forgotten after an \
             hour, or at once with: UPDATE nodes SET ended_at = seen_at WHERE …"
        )));
    };
    let insert = concat!(
        "INSERT INTO nodes (slot, name, started_at, seen_at) SELECT $1, $2, now, now FROM (SELECT ",
        database_now!(),
        " AS now) AS clock RETURNING id"
    );
    let row = sqlx::query(insert)
        .bind(slot)
        .bind(name)
        .fetch_one(&mut *transaction)
        .await?;
    let id = row.try_get(0)?;
    transaction.commit().await?;
    Ok((id, slot))
}

/// The process and, as far as it is known, the machine.
fn name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{} {}", host.trim(), std::process::id())
}
