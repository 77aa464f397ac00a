//! Statements of a transaction: cached by the connection, and those for every event held as long as the transaction lasts.

use rusqlite::{CachedStatement, Connection};

use crate::error::StoreError;

pub(super) struct Statements<'c> {
    connection: &'c Connection,
    hot: Vec<(&'static str, CachedStatement<'c>)>,
}

impl<'c> Statements<'c> {
    pub(super) const fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            hot: Vec::new(),
        }
    }

    pub(super) fn prepare(&self, sql: &str) -> Result<CachedStatement<'c>, StoreError> {
        Ok(self.connection.prepare_cached(sql)?)
    }

    /// A statement that is used for every event: it is looked up once in a transaction. There are a handful of these.
    pub(super) fn hot(&mut self, sql: &'static str) -> Result<&mut CachedStatement<'c>, StoreError> {
        let is_it = |(known, _): &(&'static str, _)| std::ptr::eq(*known, sql);
        let index = match self.hot.iter().position(is_it) {
            Some(index) => index,
            None => {
                self.hot.push((sql, self.connection.prepare_cached(sql)?));
                self.hot.len() - 1
            }
        };
        Ok(&mut self.hot[index].1)
    }
}
