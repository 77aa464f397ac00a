//! One SQL for two databases.
//!
//! A statement is written as SQLite takes it: `?` and `?1` stand for values, `INDEXED BY`, `NOT INDEXED` and `CROSS JOIN … ON`
//! tell the way where SQLite, which counts nothing, would guess. PostgreSQL is asked without these, and with two phrases of its
//! own that SQLite does not need or know: `FOR UPDATE` or `FOR UPDATE SKIP LOCKED` at the end of a statement, and `= ANY(?)` for a list of numbers.

use std::borrow::Cow;

/// SQL dialect of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// The statement as the database takes it.
    pub(crate) fn spell(self, statement: &str) -> Cow<'_, str> {
        match self {
            Self::Sqlite => for_sqlite(statement),
            Self::Postgres => Cow::Owned(for_postgres(statement)),
        }
    }
}

fn for_sqlite(statement: &str) -> Cow<'_, str> {
    let (statement, _lock) = statement.split_once(" FOR UPDATE").unwrap_or((statement, ""));
    if statement.contains("= ANY(?)") {
        Cow::Owned(statement.replace("= ANY(?)", "IN (SELECT value FROM json_each(?))"))
    } else {
        Cow::Borrowed(statement)
    }
}

fn for_postgres(statement: &str) -> String {
    let statement = statement
        .replace(" NOT INDEXED", "")
        .replace("CROSS JOIN", "JOIN");
    let mut parts = statement.split(" INDEXED BY ");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let index_ends = part.find([' ', ')']).unwrap_or(part.len());
        rest.push_str(&part[index_ends..]);
    }
    numbered(&rest)
}

/// With `$1, $2, …` for `?`, and `$1` for `?1`.
fn numbered(statement: &str) -> String {
    let mut parts = statement.split('?');
    let mut numbered = parts.next().unwrap_or_default().to_owned();
    for (before, part) in parts.enumerate() {
        numbered.push('$');
        if !part.starts_with(|next: char| next.is_ascii_digit()) {
            numbered.push_str(&(before + 1).to_string());
        }
        numbered.push_str(part);
    }
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_gets_what_it_understands() {
        for (statement, sqlite, postgres) in [
            (
                "SELECT 1 FROM t WHERE a = ? AND b = ?",
                "SELECT 1 FROM t WHERE a = ? AND b = ?",
                "SELECT 1 FROM t WHERE a = $1 AND b = $2",
            ),
            (
                "UPDATE t SET a = ?2 WHERE b = ?1",
                "UPDATE t SET a = ?2 WHERE b = ?1",
                "UPDATE t SET a = $2 WHERE b = $1",
            ),
            (
                "SELECT (SELECT 1 FROM u INDEXED BY u_by_a), 2 FROM t INDEXED BY t_by_b WHERE true",
                "SELECT (SELECT 1 FROM u INDEXED BY u_by_a), 2 FROM t INDEXED BY t_by_b WHERE true",
                "SELECT (SELECT 1 FROM u), 2 FROM t WHERE true",
            ),
            (
                "SELECT 1 FROM t NOT INDEXED CROSS JOIN u ON u.id = t.id",
                "SELECT 1 FROM t NOT INDEXED CROSS JOIN u ON u.id = t.id",
                "SELECT 1 FROM t JOIN u ON u.id = t.id",
            ),
            (
                "SELECT 1 FROM t WHERE id = ANY(?) AND a = ? FOR UPDATE",
                "SELECT 1 FROM t WHERE id IN (SELECT value FROM json_each(?)) AND a = ?",
                "SELECT 1 FROM t WHERE id = ANY($1) AND a = $2 FOR UPDATE",
            ),
        ] {
            assert_eq!(Dialect::Sqlite.spell(statement), sqlite);
            assert_eq!(Dialect::Postgres.spell(statement), postgres);
        }
    }
}
