//! Lists: queries put together from what they are narrowed to, and pages by key.

use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Row as _, SqlSafeStr};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, first_id_at};

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
    walk: Option<Walk>,
    limit: u32,
    /// Which columns, and how many bytes of bodies at the most.
    within_bytes: Option<(&'static str, usize)>,
}

/// Along an index, between two ids.
struct Walk {
    /// Of which table, and which part of it: `FROM table WHERE condition`.
    of: String,
    company_id: CompanyId,
    /// The columns of the index before the id.
    path: Vec<(&'static str, Value)>,
    from: i64,
    to: i64,
    direction: Direction,
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
    /// Nowhere: the rows there are another company's.
    Nowhere,
}

impl Walk {
    /// Its conditions and its order, with parameters after those that there are.
    fn sql(&self, values: &mut Vec<Value>) -> String {
        let mut columns: Vec<_> = self.path.iter().map(|(column, _)| *column).collect();
        columns.push("id");
        let mut sql = String::new();
        for (comparison, end) in [(">=", self.from), ("<", self.to)] {
            let path = self.path.iter().map(|(_, value)| value.clone());
            let first = values.len() + 1;
            values.extend(path.chain([end.into()]));
            let numbers: Vec<_> = (first..=values.len()).map(|n| format!("${n}")).collect();
            let (columns, numbers) = (columns.join(", "), numbers.join(", "));
            sql.push_str(&format!(" AND ({columns}) {comparison} ({numbers})"));
        }
        match self.direction {
            Direction::OldestFirst => format!("{sql} ORDER BY {}", columns.join(", ")),
            Direction::NewestFirst => format!("{sql} ORDER BY {} DESC", columns.join(" DESC, ")),
        }
    }

    /// The last row that a page may pass by, from the index alone.
    async fn reach(&self, connection: &mut PgConnection) -> Result<Reach, StoreError> {
        let mut values = Vec::new();
        let (of, sql) = (&self.of, self.sql(&mut values));
        let table = of.split(' ').nth(1).unwrap_or_default();
        let sql = format!(
            "SELECT id, company_id FROM {table} WHERE id = (SELECT id {of}{sql} LIMIT 1 OFFSET {MOST_PASSED})"
        );
        let Some(row) = query_of(sql, values).fetch_optional(connection).await? else {
            return Ok(Reach::Whole);
        };
        if row.try_get::<i64, _>(1)? == self.company_id.0 {
            Ok(Reach::UpTo(row.try_get(0)?))
        } else {
            Ok(Reach::Nowhere)
        }
    }
}

impl Listing {
    /// `start` ends with a first condition.
    pub(super) fn new(start: impl Into<String>) -> Self {
        Self {
            sql: start.into(),
            values: Vec::new(),
            walk: None,
            limit: 0,
            within_bytes: None,
        }
    }

    /// `columns` of `FROM table WHERE condition`, along the index that has the columns of the path and then the id, and only
    /// there where they have these values.
    ///
    /// With `column = value ORDER BY id` the planner may go by ids alone, over everybody's rows, because it guesses that
    /// it will soon meet enough of those that are wanted; where there are few it then reads the whole table. So the order
    /// names all columns of the index, which nothing else gives, and the values are the bounds of the walk.
    pub(super) fn along(
        columns: &str,
        of: String,
        company_id: CompanyId,
        path: Vec<(&'static str, Value)>,
    ) -> Self {
        let start = format!("SELECT {columns} {of}");
        let walk = Walk {
            of,
            company_id,
            path,
            from: 0,
            to: i64::MAX,
            direction: Direction::NewestFirst,
        };
        Self {
            walk: Some(walk),
            ..Self::new(start)
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

    /// Only rows with this value, if there is one: unless it goes along that column anyway.
    pub(super) fn with_equal(self, column: &'static str, value: Option<impl Into<Value>>) -> Self {
        if self.goes_along(column) {
            return self;
        }
        self.narrowed(&format!("{column} = ?"), value)
    }

    /// Only rows of this company. Where the walk is that of something which belongs to one company, the sum keeps the planner from
    /// the company's own indexes.
    pub(super) fn owned_by(self, company_id: CompanyId) -> Self {
        if self.goes_along("company_id") {
            return self;
        }
        self.narrowed("company_id + 0 = ?", Some(company_id.0))
    }

    fn goes_along(&self, column: &str) -> bool {
        let mut path = self.walk.iter().flat_map(|walk| &walk.path);
        path.any(|(walked, _)| *walked == column)
    }

    /// The page with the largest ids of a time first, along the path.
    pub(super) fn newest_first_of(
        mut self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        page: PageRequest,
    ) -> Self {
        if let Some(walk) = &mut self.walk {
            walk.from = since.map_or(0, first_id_at);
            let ends = [page.after, until.map(first_id_at)];
            walk.to = ends.into_iter().flatten().min().unwrap_or(i64::MAX);
        }
        Self {
            limit: page.limit,
            ..self
        }
    }

    /// The page with the smallest ids first, along the path.
    pub(super) fn oldest_first_of(mut self, page: PageRequest) -> Self {
        if let Some(walk) = &mut self.walk {
            walk.from = page.after.map_or(0, |after| after.saturating_add(1));
            walk.direction = Direction::OldestFirst;
        }
        Self {
            limit: page.limit,
            ..self
        }
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
    pub(super) fn in_order(mut self, order: &str, limit: u32) -> Self {
        self.sql.push(' ');
        self.sql.push_str(order);
        self.limit = limit;
        self
    }

    /// Only so many bytes of a page of events with the largest ids first, which was selected with all columns. They are
    /// counted where they are, so that no more of them travel than are wanted.
    pub(super) fn within_bytes(self, columns: &'static str, most_bytes: usize) -> Self {
        Self {
            within_bytes: Some((columns, most_bytes)),
            ..self
        }
    }

    /// Reads the page.
    pub(super) async fn page<T>(
        mut self,
        connection: &mut PgConnection,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
        id_of: impl Fn(&T) -> i64,
    ) -> Result<Page<T>, StoreError> {
        let (limit, is_bounded_by_bytes) = (self.limit, self.within_bytes.is_some());
        let mut end = None;
        if let Some(mut walk) = self.walk.take() {
            // Without a path it sorts what there is, and with nothing else to look for it passes by nothing.
            if !walk.path.is_empty() && !self.values.is_empty() {
                match walk.reach(connection).await? {
                    Reach::Whole => {}
                    Reach::UpTo(id) => end = Some(id),
                    Reach::Nowhere => return Ok(Page::of(Vec::new(), limit, id_of)),
                }
            }
            match (end, walk.direction) {
                (None, _) => {}
                (Some(id), Direction::NewestFirst) => walk.from = id,
                (Some(id), Direction::OldestFirst) => walk.to = id.saturating_add(1),
            }
            self.sql.push_str(&walk.sql(&mut self.values));
        }
        let rows = self.query().fetch_all(connection).await?;
        let found = match rows.first().filter(|_| is_bounded_by_bytes) {
            Some(row) => row.try_get::<i64, _>("found")?,
            None => 0,
        };
        let items = rows.iter().map(|row| read(row)).collect::<Result<Vec<_>, _>>()?;
        let is_large_enough = usize::try_from(found).is_ok_and(|found| found > items.len());
        let filled = if is_large_enough {
            End::LargeEnough
        } else {
            End::NoMore
        };
        let page = Page::of_first(items, limit, filled, id_of);
        Ok(Page {
            next: page.next.or(end),
            ..page
        })
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

    /// The query with its values. Asks for one more than wished, which tells whether there is a next page.
    fn query(self) -> Query<'static, Postgres, PgArguments> {
        let limit = i64::from(self.limit) + 1;
        let page = format!("{} LIMIT {limit}", self.sql);
        let sql = match self.within_bytes {
            Some((columns, most_bytes)) => format!(
                "SELECT {columns}, found FROM (SELECT *, count(*) OVER () AS found, \
                 sum(octet_length(body)) OVER (ORDER BY id DESC) - octet_length(body) AS bytes_before \
                 FROM ({page}) AS page) AS counted WHERE bytes_before < {most_bytes} ORDER BY id DESC"
            ),
            None => page,
        };
        query_of(sql, self.values)
    }
}

fn query_of(sql: String, values: Vec<Value>) -> Query<'static, Postgres, PgArguments> {
    let query = unprepared(AssertSqlSafe(sql));
    values.into_iter().fold(query, |query, value| match value {
        Value::Number(number) => query.bind(number),
        Value::Text(text) => query.bind(text),
    })
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

/// The rows that can be read, and those that cannot. The first column is the row's id.
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
