//! Size of the store.
//!
//! A table of PostgreSQL does not shrink when rows go: their space is reused after a vacuum, and only the pages
//! themselves tell how much of it is free. So pages are sampled: all of a small table, some of a large one, and
//! always the same ones, so that sizes can be compared. Used are the rows that exist, without those that have been
//! deleted: retention, which removes until the size is small enough, stops in time.

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use crate::error::StoreError;
use crate::retention::StoreSize;

/// About how many pages of a table are looked into.
const PAGES: f64 = 1_000.0;

/// Space of the rows in some pages of a table: 28 bytes each for the header and the item pointer, eight for each
/// number, and the other columns. A long column that is stored apart counts with its size there, and is not read.
macro_rules! bytes_of_rows {
    ($table:literal, $numbers:literal, $($column:literal),+) => {
        concat!(
            "SELECT coalesce(sum(28 + 8 * ",
            $numbers,
            $(" + coalesce(pg_column_size(", $column, "), 0)",)+
            "), 0)::bigint FROM ",
            $table,
            " TABLESAMPLE SYSTEM ($1::real) REPEATABLE (0)"
        )
    };
}

/// The tables that grow with what is sent.
const GROWING: [(&str, &str); 3] = [
    (
        "events",
        bytes_of_rows!(
            "events",
            4,
            "body",
            "kind",
            "order_key",
            "idempotency_key",
            "warnings"
        ),
    ),
    (
        "deliveries",
        bytes_of_rows!(
            "deliveries",
            15,
            "kind",
            "subscription_ids",
            "hidden",
            "order_key",
            "state",
            "note"
        ),
    ),
    (
        "attempts",
        bytes_of_rows!(
            "attempts",
            8,
            "outcome",
            "detail",
            "url",
            "request_headers",
            "answer_headers",
            "answer_body"
        ),
    ),
];

/// Counted as they are, because they hardly shrink: what is registered, and replays.
const OTHERS: &[&str] = &[
    "nodes",
    "registry_changes",
    "companies",
    "api_keys",
    "webhooks",
    "webhook_holds",
    "websockets",
    "feeds",
    "consumers",
    "subscriptions",
    "subscription_versions",
    "replays",
    "sources",
    "source_refusals",
    "history",
];

pub(super) async fn size(connection: &mut PgConnection) -> Result<StoreSize, StoreError> {
    let others: i64 = sqlx::query(
        "SELECT sum(pg_total_relation_size(name::regclass))::bigint FROM unnest($1::text[]) AS name",
    )
    .bind(OTHERS)
    .fetch_one(&mut *connection)
    .await?
    .try_get(0)?;
    let mut size = StoreSize {
        used: others.unsigned_abs(),
        file: others.unsigned_abs(),
        disk_left: None,
    };
    for (table, bytes_of_rows) in GROWING {
        let one = size_of(connection, table, bytes_of_rows).await?;
        size.used += one.used;
        size.file += one.file;
    }
    Ok(size)
}

async fn size_of(
    connection: &mut PgConnection,
    table: &str,
    bytes_of_rows: &'static str,
) -> Result<StoreSize, StoreError> {
    let sql = "SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint, \
               pg_table_size($1::text::regclass), pg_indexes_size($1::text::regclass)";
    let row = sqlx::query(sql).bind(table).fetch_one(&mut *connection).await?;
    let (pages, rows, indexes): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let share = (PAGES / real(pages).max(1.0)).min(1.0);
    let row = sqlx::query(bytes_of_rows)
        .bind(share * 100.0)
        .fetch_one(&mut *connection)
        .await?;
    let used = (real(row.try_get(0)?) / share).min(real(rows));
    // Its indexes are as full as it is.
    let fullness = used / real(rows).max(1.0);
    Ok(StoreSize {
        used: whole(used + fullness * real(indexes)),
        file: rows.unsigned_abs() + indexes.unsigned_abs(),
        disk_left: None,
    })
}

#[expect(clippy::cast_precision_loss, reason = "it is an estimate")]
const fn real(bytes: i64) -> f64 {
    bytes as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is neither negative nor larger than the table"
)]
const fn whole(bytes: f64) -> u64 {
    bytes as u64
}
