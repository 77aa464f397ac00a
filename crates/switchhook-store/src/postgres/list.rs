//! Lists: queries put together from what they are narrowed to, and pages by key.

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::Query;
use switchhook_domain::Timestamp;
use switchhook_domain::id::first_id_at;

use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::Row;

/// A value in a condition.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Number(i64),
    Text(String),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A query in the making. Only fixed text goes into its SQL; every value is a parameter.
pub(super) struct Listing {
    sql: String,
    values: Vec<Value>,
    limit: u32,
}

impl Listing {
    /// `start` ends with a first condition.
    pub(super) fn new(start: impl Into<String>) -> Self {
        Self {
            sql: start.into(),
            values: Vec::new(),
            limit: 0,
        }
    }

    /// A value for the next `$n` in the start.
    pub(super) fn with(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// One more condition, with a `?` for the value, if there is one.
    pub(super) fn narrowed(mut self, condition: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.values.push(value.into());
            self.sql.push_str(" AND ");
            self.sql
                .push_str(&condition.replacen('?', &format!("${}", self.values.len()), 1));
        }
        self
    }

    /// Only ids made in this time: ids are time-ordered, so that needs no index of its own.
    pub(super) fn between(self, since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        self.narrowed("id >= ?", since.map(first_id_at))
            .narrowed("id < ?", until.map(first_id_at))
    }

    /// The page with the smallest ids first.
    pub(super) fn oldest_first(self, page: PageRequest) -> Self {
        self.narrowed("id > ?", page.after)
            .in_order("ORDER BY id", page.limit)
    }

    /// The page with the largest ids first.
    pub(super) fn newest_first(self, page: PageRequest) -> Self {
        self.narrowed("id < ?", page.after)
            .in_order("ORDER BY id DESC", page.limit)
    }

    /// The page in some order, from what it is narrowed to.
    ///
    /// Asks for one more than wished, which tells whether there is a next page.
    pub(super) fn in_order(mut self, order: &str, limit: u32) -> Self {
        self.sql
            .push_str(&format!(" {order} LIMIT {}", i64::from(limit) + 1));
        self.limit = limit;
        self
    }

    /// Reads the page.
    pub(super) async fn page<T>(
        self,
        connection: &mut PgConnection,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
        id_of: impl Fn(&T) -> i64,
    ) -> Result<Page<T>, StoreError> {
        let limit = self.limit;
        let rows = self.query().fetch_all(connection).await?;
        let items = rows.iter().map(|row| read(row)).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::of(items, limit, id_of))
    }

    /// Reads the page without the rows that cannot be read: one of them must not hide the others.
    pub(super) async fn page_of_readable<T>(
        self,
        connection: &mut PgConnection,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let read_or_tell = |row: &Row<'_>| {
            let id: i64 = row.get(0)?;
            match read(row) {
                Ok(item) => Ok((id, Some(item))),
                Err(StoreError::Corrupt(why)) => {
                    tracing::error!(id, why, "a row is left out of a list: it cannot be read");
                    Ok((id, None))
                }
                Err(error) => Err(error),
            }
        };
        let page = self.page(connection, read_or_tell, |(id, _)| *id).await?;
        Ok(Page {
            items: page.items.into_iter().filter_map(|(_, item)| item).collect(),
            next: page.next,
        })
    }

    /// The query with its values, for whoever reads it in another way.
    pub(super) fn query(self) -> Query<'static, Postgres, PgArguments> {
        let query = sqlx::query(AssertSqlSafe(self.sql));
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Number(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
        })
    }
}

/// The first row of a query, if there is one.
pub(super) async fn first<T>(
    connection: &mut PgConnection,
    query: Query<'_, Postgres, PgArguments>,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let row = query.fetch_optional(connection).await?;
    row.as_ref().map(|row| read(row)).transpose()
}

/// Every row of a query.
pub(super) async fn all<T>(
    connection: &mut PgConnection,
    query: Query<'_, Postgres, PgArguments>,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| read(row)).collect()
}

/// A row that cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) id: i64,
    pub(super) why: String,
}

/// The rows that can be read, and those that cannot. The first cell is the row's id.
pub(super) fn readable<T>(
    rows: &[PgRow],
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<(Vec<T>, Vec<Unreadable>), StoreError> {
    let (mut items, mut unreadable) = (Vec::new(), Vec::new());
    for row in rows {
        let row: &Row<'_> = row;
        match read(row) {
            Err(StoreError::Corrupt(why)) => unreadable.push(Unreadable { id: row.get(0)?, why }),
            item => items.push(item?),
        }
    }
    Ok((items, unreadable))
}
