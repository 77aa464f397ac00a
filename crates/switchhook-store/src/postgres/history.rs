//! History of attempts by minute and by hour.
//!
//! Nodes add to the same rows. Each locks the rows that it adds to in the order of their keys, in a transaction that
//! touches nothing else: it waits for others that do the same, and for nobody who accepts or delivers.

use sqlx::postgres::{PgArguments, PgConnection, Postgres};
use sqlx::query::Query;
use switchhook_domain::Timestamp;
use switchhook_domain::history::{Granularity, HistorySubject, Sum};

use super::row::all;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::row::history::{column, history_columns, read};

/// Adds to what is kept.
pub(super) async fn add(transaction: &mut Transaction<'_>, mut sums: Vec<Sum>) -> Result<(), StoreError> {
    let key = |sum: &Sum| (sum.subject.ids(), sum.resolution.minutes(), sum.from);
    sums.sort_by_key(key);
    let connection = &mut *transaction.connection;
    by_key(BEGIN, &sums).execute(&mut *connection).await?;
    let kept = all(connection, by_key(LOCKED, &sums), read).await?;
    if kept.len() != sums.len() {
        return Err(StoreError::Corrupt(format!(
            "table history: {} of {} rows are there that were just made",
            kept.len(),
            sums.len()
        )));
    }
    for (sum, kept) in sums.iter_mut().zip(&kept) {
        sum.counts.add(&kept.counts);
    }
    let counts = |count: fn(&Sum) -> u64| -> Vec<i64> { sums.iter().map(|sum| column(count(sum))).collect() };
    let latencies: Vec<_> = sums.iter().map(|sum| sum.counts.latencies.to_string()).collect();
    by_key(KEEP, &sums)
        .bind(counts(|sum| sum.counts.accepted))
        .bind(counts(|sum| sum.counts.delivered))
        .bind(counts(|sum| sum.counts.failed_answered))
        .bind(counts(|sum| sum.counts.failed_unanswered))
        .bind(counts(|sum| sum.counts.exhausted))
        .bind(latencies)
        .execute(&mut *transaction.connection)
        .await?;
    Ok(())
}

/// A query whose first four parameters are the columns of the keys.
fn by_key(sql: &'static str, sums: &[Sum]) -> Query<'static, Postgres, PgArguments> {
    let numbers = |number: fn(&Sum) -> i64| -> Vec<i64> { sums.iter().map(number).collect() };
    sqlx::query(sql)
        .bind(numbers(|sum| sum.subject.ids().0))
        .bind(numbers(|sum| sum.subject.ids().1))
        .bind(numbers(|sum| i64::from(sum.resolution.minutes())))
        .bind(numbers(|sum| sum.from.as_millis()))
}

const BEGIN: &str = concat!(
    "INSERT INTO history (",
    history_columns!(),
    ") SELECT k.company_id, k.webhook_id, k.minutes, k.from_at, 0, 0, 0, 0, 0, '' \
     FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS k (company_id, webhook_id, minutes, from_at) \
     ON CONFLICT DO NOTHING"
);

/// In the order of the keys: what is locked is not joined in another way than one after the other.
const LOCKED: &str = concat!(
    "SELECT h.* FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) \
     AS k (company_id, webhook_id, minutes, from_at) CROSS JOIN LATERAL (SELECT ",
    history_columns!(),
    " FROM history WHERE company_id = k.company_id AND webhook_id = k.webhook_id AND minutes = k.minutes \
     AND from_at = k.from_at FOR UPDATE) AS h"
);

const KEEP: &str = concat!(
    "INSERT INTO history (",
    history_columns!(),
    ") SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], \
     $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::text[]) \
     ON CONFLICT (company_id, webhook_id, minutes, from_at) DO UPDATE SET accepted = excluded.accepted, \
     delivered = excluded.delivered, failed_answered = excluded.failed_answered, \
     failed_unanswered = excluded.failed_unanswered, exhausted = excluded.exhausted, latencies = excluded.latencies"
);

/// The sums of some between two times, oldest first for each.
pub(super) async fn list(
    connection: &mut PgConnection,
    subject: Vec<HistorySubject>,
    resolution: Granularity,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Sum>, StoreError> {
    let query = sqlx::query(BETWEEN)
        .bind(subject.iter().map(|one| one.ids().0).collect::<Vec<_>>())
        .bind(subject.iter().map(|one| one.ids().1).collect::<Vec<_>>())
        .bind(i64::from(resolution.minutes()))
        .bind(from.as_millis())
        .bind(to.as_millis());
    all(connection, query, read).await
}

/// The limit, which no range reaches, keeps the planner from reading all rows at once instead of those of each.
const BETWEEN: &str = concat!(
    "SELECT h.* FROM unnest($1::bigint[], $2::bigint[]) AS k (company_id, webhook_id) CROSS JOIN LATERAL (SELECT ",
    history_columns!(),
    " FROM history WHERE company_id = k.company_id AND webhook_id = k.webhook_id AND minutes = $3 \
     AND from_at >= $4 AND from_at < $5 ORDER BY company_id, webhook_id, minutes, from_at LIMIT 1000000) AS h"
);

/// Removes the oldest sums of before `before`, `most` at a time; answers how many.
pub(super) async fn forget(
    transaction: &mut Transaction<'_>,
    resolution: Granularity,
    before: Timestamp,
    most: u32,
) -> Result<u32, StoreError> {
    let forgotten = sqlx::query(FORGET)
        .bind(i64::from(resolution.minutes()))
        .bind(before.as_millis())
        .bind(i64::from(most))
        .execute(&mut *transaction.connection)
        .await?
        .rows_affected();
    Ok(u32::try_from(forgotten).unwrap_or(u32::MAX))
}

/// Removal of old rows, except for those that another node has locked.
const FORGET: &str = "DELETE FROM history WHERE ctid = ANY(ARRAY(\
     SELECT ctid FROM history WHERE minutes = $1 AND from_at < $2 ORDER BY minutes, from_at LIMIT $3 \
     FOR UPDATE SKIP LOCKED))";
