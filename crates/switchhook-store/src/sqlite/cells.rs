//! Reading rows: one cell after the other, each with an error that names table, row and column.

use std::fmt::Display;
use std::str::FromStr;

use rusqlite::Row;
use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use serde::de::DeserializeOwned;
use switchhook_domain::Timestamp;

use super::failure::{corrupt, corrupt_cell};
use crate::error::StoreError;

/// The cells of a row, read from the first to the last.
pub(super) struct Cells<'r> {
    row: &'r Row<'r>,
    table: &'static str,
    id: i64,
    next: usize,
}

impl<'r> Cells<'r> {
    /// The cells of a row whose first cell is its id.
    pub(super) fn of(table: &'static str, row: &'r Row<'r>) -> Result<Self, StoreError> {
        let mut cells = Self {
            row,
            table,
            id: 0,
            next: 0,
        };
        cells.id = cells.read()?;
        Ok(cells)
    }

    /// The row's id.
    pub(super) const fn id(&self) -> i64 {
        self.id
    }

    /// The next cell.
    pub(super) fn read<T: FromSql>(&mut self) -> Result<T, StoreError> {
        let column = self.next;
        let value = self.raw()?;
        T::column_result(value).map_err(|error| corrupt_cell(self.table, self.id, self.name(column), &error))
    }

    /// The next cell, a time.
    pub(super) fn time(&mut self) -> Result<Timestamp, StoreError> {
        self.read().map(Timestamp::from_millis)
    }

    /// The next cell, a time or nothing.
    pub(super) fn maybe_time(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.read::<Option<i64>>()?.map(Timestamp::from_millis))
    }

    /// The next cell, a text that means something.
    pub(super) fn word<T: FromStr<Err: Display>>(&mut self) -> Result<T, StoreError> {
        let column = self.next;
        let text = self.text()?;
        text.parse().map_err(|error| self.unreadable(column, error))
    }

    /// The next cell, JSON.
    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        let column = self.next;
        let text = self.text()?;
        serde_json::from_str(text).map_err(|error| self.unreadable(column, error))
    }

    /// The next cell, JSON or nothing.
    pub(super) fn maybe_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        let column = self.next;
        let json = self.maybe_text()?.map(serde_json::from_str);
        json.transpose().map_err(|error| self.unreadable(column, error))
    }

    /// The next cell's bytes, text or blob.
    pub(super) fn bytes(&mut self) -> Result<&'r [u8], StoreError> {
        let column = self.next;
        let value = self.raw()?;
        value.as_bytes().map_err(|error| self.unreadable(column, error))
    }

    /// The next cell, a text.
    pub(super) fn text(&mut self) -> Result<&'r str, StoreError> {
        let column = self.next;
        let value = self.raw()?;
        value.as_str().map_err(|error| self.unreadable(column, error))
    }

    /// The next cell, a text or nothing.
    pub(super) fn maybe_text(&mut self) -> Result<Option<&'r str>, StoreError> {
        let column = self.next;
        let value = self.raw()?;
        value
            .as_str_or_null()
            .map_err(|error| self.unreadable(column, error))
    }

    /// What is wrong with this row.
    pub(super) fn corrupt(&self, what: impl Display) -> StoreError {
        corrupt(self.table, self.id, what)
    }

    fn raw(&mut self) -> Result<ValueRef<'r>, StoreError> {
        let column = self.next;
        self.next += 1;
        self.row
            .get_ref(column)
            .map_err(|error| self.unreadable(column, error))
    }

    fn unreadable(&self, column: usize, error: impl Display) -> StoreError {
        self.corrupt(format_args!("column {}: {error}", self.name(column)))
    }

    fn name(&self, column: usize) -> &str {
        self.row.as_ref().column_name(column).unwrap_or("?")
    }
}

/// Bytes that are UTF-8 as the caller promised, bound as text without looking at them again.
pub(super) struct Verbatim<'a>(pub(super) &'a [u8]);

impl rusqlite::ToSql for Verbatim<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}
