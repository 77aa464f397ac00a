//! The lines of order keys, as rows: locking them, reading who stands in them, letting the next one go. What follows
//! from that is `line.rs`.
//!
//! Whoever reads a line in order to decide something holds its lock until the commit, so that two nodes never decide
//! about the same line at once.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{CompanyId, DeliveryId, WebhookId};
use switchhook_domain::order::OrderKey;

use super::transaction::Transaction;
use crate::claim::HandedOver;
use crate::error::StoreError;
use crate::line::{self, Claimed, InLine, LONGEST_WALK};
use crate::row::{Columns, Row};

/// A line: the webhook and the key.
pub(super) type Line = (WebhookId, OrderKey);

/// Which lines a transaction decides about.
#[derive(Debug, Default)]
pub(super) struct Lines {
    webhook_ids: Vec<i64>,
    keys: Vec<String>,
    /// Those of these deliveries.
    pub(super) of_deliveries: Vec<i64>,
}

impl Lines {
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
    pub(super) async fn lock(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
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

const LOCK: &str = "SELECT count(pg_advisory_xact_lock(number)) FROM (\
     SELECT DISTINCT hashtextextended(order_key, webhook_id) AS number FROM (\
       SELECT webhook_id, order_key FROM unnest($1::bigint[], $2::text[]) AS given (webhook_id, order_key) \
       UNION ALL \
       SELECT webhook_id, order_key FROM deliveries WHERE id = ANY($3::bigint[]) AND order_key IS NOT NULL\
     ) AS lines ORDER BY number) AS sorted";

/// Takes the locks that are free and answers whose: for whoever already has rows, and must not wait.
pub(super) async fn try_lock(connection: &mut PgConnection, lines: &[Line]) -> Result<Vec<bool>, StoreError> {
    let (webhook_ids, keys) = columns(lines.iter());
    let sql = "SELECT pg_try_advisory_xact_lock(hashtextextended(order_key, webhook_id)) \
               FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS given (webhook_id, order_key, n) ORDER BY n";
    let rows = sqlx::query(sql)
        .bind(webhook_ids)
        .bind(keys)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn columns<'l>(lines: impl Iterator<Item = &'l Line>) -> (Vec<i64>, Vec<&'l str>) {
    lines
        .map(|(webhook_id, key)| (webhook_id.0, key.as_str()))
        .unzip()
}

/// The last one in each line, for those that are not empty.
async fn last<'l>(
    connection: &mut PgConnection,
    node: Option<i64>,
    lines: impl Iterator<Item = &'l Line>,
) -> Result<Vec<(usize, InLine)>, StoreError> {
    let (webhook_ids, keys) = columns(lines);
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

/// The lines that deliveries that are being made go into, with the last one in each.
pub(super) async fn ends(
    transaction: &mut Transaction<'_>,
    lines: BTreeSet<Line>,
) -> Result<BTreeMap<Line, Option<InLine>>, StoreError> {
    let last = last(transaction.connection, transaction.node, lines.iter()).await?;
    let mut ends: BTreeMap<_, _> = lines.into_iter().map(|line| (line, None)).collect();
    let mut places: Vec<_> = ends.values_mut().collect();
    for (place, one) in last {
        *places[place] = Some(one);
    }
    Ok(ends)
}

/// The line that a delivery stands in.
pub(super) fn line_of(delivery: &Delivery) -> Option<Line> {
    Some((delivery.webhook_id, delivery.order_key.clone()?))
}

/// The place of a new delivery behind the last one of its line: its own id, if that is not too small.
pub(super) fn position_after(last: Option<i64>, id: DeliveryId) -> i64 {
    id.0.max(last.map_or(0, |last| last + 1))
}

/// The one directly ahead of each of the deliveries that has one.
pub(super) async fn ahead_of(
    connection: &mut PgConnection,
    node: Option<i64>,
    deliveries: &[DeliveryId],
) -> Result<Vec<(usize, InLine)>, StoreError> {
    let ids: Vec<i64> = deliveries.iter().map(|id| id.0).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(AHEAD).bind(ids).fetch_all(connection).await?;
    rows.iter().map(|row| read(row, node)).collect()
}

/// Lets the first one that is held in each line go, unless one before it still blocks. The lines are locked.
pub(super) async fn free_followers(
    transaction: &mut Transaction<'_>,
    lines: &BTreeMap<Line, Timestamp>,
) -> Result<(), StoreError> {
    if lines.is_empty() {
        return Ok(());
    }
    let (webhook_ids, keys) = columns(lines.keys());
    let rows = sqlx::query(LINE)
        .bind(webhook_ids)
        .bind(keys)
        .bind(i64::from(LONGEST_WALK))
        .fetch_all(&mut *transaction.connection)
        .await?;
    let mut standing = BTreeMap::<usize, Vec<InLine>>::new();
    for row in &rows {
        let (place, one) = read(row, transaction.node)?;
        standing.entry(place).or_default().push(one);
    }
    for (place, ((webhook_id, key), now)) in lines.iter().enumerate() {
        let Some(freed) = standing.get(&place).and_then(|line| line::freed(line, key, *now)) else {
            continue;
        };
        let sql = "UPDATE deliveries SET held = NULL, due_at = least(due_at, $1), note = coalesce($2, note) WHERE id = $3";
        sqlx::query(sql)
            .bind(now.as_millis())
            .bind(freed.note)
            .bind(freed.id.0)
            .execute(&mut *transaction.connection)
            .await?;
        transaction.hand_over(HandedOver::Due {
            webhook_id: *webhook_id,
            due_at: *now,
        });
    }
    Ok(())
}

/// What [`read`] reads, in its order; `n` counts from 1.
macro_rules! in_line {
    () => {
        "one.id, given.n, one.line_position, one.due_at, one.held, one.claimed_by, one.blocks_until, one.created_at, \
         (one.note IS NOT NULL)::int::bigint"
    };
}

const LAST: &str = concat!(
    "SELECT ",
    in_line!(),
    " FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS given (webhook_id, order_key, n) CROSS JOIN LATERAL (\
     SELECT * FROM deliveries WHERE state = 'pending' AND order_key IS NOT NULL AND webhook_id = given.webhook_id \
     AND order_key = given.order_key ORDER BY line_position DESC LIMIT 1) AS one"
);

const LINE: &str = concat!(
    "SELECT ",
    in_line!(),
    " FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS given (webhook_id, order_key, n) CROSS JOIN LATERAL (\
     SELECT * FROM deliveries WHERE state = 'pending' AND order_key IS NOT NULL AND webhook_id = given.webhook_id \
     AND order_key = given.order_key ORDER BY line_position LIMIT $3) AS one ORDER BY given.n, one.line_position"
);

const AHEAD: &str = concat!(
    "SELECT ",
    in_line!(),
    " FROM unnest($1::bigint[]) WITH ORDINALITY AS given (id, n) JOIN deliveries AS behind ON behind.id = given.id \
     CROSS JOIN LATERAL (SELECT * FROM deliveries WHERE state = 'pending' AND order_key IS NOT NULL \
     AND webhook_id = behind.webhook_id AND order_key = behind.order_key AND line_position < behind.line_position \
     ORDER BY line_position DESC LIMIT 1) AS one"
);

/// The place among those asked for, from 0, and who stands there.
fn read(row: &Row<'_>, node: Option<i64>) -> Result<(usize, InLine), StoreError> {
    let mut columns = Columns::of("deliveries", row)?;
    let n: u64 = columns.read()?;
    let one = InLine {
        id: DeliveryId(columns.id()),
        position: columns.read()?,
        // One without a time is damaged, and about to be set aside: it holds nobody up.
        due_at: columns.maybe_time()?.unwrap_or(Timestamp::from_millis(0)),
        is_held: columns.read::<Option<&str>>()?.is_some(),
        claimed: match columns.read::<Option<i64>>()? {
            None => Claimed::No,
            claimed_by if claimed_by == node => Claimed::Here,
            Some(_) => Claimed::Elsewhere,
        },
        blocks_until: columns.time()?,
        created_at: columns.time()?,
        is_overtaking: columns.read()?,
    };
    let place = usize::try_from(n).unwrap_or(usize::MAX).saturating_sub(1);
    Ok((place, one))
}
