//! Rows of PostgreSQL as the crate reads rows.

use sqlx::postgres::{PgConnection, PgRow, Postgres};
use sqlx::{Column, Decode, Row as _, Type, ValueRef};

use super::columns::Query;
use crate::error::StoreError;
use crate::row::{DriverRow, Row};

impl DriverRow for PgRow {
    fn number(&self, column: usize) -> Result<Option<i64>, String> {
        decoded(self, column)
    }

    fn real(&self, column: usize) -> Result<Option<f64>, String> {
        decoded(self, column)
    }

    fn text(&self, column: usize) -> Result<Option<&str>, String> {
        decoded(self, column)
    }

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, String> {
        let value = self.try_get_raw(column).map_err(|error| error.to_string())?;
        if value.is_null() {
            return Ok(None);
        }
        // Both texts and bytes come as they are.
        value.as_bytes().map(Some).map_err(|error| error.to_string())
    }

    fn column_name(&self, column: usize) -> String {
        let name = self.columns().get(column).map(Column::name);
        name.unwrap_or("?").to_owned()
    }
}

fn decoded<'r, T: Decode<'r, Postgres> + Type<Postgres>>(
    row: &'r PgRow,
    column: usize,
) -> Result<Option<T>, String> {
    row.try_get(column).map_err(|error| error.to_string())
}

/// Every row of a query.
pub(super) async fn all<T>(
    connection: &mut PgConnection,
    query: Query<'_>,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| read(row)).collect()
}
