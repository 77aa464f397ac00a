//! A store as a side of a copy: its tables, their rows, and what a side must be able to do.

use async_trait::async_trait;

use crate::error::StoreError;
use crate::sealing::Sealing;

/// The table by which a target says that it is not whole yet.
pub(crate) const MARKER: &str = "copy_under_way";

/// Error for whoever opens such a target.
pub(crate) fn not_whole() -> StoreError {
    StoreError::Unusable(
        "a copy into this store has not finished: run the same `switchhook store copy` again, it goes on where it was".into(),
    )
}

/// A table, as both drivers have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) column_type: ColumnType,
    /// Its place in the key, from 1; 0: it is not part of it.
    pub(crate) key: u32,
}

/// Type of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Numbers,
    Reals,
    Texts,
    Bytes,
}

/// Value of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Nothing,
    Number(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

pub(crate) type Record = Vec<Cell>;

impl Table {
    /// The places of the columns that make up its key, in the key's order.
    pub(crate) fn key(&self) -> Vec<usize> {
        let mut key: Vec<_> = (0..self.columns.len())
            .filter(|n| self.columns[*n].key > 0)
            .collect();
        key.sort_by_key(|n| self.columns[*n].key);
        key
    }

    /// The names of the columns of its key: `a, b`.
    pub(crate) fn key_names(&self) -> String {
        let names: Vec<_> = self.key().into_iter().map(|n| &*self.columns[n].name).collect();
        names.join(", ")
    }

    /// The names of all its columns: `a, b, c`.
    pub(crate) fn names(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|column| &*column.name).collect();
        names.join(", ")
    }

    pub(crate) fn key_of(&self, record: &Record) -> Record {
        self.key().into_iter().map(|n| record[n].clone()).collect()
    }

    pub(crate) fn has_secrets(&self) -> bool {
        self.columns.iter().any(|column| column.name == "secret")
    }
}

/// A store as a side of a copy.
#[async_trait]
pub(crate) trait CopyEndpoint: Send {
    /// Number of rows in a table.
    async fn count(&mut self, table: &Table) -> Result<u64, StoreError>;
    /// Bytes of all payloads.
    async fn payload_bytes(&mut self) -> Result<u64, StoreError>;
    /// The key of the last row of a table.
    async fn last_key(&mut self, table: &Table) -> Result<Option<Record>, StoreError>;
    /// The next rows after a key.
    async fn read(
        &mut self,
        table: &Table,
        after: Option<&Record>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError>;
    /// Keeps rows, in one transaction.
    async fn write(&mut self, table: &Table, rows: Vec<Record>) -> Result<(), StoreError>;
    /// Finds out whether every secret can be read.
    async fn check_secrets(&mut self, sealing: &Sealing) -> Result<(), StoreError>;
    /// Source of the unfinished copy into this store.
    async fn marker(&mut self) -> Result<Option<String>, StoreError>;
    /// Says that a copy of `source` into this store begins.
    async fn begin(&mut self, source: &str) -> Result<(), StoreError>;
    /// Does what must be done once all rows are there, and says that the copy is whole; durably.
    async fn end(&mut self) -> Result<(), StoreError>;
}
