//! Lists: queries put together from what they are narrowed to, and pages by key.

use rusqlite::{Connection, ToSql, params_from_iter};
use switchhook_domain::Timestamp;
use switchhook_domain::id::first_id_at;

use crate::error::StoreError;
use crate::page::{End, Page, PageRequest};
use crate::row::Row;

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
        self.page_within(usize::MAX, connection, read, id_of, |_| 0)
    }

    /// Reads the page until its items have so many bytes.
    fn page_within<T>(
        self,
        most_bytes: usize,
        connection: &Connection,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
        id_of: impl Fn(&T) -> i64,
        bytes_of: impl Fn(&T) -> usize,
    ) -> Result<Page<T>, StoreError> {
        let mut statement = connection.prepare_cached(&self.sql)?;
        let mut rows = statement.query(params_from_iter(&self.values))?;
        let (mut items, mut bytes) = (Vec::new(), 0_usize);
        let mut end = End::NoMore;
        while let Some(row) = rows.next()? {
            if bytes >= most_bytes {
                end = End::LargeEnough;
                break;
            }
            let item = read(row)?;
            bytes = bytes.saturating_add(bytes_of(&item));
            items.push(item);
        }
        Ok(Page::of_first(items, self.limit, end, id_of))
    }

    /// Reads the page without the rows that cannot be read: one of them must not hide the others.
    pub(super) fn page_of_readable<T>(
        self,
        connection: &Connection,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        self.page_of_readable_within(usize::MAX, connection, read, |_| 0)
    }

    /// Reads the page without the rows that cannot be read, until its items have so many bytes.
    pub(super) fn page_of_readable_within<T>(
        self,
        most_bytes: usize,
        connection: &Connection,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
        bytes_of: impl Fn(&T) -> usize,
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
        let bytes_of = |(_, item): &(i64, Option<T>)| item.as_ref().map_or(0, &bytes_of);
        let page = self.page_within(most_bytes, connection, read_or_tell, |(id, _)| *id, bytes_of)?;
        Ok(Page {
            items: page.items.into_iter().filter_map(|(_, item)| item).collect(),
            next: page.next,
        })
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

/// A row that cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) id: i64,
    pub(super) why: String,
}

/// The rows of `sql` that can be read, and those that cannot. The first cell is the row's id.
pub(super) fn readable<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<(Vec<T>, Vec<Unreadable>), StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let (mut items, mut unreadable) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        match read(row) {
            Err(StoreError::Corrupt(why)) => unreadable.push(Unreadable { id: row.get(0)?, why }),
            item => items.push(item?),
        }
    }
    Ok((items, unreadable))
}
