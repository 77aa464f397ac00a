//! Lists: queries put together from what they are narrowed to, and pages by key.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, first_id_at};

use crate::error::StoreError;
use crate::page::{End, Page, PageRequest};
use crate::row::Row;

/// A query in the making. Only fixed text goes into its SQL; every value is a parameter.
pub(super) struct Listing {
    columns: String,
    /// The column by which rows are told apart and ordered.
    id: &'static str,
    /// From where on, and along which index.
    walk: String,
    walk_values: Vec<Value>,
    /// What of it is wanted.
    narrowing: String,
    narrowing_values: Vec<Value>,
    /// The first id, and the one after the last.
    from: Option<i64>,
    to: Option<i64>,
    /// Whose rows these must be, if the walk does not say so.
    owner: Option<i64>,
    direction: Direction,
    limit: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    OldestFirst,
    NewestFirst,
}

/// How many rows that are not wanted a page passes by, about. Then it ends, whatever it has, and the next one goes on
/// there: whoever looks for what is rare looks in several steps, and nobody waits long for one of them.
const MOST_PASSED: i64 = 10_000;

/// How far one page may go.
enum Reach {
    /// As far as it takes.
    Whole,
    /// Up to this id, included.
    UpTo(i64),
    /// Nowhere: the rows there are somebody else's.
    Nowhere,
}

impl Listing {
    /// `columns`, with the id first, of what `walk` names: `FROM table WHERE condition`.
    pub(super) fn new(columns: impl Into<String>, walk: impl Into<String>) -> Self {
        Self {
            columns: columns.into(),
            id: "id",
            walk: walk.into(),
            walk_values: Vec::new(),
            narrowing: String::new(),
            narrowing_values: Vec::new(),
            from: None,
            to: None,
            owner: None,
            direction: Direction::OldestFirst,
            limit: 0,
        }
    }

    /// Rows are told apart by another column than `id`.
    pub(super) fn identified_by(self, id: &'static str) -> Self {
        Self { id, ..self }
    }

    /// A value for the next `?` in the walk.
    pub(super) fn with(mut self, value: impl ToSql) -> Self {
        self.walk_values.push(owned(&value));
        self
    }

    /// One more condition that its index is made for, with a `?`, if there is a value for it.
    pub(super) fn along(mut self, condition: &str, value: Option<impl ToSql>) -> Self {
        if let Some(value) = value {
            self.walk.push_str(" AND ");
            self.walk.push_str(condition);
            self.walk_values.push(owned(&value));
        }
        self
    }

    /// Only rows of this company, where the walk is that of something which belongs to one company.
    pub(super) fn owned_by(mut self, company_id: impl Into<Option<CompanyId>>) -> Self {
        self.owner = company_id.into().map(|id| id.0);
        let owner = self.owner;
        // The sign keeps the walk from the company's own indexes.
        self.narrowed("+company_id = ?", owner)
    }

    /// One more condition that no index is made for, with a `?`, if there is a value for it.
    pub(super) fn narrowed(mut self, condition: &str, value: Option<impl ToSql>) -> Self {
        if let Some(value) = value {
            self.narrowing.push_str(" AND ");
            self.narrowing.push_str(condition);
            self.narrowing_values.push(owned(&value));
        }
        self
    }

    /// Only ids made in this time: ids are time-ordered, so that needs no index of its own.
    pub(super) fn between(mut self, since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        self.from = self.from.max(since.map(first_id_at));
        self.to = least(self.to, until.map(first_id_at));
        self
    }

    /// The page with the smallest ids first.
    pub(super) fn oldest_first(mut self, page: PageRequest) -> Self {
        self.from = self.from.max(page.after.map(|after| after.saturating_add(1)));
        self.direction = Direction::OldestFirst;
        self.limit = page.limit;
        self
    }

    /// The page with the largest ids first.
    pub(super) fn newest_first(mut self, page: PageRequest) -> Self {
        self.to = least(self.to, page.after);
        self.direction = Direction::NewestFirst;
        self.limit = page.limit;
        self
    }

    /// The query of the page. Asks for one more than wished, which tells whether there is a next page.
    ///
    /// Each end is named once: of two conditions only one would be the walk's end, and it might be the farther.
    pub(super) fn sql(&self) -> String {
        let Self {
            columns,
            walk,
            narrowing,
            ..
        } = self;
        let (bounds, order) = (self.bounds(), self.order());
        format!("SELECT {columns} {walk}{bounds}{narrowing} {order} LIMIT ?")
    }

    /// The query of the last row that the page may pass by, from the index alone.
    pub(super) fn reach_sql(&self) -> String {
        let Self { id, walk, .. } = self;
        let (bounds, order) = (self.bounds(), self.order());
        format!("SELECT {id} {walk}{bounds} {order} LIMIT 1 OFFSET {MOST_PASSED}")
    }

    fn bounds(&self) -> String {
        let from = self.from.map(|_| format!(" AND {} >= ?", self.id));
        let to = self.to.map(|_| format!(" AND {} < ?", self.id));
        from.into_iter().chain(to).collect()
    }

    fn order(&self) -> String {
        let backwards = match self.direction {
            Direction::OldestFirst => "",
            Direction::NewestFirst => " DESC",
        };
        format!("ORDER BY {}{backwards}", self.id)
    }

    fn walked(&self) -> impl Iterator<Item = Value> + '_ {
        let ends = [self.from, self.to].into_iter().flatten();
        self.walk_values.iter().cloned().chain(ends.map(Value::Integer))
    }

    fn reach(&self, connection: &Connection) -> Result<Reach, StoreError> {
        if self.narrowing.is_empty() {
            return Ok(Reach::Whole);
        }
        let mut statement = connection.prepare_cached(&self.reach_sql())?;
        let mut rows = statement.query(params_from_iter(self.walked()))?;
        let Some(id) = rows.next()?.map(|row| row.get(0)).transpose()? else {
            return Ok(Reach::Whole);
        };
        match self.owner {
            Some(owner) if !self.is_of(connection, owner, id)? => Ok(Reach::Nowhere),
            _ => Ok(Reach::UpTo(id)),
        }
    }

    fn is_of(&self, connection: &Connection, owner: i64, id: i64) -> Result<bool, StoreError> {
        let table = self.walk.split(' ').nth(1).unwrap_or_default();
        let sql = format!("SELECT 1 FROM {table} WHERE id = ? AND company_id = ?");
        Ok(connection.prepare_cached(&sql)?.exists([id, owner])?)
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
        mut self,
        most_bytes: usize,
        connection: &Connection,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
        id_of: impl Fn(&T) -> i64,
        bytes_of: impl Fn(&T) -> usize,
    ) -> Result<Page<T>, StoreError> {
        let reach = match self.reach(connection)? {
            Reach::Whole => None,
            Reach::UpTo(id) => Some(id),
            Reach::Nowhere => return Ok(Page::of(Vec::new(), self.limit, id_of)),
        };
        match (reach, self.direction) {
            (None, _) => {}
            (Some(_), Direction::NewestFirst) => self.from = reach,
            (Some(id), Direction::OldestFirst) => self.to = Some(id.saturating_add(1)),
        }
        let mut statement = connection.prepare_cached(&self.sql())?;
        let narrowed = self.narrowing_values.iter().cloned();
        let limit = Value::Integer(i64::from(self.limit) + 1);
        let values = self.walked().chain(narrowed).chain([limit]);
        let mut rows = statement.query(params_from_iter(values))?;
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
        let page = Page::of_first(items, self.limit, end, id_of);
        Ok(Page {
            next: page.next.or(reach),
            ..page
        })
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
}

fn least(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    [one, other].into_iter().flatten().min()
}

fn owned(value: &impl ToSql) -> Value {
    match value.to_sql() {
        Ok(ToSqlOutput::Owned(value)) => value,
        Ok(ToSqlOutput::Borrowed(ValueRef::Integer(number))) => Value::Integer(number),
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(text))) => {
            Value::Text(String::from_utf8_lossy(text).into_owned())
        }
        // Lists are narrowed by numbers and words only.
        _ => Value::Null,
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

/// The rows of `sql` that can be read, and those that cannot. The first column is the row's id.
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
