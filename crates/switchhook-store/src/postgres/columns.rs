//! Rows as columns: a batch goes to the database as one array for each column.

use sqlx::SqlSafeStr;
use sqlx::postgres::{PgArguments, Postgres};

/// A statement and what is bound to it.
pub(super) type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

/// Binds one array for each column, in the order of `$1, $2, …`.
///
/// `bind_columns!(query, rows, |row| { i64: row.id.0, Option<&str>: row.note.as_deref() })`
macro_rules! bind_columns {
    ($query:expr, $rows:expr, |$row:ident| { $($type:ty: $value:expr),+ $(,)? }) => {
        $query$(.bind($rows.iter().map(|$row| -> $type { $value }).collect::<Vec<$type>>()))+
    };
}
pub(super) use bind_columns;

/// A query that is planned each time for the values that it has, because which index suits depends on them. A prepared
/// one may be planned once for all values.
pub(super) fn unprepared(sql: impl SqlSafeStr) -> Query<'static> {
    sqlx::query(sql).persistent(false)
}
