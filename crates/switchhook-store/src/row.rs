//! Reading rows, whichever database they come from: one column after the other, each with an error that names table, row
//! and column. What the rows of a table mean is told in a file for each noun below.

pub(crate) mod attempt;
pub(crate) mod channel;
pub(crate) mod company;
pub(crate) mod delivery;
pub(crate) mod event;
pub(crate) mod history;
pub(crate) mod key;
pub(crate) mod notification;
pub(crate) mod outage;
pub(crate) mod replay;
pub(crate) mod secret;
pub(crate) mod source;
pub(crate) mod subscription;
pub(crate) mod suspension;
pub(crate) mod webhook;
pub(crate) mod websocket;

use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use switchhook_domain::Kind;
use switchhook_domain::Timestamp;

use crate::error::StoreError;

/// A row as its driver has it. Errors say what is wrong with the column.
///
/// Whole numbers are 64 bits wide, also those that are small or yes (1) and no (0).
pub(crate) trait DriverRow {
    fn number(&self, column: usize) -> Result<Option<i64>, String>;
    fn real(&self, column: usize) -> Result<Option<f64>, String>;
    fn text(&self, column: usize) -> Result<Option<&str>, String>;
    /// Of a text or of bytes.
    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, String>;
    fn column_name(&self, column: usize) -> String;
}

/// Row of any driver.
pub(crate) type Row<'r> = dyn DriverRow + 'r;

impl Row<'_> {
    /// One column of a row that is not read as a whole.
    pub(crate) fn get<'r, T: FromColumn<'r>>(&'r self, column: usize) -> Result<T, StoreError> {
        T::from_column(self, column)
            .map_err(|error| StoreError::Corrupt(format!("column {}: {error}", self.column_name(column))))
    }
}

/// Type that a column can be read as.
pub(crate) trait FromColumn<'r>: Sized {
    /// `None` if the column is NULL.
    fn maybe(row: &'r Row<'_>, column: usize) -> Result<Option<Self>, String>;

    fn from_column(row: &'r Row<'_>, column: usize) -> Result<Self, String> {
        Self::maybe(row, column)?.ok_or_else(|| "it is empty".to_owned())
    }
}

macro_rules! from_columns {
    ($($type:ty: |$row:ident, $column:ident| $read:expr;)+) => {$(
        impl<'r> FromColumn<'r> for $type {
            fn maybe($row: &'r Row<'_>, $column: usize) -> Result<Option<Self>, String> {
                $read
            }
        }
    )+};
}

from_columns! {
    i64: |row, column| row.number(column);
    u16: |row, column| narrowed(row, column);
    u32: |row, column| narrowed(row, column);
    u64: |row, column| narrowed(row, column);
    usize: |row, column| narrowed(row, column);
    bool: |row, column| Ok(row.number(column)?.map(|number| number != 0));
    f64: |row, column| row.real(column);
    &'r str: |row, column| row.text(column);
    String: |row, column| Ok(row.text(column)?.map(str::to_owned));
    &'r [u8]: |row, column| row.bytes(column);
    Vec<u8>: |row, column| Ok(row.bytes(column)?.map(<[u8]>::to_vec));
    [u8; 32]: |row, column| row
        .bytes(column)?
        .map(|bytes| bytes.try_into().map_err(|_| format!("{} bytes instead of 32", bytes.len())))
        .transpose();
}

impl<'r, T: FromColumn<'r>> FromColumn<'r> for Option<T> {
    fn maybe(row: &'r Row<'_>, column: usize) -> Result<Option<Self>, String> {
        T::maybe(row, column).map(Some)
    }
}

fn narrowed<T: TryFrom<i64, Error: Display>>(row: &Row<'_>, column: usize) -> Result<Option<T>, String> {
    let Some(number) = row.number(column)? else {
        return Ok(None);
    };
    T::try_from(number)
        .map(Some)
        .map_err(|error| format!("{number}: {error}"))
}

/// The columns of a row, read from the first to the last.
pub(crate) struct Columns<'r> {
    row: &'r Row<'r>,
    table: &'static str,
    id: i64,
    next: usize,
}

impl<'r> Columns<'r> {
    /// The columns of a row whose first column is its id.
    pub(crate) fn of(table: &'static str, row: &'r Row<'_>) -> Result<Self, StoreError> {
        let mut columns = Self {
            row,
            table,
            id: 0,
            next: 0,
        };
        columns.id = columns.read()?;
        Ok(columns)
    }

    pub(crate) const fn id(&self) -> i64 {
        self.id
    }

    /// Reads the next column.
    pub(crate) fn read<T: FromColumn<'r>>(&mut self) -> Result<T, StoreError> {
        let column = self.next;
        self.next += 1;
        T::from_column(self.row, column).map_err(|error| self.unreadable(column, error))
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, StoreError> {
        self.read().map(Timestamp::from_millis)
    }

    pub(crate) fn maybe_time(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.read::<Option<i64>>()?.map(Timestamp::from_millis))
    }

    /// Parses the next column's text.
    pub(crate) fn word<T: FromStr<Err: Display>>(&mut self) -> Result<T, StoreError> {
        let column = self.next;
        let text = self.text()?;
        text.parse().map_err(|error| self.unreadable(column, error))
    }

    /// Parses the next column's text, if it has one.
    pub(crate) fn maybe_word<T: FromStr<Err: Display>>(&mut self) -> Result<Option<T>, StoreError> {
        let column = self.next;
        let word = self.maybe_text()?.map(str::parse);
        word.transpose().map_err(|error| self.unreadable(column, error))
    }

    pub(crate) fn kind(&mut self) -> Result<Kind, StoreError> {
        let column = self.next;
        let text = self.text()?;
        Kind::of_kept(text).map_err(|error| self.unreadable(column, error))
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        let column = self.next;
        let text = self.text()?;
        serde_json::from_str(text).map_err(|error| self.unreadable(column, error))
    }

    pub(crate) fn maybe_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        let column = self.next;
        let json = self.maybe_text()?.map(serde_json::from_str);
        json.transpose().map_err(|error| self.unreadable(column, error))
    }

    /// The bytes of a text or of bytes.
    pub(crate) fn bytes(&mut self) -> Result<&'r [u8], StoreError> {
        self.read()
    }

    pub(crate) fn text(&mut self) -> Result<&'r str, StoreError> {
        self.read()
    }

    pub(crate) fn maybe_text(&mut self) -> Result<Option<&'r str>, StoreError> {
        self.read()
    }

    /// An error that names the table and the row.
    pub(crate) fn corrupt(&self, what: impl Display) -> StoreError {
        StoreError::Corrupt(format!("table {}, row {}: {what}", self.table, self.id))
    }

    fn unreadable(&self, column: usize, error: impl Display) -> StoreError {
        self.corrupt(format_args!("column {}: {error}", self.row.column_name(column)))
    }
}
