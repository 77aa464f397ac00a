//! Lists: queries put together from what they are narrowed to, and pages by key.

use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, SqlSafeStr};
use switchhook_domain::Timestamp;
use switchhook_domain::id::first_id_at;

use crate::error::StoreError;
use crate::page::{End, Page, PageRequest};
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
    /// What it goes along, besides the id.
    path: Vec<(&'static str, Value)>,
    limit: u32,
    is_bounded_by_bytes: bool,
}

impl Listing {
    /// `start` ends with a first condition.
    pub(super) fn new(start: impl Into<String>) -> Self {
        Self {
            sql: start.into(),
            values: Vec::new(),
            path: Vec::new(),
            limit: 0,
            is_bounded_by_bytes: false,
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

    /// Goes along the index that has these columns and then the id, and only there where they have these values.
    ///
    /// With `column = value ORDER BY id` the planner may go by ids alone, over everybody's rows, because it guesses that
    /// it will soon meet enough of those that are wanted; where there are few it then reads the whole table. So the order
    /// names all columns of the index, which nothing else gives, and the values are the bounds of the walk.
    pub(super) fn along(mut self, path: Vec<(&'static str, Value)>) -> Self {
        self.path = path;
        self
    }

    /// Only rows with this value, if there is one: unless it goes along that column anyway.
    pub(super) fn with_equal(self, column: &'static str, value: Option<impl Into<Value>>) -> Self {
        if self.path.iter().any(|(walked, _)| *walked == column) {
            return self;
        }
        self.narrowed(&format!("{column} = ?"), value)
    }

    /// The page with the largest ids of a time first, along the path.
    pub(super) fn newest_first_of(
        mut self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        page: PageRequest,
    ) -> Self {
        let from = since.map_or(0, first_id_at);
        let ends = [page.after, until.map(first_id_at)];
        let to = ends.into_iter().flatten().min().unwrap_or(i64::MAX);
        let mut columns: Vec<_> = self.path.iter().map(|(column, _)| *column).collect();
        columns.push("id");
        for (comparison, end) in [(">=", from), ("<", to)] {
            let values = self.path.iter().map(|(_, value)| value.clone());
            let first = self.values.len() + 1;
            self.values.extend(values.chain([end.into()]).collect::<Vec<_>>());
            let numbers: Vec<_> = (first..=self.values.len()).map(|n| format!("${n}")).collect();
            self.sql.push_str(&format!(
                " AND ({}) {comparison} ({})",
                columns.join(", "),
                numbers.join(", ")
            ));
        }
        let order = format!("ORDER BY {} DESC", columns.join(" DESC, "));
        self.in_order(&order, page.limit)
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

    /// Only so many bytes of a page of events with the largest ids first, which was selected with all columns. They are
    /// counted where they are, so that no more of them travel than are wanted.
    pub(super) fn within_bytes(mut self, columns: &str, most_bytes: usize) -> Self {
        self.sql = format!(
            "SELECT {columns}, found FROM (SELECT *, count(*) OVER () AS found, \
             sum(octet_length(body)) OVER (ORDER BY id DESC) - octet_length(body) AS bytes_before \
             FROM ({}) AS page) AS counted WHERE bytes_before < {most_bytes} ORDER BY id DESC",
            self.sql
        );
        self.is_bounded_by_bytes = true;
        self
    }

    /// Reads the page.
    pub(super) async fn page<T>(
        self,
        connection: &mut PgConnection,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
        id_of: impl Fn(&T) -> i64,
    ) -> Result<Page<T>, StoreError> {
        let (limit, is_bounded_by_bytes) = (self.limit, self.is_bounded_by_bytes);
        let rows = self.query().fetch_all(connection).await?;
        let found = match rows.first().filter(|_| is_bounded_by_bytes) {
            Some(row) => row.try_get::<i64, _>("found")?,
            None => 0,
        };
        let items = rows.iter().map(|row| read(row)).collect::<Result<Vec<_>, _>>()?;
        let is_large_enough = usize::try_from(found).is_ok_and(|found| found > items.len());
        let end = if is_large_enough {
            End::LargeEnough
        } else {
            End::NoMore
        };
        Ok(Page::of_first(items, limit, end, id_of))
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
        let query = unprepared(AssertSqlSafe(self.sql));
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

/// A query that is planned each time for the values that it has, because which index suits depends on them. A prepared
/// one may be planned once for all values.
pub(super) fn unprepared(sql: impl SqlSafeStr) -> Query<'static, Postgres, PgArguments> {
    sqlx::query(sql).persistent(false)
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
