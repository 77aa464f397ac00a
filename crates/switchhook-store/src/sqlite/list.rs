//! Lists: queries put together from what they are narrowed to, and pages by key.

use rusqlite::{Connection, Row, ToSql, params_from_iter};
use switchhook_domain::Timestamp;
use switchhook_domain::id::first_id_at;

use crate::error::StoreError;
use crate::page::{Page, PageRequest};

/// A query in the making. Only fixed text goes into its SQL; every value is a parameter.
pub(super) struct Listing {
    sql: String,
    values: Vec<Box<dyn ToSql + Send>>,
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

    /// A value for the next `?` in the start.
    pub(super) fn with(mut self, value: impl ToSql + Send + 'static) -> Self {
        self.values.push(Box::new(value));
        self
    }

    /// One more condition, with a `?`, if there is a value for it.
    pub(super) fn narrowed(mut self, condition: &str, value: Option<impl ToSql + Send + 'static>) -> Self {
        if let Some(value) = value {
            self.sql.push_str(" AND ");
            self.sql.push_str(condition);
            self.values.push(Box::new(value));
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
        self.sql.push(' ');
        self.sql.push_str(order);
        self.sql.push_str(" LIMIT ?");
        self.values.push(Box::new(i64::from(limit) + 1));
        self.limit = limit;
        self
    }

    /// Reads the page.
    pub(super) fn page<T>(
        self,
        connection: &Connection,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
        id_of: impl Fn(&T) -> i64,
    ) -> Result<Page<T>, StoreError> {
        let mut statement = connection.prepare_cached(&self.sql)?;
        let mut rows = statement.query(params_from_iter(&self.values))?;
        let mut items = Vec::new();
        while let Some(row) = rows.next()? {
            items.push(read(row)?);
        }
        Ok(Page::of(items, self.limit, id_of))
    }

    #[cfg(test)]
    pub(super) fn sql(&self) -> &str {
        &self.sql
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
    rows.next()?.map(read).transpose()
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
