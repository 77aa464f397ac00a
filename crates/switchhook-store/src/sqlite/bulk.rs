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

/// Rows per statement. The rest is inserted one by one.
const AT_ONCE: usize = 16;

/// An `INSERT`, of one row and of [`AT_ONCE`].
pub(super) struct Insertion {
    one: &'static str,
    many: LazyLock<String>,
}

impl Insertion {
    /// Of a statement that ends with the values of one row.
    pub(super) const fn new(one: &'static str, many: fn() -> String) -> Self {
        Self {
            one,
            many: LazyLock::new(many),
        }
    }
}

/// The statement for many rows, made of the one for one: `… VALUES (?, ?), (?, ?), …`.
pub(super) fn many(one: &str) -> String {
    let values = one.find("VALUES ").map_or(one.len(), |at| at + "VALUES ".len());
    let (into, row) = one.split_at(values);
    format!("{into}{}", [row; AT_ONCE].join(", "))
}

/// Puts `rows` into their table; `bind` gives the values of one.
pub(super) fn insert<T>(
    statements: &mut Statements<'_>,
    insertion: &'static Insertion,
    rows: &[T],
    bind: impl Fn(&T, &mut Values<'_, '_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (full, rest) = rows.as_chunks::<AT_ONCE>();
    for rows in full {
        execute(statements.hot(&insertion.many)?, rows, &bind)?;
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
        let many = many("INSERT INTO t (a, b) VALUES (?, ?)");
        assert!(many.starts_with("INSERT INTO t (a, b) VALUES (?, ?), (?, ?), "));
        assert_eq!(many.matches("(?, ?)").count(), AT_ONCE);
    }
}
