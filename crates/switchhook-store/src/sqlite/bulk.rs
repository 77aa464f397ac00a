//! Many rows by one statement: SQLite opens a table and its indexes once for all of them, and a row whose key follows the
//! last one's goes where that went.
//!
//! They are written `OR FAIL`: whoever writes rows rolls back if one fails, so SQLite need not keep each page as it was before the
//! statement.

use std::sync::LazyLock;

use rusqlite::types::{self, ToSqlOutput, ValueRef};
use rusqlite::{Statement, ToSql};

use super::statements::Statements;
use crate::error::StoreError;

/// Rows of the largest statement.
pub(super) const MOST: usize = 64;

/// Rows of the statements for many. What is left after the last is inserted one by one.
const AT_ONCE: [usize; 3] = [MOST, 16, 4];

/// An `INSERT`, of one row and of as many as [`AT_ONCE`] says.
pub(super) struct Insertion {
    one: &'static str,
    many: LazyLock<[String; AT_ONCE.len()]>,
}

impl Insertion {
    /// Of a statement that ends with the values of one row.
    pub(super) const fn new(one: &'static str, many: fn() -> [String; AT_ONCE.len()]) -> Self {
        Self {
            one,
            many: LazyLock::new(many),
        }
    }
}

/// The statements for many rows, made of the one for one: `… VALUES (?, ?), (?, ?), …`.
pub(super) fn many(one: &str) -> [String; AT_ONCE.len()] {
    let values = one.find("VALUES ").map_or(one.len(), |at| at + "VALUES ".len());
    let (into, row) = one.split_at(values);
    AT_ONCE.map(|count| format!("{into}{}", vec![row; count].join(", ")))
}

/// Puts `rows` into their table; `bind` gives the values of one.
pub(super) fn insert<T>(
    statements: &mut Statements<'_>,
    insertion: &'static Insertion,
    rows: &[T],
    bind: impl Fn(&T, &mut Values<'_, '_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut rest = rows;
    for (count, many) in AT_ONCE.iter().zip(&*insertion.many) {
        let (full, left) = rest.split_at(rest.len() - rest.len() % count);
        for rows in full.chunks(*count) {
            execute(statements.hot(many)?, rows, &bind)?;
        }
        rest = left;
    }
    for row in rest {
        execute(statements.hot(insertion.one)?, std::slice::from_ref(row), &bind)?;
    }
    Ok(())
}

/// Puts `rows` into their table by a statement for as many.
pub(super) fn execute<T>(
    statement: &mut Statement<'_>,
    rows: &[T],
    bind: impl Fn(&T, &mut Values<'_, '_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    // What was bound before goes, so that what is null need not be bound: it is about half.
    statement.clear_bindings();
    let mut values = Values { statement, bound: 0 };
    for row in rows {
        bind(row, &mut values)?;
    }
    values.statement.raw_execute()?;
    Ok(())
}

/// The values of a statement, bound one after the other.
pub(super) struct Values<'s, 'c> {
    statement: &'s mut Statement<'c>,
    bound: usize,
}

impl Values<'_, '_> {
    pub(super) fn bind(&mut self, row: &[&dyn ToSql]) -> Result<(), StoreError> {
        for value in row {
            self.bound += 1;
            let value = value.to_sql()?;
            if !is_null(&value) {
                self.statement.raw_bind_parameter(self.bound, value)?;
            }
        }
        Ok(())
    }
}

const fn is_null(value: &ToSqlOutput<'_>) -> bool {
    matches!(
        value,
        ToSqlOutput::Owned(types::Value::Null) | ToSqlOutput::Borrowed(ValueRef::Null)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_for_many_rows_repeats_the_values_of_one() {
        for (many, count) in many("INSERT INTO t (a, b) VALUES (?, ?)").iter().zip(AT_ONCE) {
            assert!(many.starts_with("INSERT INTO t (a, b) VALUES (?, ?), (?, ?), "));
            assert_eq!(many.matches("(?, ?)").count(), count);
        }
    }

    #[test]
    fn however_many_rows_there_are_each_is_inserted_once() {
        const ONE: &str = "INSERT INTO t (a, b) VALUES (?, ?)";
        static INSERT: Insertion = Insertion::new(ONE, || many(ONE));
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute("CREATE TABLE t (a, b)", []).unwrap();
        let mut statements = Statements::new(&connection);
        for count in 0..=200 {
            let rows: Vec<u32> = (0..count).collect();
            insert(&mut statements, &INSERT, &rows, |row, values| {
                let b = (row % 3 > 0).then_some(*row);
                values.bind(rusqlite::params![row, b])
            })
            .unwrap();
            let sql = "SELECT a, b FROM t ORDER BY rowid";
            let mut read = connection.prepare(sql).unwrap();
            let read = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            let read: Vec<(u32, Option<u32>)> = read.map(Result::unwrap).collect();
            let expected = rows.iter().map(|row| (*row, (row % 3 > 0).then_some(*row)));
            assert_eq!(read, expected.collect::<Vec<_>>());
            connection.execute("DELETE FROM t", []).unwrap();
        }
    }
}
