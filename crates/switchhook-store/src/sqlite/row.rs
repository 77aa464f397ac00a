//! Rows of SQLite as the crate reads rows, and texts as SQLite takes them.

use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql};

use crate::error::StoreError;
use crate::row::{DriverRow, Row};

impl DriverRow for rusqlite::Row<'_> {
    fn number(&self, column: usize) -> Result<Option<i64>, String> {
        Option::column_result(value(self, column)?).map_err(|error| error.to_string())
    }

    fn real(&self, column: usize) -> Result<Option<f64>, String> {
        Option::column_result(value(self, column)?).map_err(|error| error.to_string())
    }

    fn text(&self, column: usize) -> Result<Option<&str>, String> {
        value(self, column)?
            .as_str_or_null()
            .map_err(|error| error.to_string())
    }

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, String> {
        value(self, column)?
            .as_bytes_or_null()
            .map_err(|error| error.to_string())
    }

    fn column_name(&self, column: usize) -> String {
        self.as_ref().column_name(column).unwrap_or("?").to_owned()
    }
}

fn value<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> Result<ValueRef<'r>, String> {
    row.get_ref(column).map_err(|error| error.to_string())
}

/// Bytes that are UTF-8 as the caller promised, bound as text without looking at them again.
pub(super) struct Verbatim<'a>(pub(super) &'a [u8]);

impl ToSql for Verbatim<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}

/// The first row of `sql`, if there is one.
pub(super) fn first<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    rows.next()?.map(|row| read(row)).transpose()
}

/// Every row of `sql`.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(read(row)?);
    }
    Ok(items)
}
