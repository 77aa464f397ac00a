//! Lists: queries put together from what they are narrowed to, and pages by key.

use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, first_id_at};

use super::{Dialect, Plan, RowCallback, Sql, Value, unless_corrupt};
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::Row;

/// A query in the making: a walk along an index, between two ids. Only fixed text goes into its SQL; every value is a parameter.
pub(crate) struct Listing {
    columns: &'static str,
    /// Of which table, and which part of it: `FROM table WHERE condition`.
    of: &'static str,
    /// The column by which rows are told apart, the last one of the index.
    id: &'static str,
    /// The columns of the index before the id.
    path: Vec<(&'static str, Value<'static>)>,
    /// The first id, and the one after the last.
    from: i64,
    to: i64,
    direction: Direction,
    /// Further conditions.
    narrowing: Vec<(String, Value<'static>)>,
    /// Company whose rows these must be, if the path does not say so.
    owner: Option<CompanyId>,
    limit: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    OldestFirst,
    NewestFirst,
}

/// Approximate bound on the rows that a page passes over. Then it ends with what it has, and the next one continues
/// there: a search for something rare takes several steps, none of which is long.
pub const MOST_PASSED: i64 = 10_000;

/// End of one page.
enum Reach {
    /// As far as it takes.
    Whole,
    /// Up to this id, included.
    UpTo(i64),
    /// Nowhere: the rows there are somebody else's.
    Nowhere,
}

impl Listing {
    /// `columns`, with the id first, of what `of` names: `FROM table WHERE condition`.
    pub(crate) const fn new(columns: &'static str, of: &'static str) -> Self {
        Self {
            columns,
            of,
            id: "id",
            path: Vec::new(),
            from: 0,
            to: i64::MAX,
            direction: Direction::OldestFirst,
            narrowing: Vec::new(),
            owner: None,
            limit: 0,
        }
    }

    /// Rows are told apart by another column than `id`.
    pub(crate) fn identified_by(self, id: &'static str) -> Self {
        Self { id, ..self }
    }

    /// Only rows with this value, if there is one, in the next column of the index.
    pub(crate) fn along(mut self, column: &'static str, value: Option<impl Into<Value<'static>>>) -> Self {
        self.path.extend(value.map(|value| (column, value.into())));
        self
    }

    /// Only rows with this value, if there is one, in a column that no index is made for.
    pub(crate) fn narrowed(mut self, column: &'static str, value: Option<impl Into<Value<'static>>>) -> Self {
        if !self.goes_along(column) {
            self.narrowing
                .extend(value.map(|value| (format!("{column} = ?"), value.into())));
        }
        self
    }

    /// Only rows of which a condition that no index is made for holds, with a `?`, if there is a value for it.
    pub(crate) fn narrowed_to(mut self, condition: &str, value: Option<impl Into<Value<'static>>>) -> Self {
        self.narrowing
            .extend(value.map(|value| (condition.to_owned(), value.into())));
        self
    }

    /// Only rows of this company, where the path is that of something which belongs to one company. The sum keeps both databases
    /// from the company's own indexes.
    pub(crate) fn owned_by(self, company_id: impl Into<Option<CompanyId>>) -> Self {
        if self.goes_along("company_id") {
            return self;
        }
        let owner = company_id.into();
        Self {
            owner,
            ..self.narrowed("company_id + 0", owner.map(|id| id.0))
        }
    }

    fn goes_along(&self, column: &str) -> bool {
        self.path.iter().any(|(walked, _)| *walked == column)
    }

    /// Only ids made in this time: ids are time-ordered, so that needs no index of its own.
    pub(crate) fn between(mut self, since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        self.from = self.from.max(since.map_or(0, first_id_at));
        self.to = self.to.min(until.map_or(i64::MAX, first_id_at));
        self
    }

    /// The page with the smallest ids first.
    pub(crate) fn oldest_first(mut self, page: PageRequest) -> Self {
        self.from = self
            .from
            .max(page.after.map_or(0, |after| after.saturating_add(1)));
        self.direction = Direction::OldestFirst;
        self.limit = page.limit;
        self
    }

    /// The page with the largest ids first.
    pub(crate) fn newest_first(mut self, page: PageRequest) -> Self {
        self.to = self.to.min(page.after.unwrap_or(i64::MAX));
        self.direction = Direction::NewestFirst;
        self.limit = page.limit;
        self
    }

    /// The query of the page. Asks for one more than wished, which tells whether there is a next page.
    pub(crate) fn page_sql(&self, dialect: Dialect) -> String {
        let narrowing = self
            .narrowing
            .iter()
            .map(|(condition, _)| format!(" AND {condition}"));
        let narrowing: String = narrowing.collect();
        let Self { columns, of, .. } = self;
        let (bounds, order) = (self.bounds(dialect), self.order(dialect));
        format!("SELECT {columns} {of}{bounds}{narrowing} ORDER BY {order} LIMIT ?")
    }

    /// The query of the last row that the page may pass by, from the index alone, and of whose it is.
    pub(crate) fn reach_sql(&self, dialect: Dialect) -> String {
        let Self { of, id, .. } = self;
        let table = of.split(' ').nth(1).unwrap_or_default();
        let (bounds, order) = (self.bounds(dialect), self.order(dialect));
        format!(
            "SELECT id, company_id FROM {table} WHERE id = (SELECT {id} {of}{bounds} ORDER BY {order} \
             LIMIT 1 OFFSET {MOST_PASSED})"
        )
    }

    /// Bounds of the walk.
    ///
    /// SQLite uses the index that it is told. PostgreSQL, with `column = value ORDER BY id`, may walk along ids
    /// alone, over everybody's rows, because it expects to meet enough matches soon; where there are few it then
    /// reads the whole table. So there the order names all columns of the index, which no other index provides, and
    /// the values are the bounds of the walk.
    fn bounds(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Sqlite => {
                let path: String = self.path.iter().map(|(column, _)| equal(column)).collect();
                let id = self.id;
                format!("{path} AND {id} >= ? AND {id} < ?")
            }
            Dialect::Postgres => {
                let columns = self.walked().join(", ");
                let marks = vec!["?"; self.path.len() + 1].join(", ");
                format!(" AND ({columns}) >= ({marks}) AND ({columns}) < ({marks})")
            }
        }
    }

    fn order(&self, dialect: Dialect) -> String {
        let columns = match dialect {
            Dialect::Sqlite => vec![self.id],
            Dialect::Postgres => self.walked(),
        };
        match self.direction {
            Direction::OldestFirst => columns.join(", "),
            Direction::NewestFirst => columns.join(" DESC, ") + " DESC",
        }
    }

    /// The columns of the index.
    fn walked(&self) -> Vec<&'static str> {
        let path = self.path.iter().map(|(column, _)| *column);
        path.chain([self.id]).collect()
    }

    fn bounds_values(&self, dialect: Dialect) -> Vec<Value<'static>> {
        let path = || self.path.iter().map(|(_, value)| value.clone());
        let (from, to) = (self.from.into(), self.to.into());
        match dialect {
            Dialect::Sqlite => path().chain([from, to]).collect(),
            Dialect::Postgres => path().chain([from]).chain(path()).chain([to]).collect(),
        }
    }

    /// Without a path, and with nothing else to look for, a walk passes by nothing.
    async fn reach(&self, sql: &mut dyn Sql) -> Result<Reach, StoreError> {
        if self.narrowing.is_empty() || self.path.is_empty() {
            return Ok(Reach::Whole);
        }
        let dialect = sql.dialect();
        let (statement, values) = (self.reach_sql(dialect), self.bounds_values(dialect));
        let mut last = None;
        let mut each = |row: &Row<'_>| {
            last = Some((row.get::<i64>(0)?, CompanyId(row.get(1)?)));
            Ok(())
        };
        sql.query(Plan::EachTime, &statement, &values, &mut each).await?;
        Ok(match last {
            None => Reach::Whole,
            Some((_, company_id)) if self.owner.is_some_and(|owner| owner != company_id) => Reach::Nowhere,
            Some((id, _)) => Reach::UpTo(id),
        })
    }

    pub(crate) async fn page<T: Send>(
        mut self,
        sql: &mut dyn Sql,
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
        id_of: impl Fn(&T) -> i64 + Send,
    ) -> Result<Page<T>, StoreError> {
        let mut items = Vec::new();
        let reach = match self.reach(sql).await? {
            Reach::Whole => None,
            Reach::UpTo(id) => Some(id),
            Reach::Nowhere => return Ok(Page::of(items, self.limit, id_of)),
        };
        match (reach, self.direction) {
            (None, _) => {}
            (Some(id), Direction::NewestFirst) => self.from = id,
            (Some(id), Direction::OldestFirst) => self.to = id.saturating_add(1),
        }
        let dialect = sql.dialect();
        let mut values = self.bounds_values(dialect);
        values.extend(self.narrowing.iter().map(|(_, value)| value.clone()));
        values.push((i64::from(self.limit) + 1).into());
        let each: &mut RowCallback<'_> = &mut |row| {
            items.push(read(row)?);
            Ok(())
        };
        sql.query(Plan::EachTime, &self.page_sql(dialect), &values, each)
            .await?;
        let page = Page::of(items, self.limit, id_of);
        Ok(Page {
            next: page.next.or(reach),
            ..page
        })
    }

    /// Reads the page without the rows that cannot be read: one of them must not hide the others.
    pub(crate) async fn page_of_readable<T: Send>(
        self,
        sql: &mut dyn Sql,
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Page<T>, StoreError> {
        let read_or_tell = |row: &Row<'_>| Ok((row.get::<i64>(0)?, unless_corrupt(read(row))?));
        let page = self.page(sql, read_or_tell, |(id, _)| *id).await?;
        Ok(Page {
            items: page.items.into_iter().filter_map(|(_, item)| item).collect(),
            next: page.next,
        })
    }
}

fn equal(column: &str) -> String {
    format!(" AND {column} = ?")
}
