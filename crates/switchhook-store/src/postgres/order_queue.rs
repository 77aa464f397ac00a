//! Order queues as rows: locking them, reading who is in them, letting the next one go. The rules are in
//! `src/order_queue.rs`.
//!
//! Whoever reads a queue in order to decide something has its lock until the commit, so that two nodes never decide
//! about the same queue at once.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{CompanyId, DeliveryId, WebhookId};
use switchhook_domain::order::OrderKey;

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::order_queue::{ClaimHolder, LONGEST_WALK, QueuedDelivery, freed};
use crate::row::{Columns, Row};

/// Names an order queue: the webhook and the key.
pub(super) type QueueKey = (WebhookId, OrderKey);

/// The queues that a transaction decides about, to be locked.
#[derive(Debug, Default)]
pub(super) struct QueueLocks {
    pub(super) webhook_ids: Vec<i64>,
    pub(super) keys: Vec<String>,
    /// Those of these deliveries.
    pub(super) of_deliveries: Vec<i64>,
}

impl QueueLocks {
    /// Those of these deliveries.
    pub(super) fn of(deliveries: Vec<i64>) -> Self {
        Self {
            of_deliveries: deliveries,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, webhook_id: WebhookId, key: &OrderKey) {
        self.webhook_ids.push(webhook_id.0);
        self.keys.push(key.as_str().to_owned());
    }

    /// The company's log has an end that only one transaction at a time may know. (An order key is never empty.)
    pub(super) fn add_log(&mut self, company_id: CompanyId) {
        self.webhook_ids.push(company_id.0);
        self.keys.push(String::new());
    }

    /// Waits until this transaction alone decides about them. Always in the same order, so that nobody waits in a ring.
    pub(super) async fn take(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        if self.keys.is_empty() && self.of_deliveries.is_empty() {
            return Ok(());
        }
        sqlx::query(LOCK)
            .bind(&self.webhook_ids)
            .bind(&self.keys)
            .bind(&self.of_deliveries)
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// Locks the queues that `$queues` selects.
macro_rules! lock_queues {
    ($queues:literal) => {
        concat!(
            "count(pg_advisory_xact_lock(number)) FROM (\
             SELECT DISTINCT hashtextextended(order_key, webhook_id) AS number FROM (",
            $queues,
            ") AS queues ORDER BY number) AS sorted"
        )
    };
}
pub(super) use lock_queues;

const LOCK: &str = concat!(
    "SELECT ",
    lock_queues!(
        "SELECT webhook_id, order_key FROM unnest($1::bigint[], $2::text[]) AS given (webhook_id, order_key) \
         UNION ALL \
         SELECT webhook_id, order_key FROM deliveries WHERE id = ANY($3::bigint[]) AND order_key IS NOT NULL"
    )
);

/// Takes the locks that are free and answers whose: for whoever already has rows, and must not wait.
pub(super) async fn try_lock(
    connection: &mut PgConnection,
    queues: &[QueueKey],
) -> Result<Vec<bool>, StoreError> {
    let (webhook_ids, keys) = columns(queues.iter());
    let sql = "SELECT pg_try_advisory_xact_lock(hashtextextended(order_key, webhook_id)) \
               FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS given (webhook_id, order_key, n) ORDER BY n";
    let rows = sqlx::query(sql)
        .bind(webhook_ids)
        .bind(keys)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn columns<'q>(queues: impl Iterator<Item = &'q QueueKey>) -> (Vec<i64>, Vec<&'q str>) {
    queues
        .map(|(webhook_id, key)| (webhook_id.0, key.as_str()))
        .unzip()
}

/// The last one in each queue that is not empty.
async fn last<'q>(
    connection: &mut PgConnection,
    node: Option<i64>,
    queues: impl Iterator<Item = &'q QueueKey>,
) -> Result<Vec<(usize, QueuedDelivery)>, StoreError> {
    let (webhook_ids, keys) = columns(queues);
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(LAST)
        .bind(webhook_ids)
        .bind(keys)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| read(row, node)).collect()
}

/// The queues of deliveries that are being made, with the last one in each. (One statement goes on only if there is none.)
pub(super) async fn ends(
    transaction: &mut Transaction<'_>,
    queues: BTreeSet<QueueKey>,
) -> Result<BTreeMap<QueueKey, Option<QueuedDelivery>>, StoreError> {
    let last = match transaction.is_one_statement {
        true => Vec::new(),
        false => last(transaction.connection, transaction.node, queues.iter()).await?,
    };
    let mut ends: BTreeMap<_, _> = queues.into_iter().map(|queue| (queue, None)).collect();
    let mut places: Vec<_> = ends.values_mut().collect();
    for (place, one) in last {
        *places[place] = Some(one);
    }
    Ok(ends)
}

/// The queue that a delivery is in.
pub(super) fn queue_of(delivery: &Delivery) -> Option<QueueKey> {
    Some((delivery.webhook_id, delivery.order_key.clone()?))
}

/// The place of a new delivery behind the last one of its queue: its own id, if that is not too small.
pub(super) fn position_after(last: Option<i64>, id: DeliveryId) -> i64 {
    id.0.max(last.map_or(0, |last| last + 1))
}

/// The one directly ahead of each of the deliveries that has one.
pub(super) async fn ahead_of(
    connection: &mut PgConnection,
    node: Option<i64>,
    deliveries: &[DeliveryId],
) -> Result<Vec<(usize, QueuedDelivery)>, StoreError> {
    let ids: Vec<i64> = deliveries.iter().map(|id| id.0).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(AHEAD).bind(ids).fetch_all(connection).await?;
    rows.iter().map(|row| read(row, node)).collect()
}

/// Lets the first one that waits in each queue go, unless one before it still blocks. The queues are locked.
pub(super) async fn free_followers(
    transaction: &mut Transaction<'_>,
    queues: &BTreeMap<QueueKey, Timestamp>,
) -> Result<(), StoreError> {
    if queues.is_empty() {
        return Ok(());
    }
    let (webhook_ids, keys) = columns(queues.keys());
    let rows = sqlx::query(FIRST)
        .bind(webhook_ids)
        .bind(keys)
        .bind(i64::from(LONGEST_WALK))
        .fetch_all(&mut *transaction.connection)
        .await?;
    let mut queued = BTreeMap::<usize, Vec<QueuedDelivery>>::new();
    for row in &rows {
        let (place, one) = read(row, transaction.node)?;
        queued.entry(place).or_default().push(one);
    }
    for (place, ((webhook_id, key), now)) in queues.iter().enumerate() {
        let Some(freed) = queued.get(&place).and_then(|queue| freed(queue, key, *now)) else {
            continue;
        };
        let sql = "UPDATE deliveries SET held = NULL, due_at = least(due_at, $1), note = coalesce($2, note) WHERE id = $3";
        sqlx::query(sql)
            .bind(now.as_millis())
            .bind(freed.note)
            .bind(freed.id.0)
            .execute(&mut *transaction.connection)
            .await?;
        transaction.effects.due(*webhook_id, *now);
    }
    Ok(())
}

/// Columns for [`read`]; `n` counts from 1.
macro_rules! queued_columns {
    () => {
        "one.id, given.n, one.line_position, one.due_at, one.held, one.claimed_by, one.blocks_until, one.created_at, \
         (one.note IS NOT NULL)::int::bigint"
    };
}

const LAST: &str = concat!(
    "SELECT ",
    queued_columns!(),
    " FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS given (webhook_id, order_key, n) CROSS JOIN LATERAL (\
     SELECT * FROM deliveries WHERE state = 'pending' AND order_key IS NOT NULL AND webhook_id = given.webhook_id \
     AND order_key = given.order_key ORDER BY line_position DESC LIMIT 1) AS one"
);

const FIRST: &str = concat!(
    "SELECT ",
    queued_columns!(),
    " FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS given (webhook_id, order_key, n) CROSS JOIN LATERAL (\
     SELECT * FROM deliveries WHERE state = 'pending' AND order_key IS NOT NULL AND webhook_id = given.webhook_id \
     AND order_key = given.order_key ORDER BY line_position LIMIT $3) AS one ORDER BY given.n, one.line_position"
);

const AHEAD: &str = concat!(
    "SELECT ",
    queued_columns!(),
    " FROM unnest($1::bigint[]) WITH ORDINALITY AS given (id, n) JOIN deliveries AS behind ON behind.id = given.id \
     CROSS JOIN LATERAL (SELECT * FROM deliveries WHERE state = 'pending' AND order_key IS NOT NULL \
     AND webhook_id = behind.webhook_id AND order_key = behind.order_key AND line_position < behind.line_position \
     ORDER BY line_position DESC LIMIT 1) AS one"
);

/// The place among the queues asked for, from 0, and a delivery in it.
fn read(row: &Row<'_>, node: Option<i64>) -> Result<(usize, QueuedDelivery), StoreError> {
    let mut columns = Columns::of("deliveries", row)?;
    let n: u64 = columns.read()?;
    let one = QueuedDelivery {
        id: DeliveryId(columns.id()),
        position: columns.read()?,
        // One without a time is damaged, and about to be set aside: nobody waits for it.
        due_at: columns.maybe_time()?.unwrap_or(Timestamp::from_millis(0)),
        is_waiting: columns.read::<Option<&str>>()?.is_some(),
        claimed: match columns.read::<Option<i64>>()? {
            None => ClaimHolder::No,
            claimed_by if claimed_by == node => ClaimHolder::Here,
            Some(_) => ClaimHolder::Elsewhere,
        },
        blocks_until: columns.time()?,
        created_at: columns.time()?,
        is_overtaking: columns.read()?,
    };
    let place = usize::try_from(n).unwrap_or(usize::MAX).saturating_sub(1);
    Ok((place, one))
}
