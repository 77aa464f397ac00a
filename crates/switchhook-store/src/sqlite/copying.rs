//! A SQLite file as a side of a copy, and the tables that there are to copy.

use std::path::Path;

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use switchhook_domain::Timestamp;

use super::connection::{self, Checkpoints, DatabaseLocation};
use super::location::StoreFile;
use super::lock::OwnerLock;
use super::sql::{OnThread, at_once};
use super::{SqliteStore, schema};
use crate::copy_endpoint::{Cell, Column, ColumnType, CopyEndpoint, MARKER, Record, Table};
use crate::error::StoreError;
use crate::options::StoreOptions;
use crate::sealing::Sealing;
use crate::shared::secrets;

/// Tables that belong to one store and its driver.
const ITS_OWN: [&str; 3] = ["schema_migrations", "checks", "owner"];

/// Every attempt; those that have a row of their own; and how the columns begin that hold the others, in the rows of their
/// deliveries. They are copied as attempts: another store keeps them otherwise.
const ATTEMPTS: &str = "attempts";
const ATTEMPT_ROWS: &str = "attempt_rows";
const FIRST_ATTEMPT: &str = "first_";

/// The tables to copy, as the migrations make them.
pub(crate) fn tables(now: Timestamp) -> Result<Vec<Table>, StoreError> {
    let mut connection = connection::open_writing(&DatabaseLocation::Memory, Checkpoints::Elsewhere)?;
    schema::migrate(&mut connection, now)?;
    let sql =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
    let mut statement = connection.prepare(sql)?;
    let names = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    let ours = names.into_iter().filter(|name| !ITS_OWN.contains(&&**name));
    ours.map(|name| {
        let mut columns = columns(&connection, &name)?;
        columns.retain(|column| !column.name.starts_with(FIRST_ATTEMPT));
        let name = if name == ATTEMPT_ROWS {
            ATTEMPTS.into()
        } else {
            name
        };
        Ok(Table { name, columns })
    })
    .collect()
}

fn columns(connection: &Connection, table: &str) -> Result<Vec<Column>, StoreError> {
    let mut statement = connection.prepare("SELECT name, type, pk FROM pragma_table_info(?)")?;
    let mut rows = statement.query([table])?;
    let mut columns = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, is, key): (String, String, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let column_type = match &*is {
            "INTEGER" => ColumnType::Numbers,
            "REAL" => ColumnType::Reals,
            "BLOB" => ColumnType::Bytes,
            _ => ColumnType::Texts,
        };
        columns.push(Column {
            name,
            column_type,
            key,
        });
    }
    Ok(columns)
}

pub(crate) struct SqliteEndpoint {
    connection: Connection,
    _lock: OwnerLock,
}

impl SqliteEndpoint {
    /// Opens the file for this process alone; creates it if there is none.
    pub(crate) fn open(path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let file = StoreFile::at(path)?;
        let is_unfinished = path.exists() && is_marked(&connection::open_reading(&file)?)?;
        if !is_unfinished {
            // What a process left claimed is closed, and the schema brought up to date.
            drop(SqliteStore::open_sealed(&file, &StoreOptions::owner(now))?);
        }
        let lock = OwnerLock::take(&file)?;
        let connection = connection::open_writing(&DatabaseLocation::File(file), Checkpoints::Here)?;
        Ok(Self {
            connection,
            _lock: lock,
        })
    }

    fn number(&self, sql: &str) -> Result<u64, StoreError> {
        let number: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(number.unsigned_abs())
    }
}

/// True if a copy into the file is unfinished.
pub(super) fn is_marked(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?";
    Ok(connection
        .query_row(sql, [MARKER], |_| Ok(()))
        .optional()?
        .is_some())
}

#[async_trait]
impl CopyEndpoint for SqliteEndpoint {
    async fn count(&mut self, table: &Table) -> Result<u64, StoreError> {
        self.number(&format!("SELECT count(*) FROM {}", table.name))
    }

    async fn payload_bytes(&mut self) -> Result<u64, StoreError> {
        self.number("SELECT coalesce(sum(octet_length(body)), 0) FROM events")
    }

    async fn check_secrets(&mut self, sealing: &Sealing) -> Result<(), StoreError> {
        at_once(secrets::check(&mut OnThread::new(&self.connection), sealing))
    }

    async fn last_key(&mut self, table: &Table) -> Result<Option<Record>, StoreError> {
        let key = table.key_names();
        let backwards = key.replace(',', " DESC,");
        let sql = format!(
            "SELECT {key} FROM {} ORDER BY {backwards} DESC LIMIT 1",
            table.name
        );
        let count = table.key().len();
        let row = self
            .connection
            .query_row(&sql, [], |row| record(row, count))
            .optional()?;
        Ok(row)
    }

    async fn read(
        &mut self,
        table: &Table,
        after: Option<&Record>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let (names, key) = (table.names(), table.key_names());
        let behind = match after {
            // The first of the key by itself, or the rows of deliveries would be passed from the beginning to find the attempts in them.
            Some(after) => format!(
                "WHERE ({key}) > ({}) AND {} >= ?1",
                vec!["?"; after.len()].join(", "),
                table.columns[table.key()[0]].name
            ),
            None => String::new(),
        };
        let sql = format!(
            "SELECT {names} FROM {} {behind} ORDER BY {key} LIMIT {limit}",
            table.name
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let values = after.into_iter().flatten().cloned().map(value);
        let mut rows = statement.query(params_from_iter(values))?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            records.push(record(row, table.columns.len())?);
        }
        Ok(records)
    }

    async fn write(&mut self, table: &Table, rows: Vec<Record>) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        let places = vec!["?"; table.columns.len()].join(", ");
        let name = match &*table.name {
            ATTEMPTS => ATTEMPT_ROWS,
            name => name,
        };
        let sql = format!("INSERT INTO {name} ({}) VALUES ({places})", table.names());
        {
            let mut statement = transaction.prepare_cached(&sql)?;
            for row in rows {
                statement.execute(params_from_iter(row.into_iter().map(value)))?;
            }
        }
        Ok(transaction.commit()?)
    }

    async fn marker(&mut self) -> Result<Option<String>, StoreError> {
        if !is_marked(&self.connection)? {
            return Ok(None);
        }
        let sql = format!("SELECT source FROM {MARKER}");
        Ok(self.connection.query_row(&sql, [], |row| row.get(0)).optional()?)
    }

    async fn begin(&mut self, source: &str) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch(&format!("CREATE TABLE {MARKER} (source TEXT NOT NULL) STRICT"))?;
        transaction.execute(&format!("INSERT INTO {MARKER} (source) VALUES (?)"), [source])?;
        Ok(transaction.commit()?)
    }

    async fn end(&mut self) -> Result<(), StoreError> {
        self.connection.execute_batch(&format!("DROP TABLE {MARKER}"))?;
        Ok(())
    }
}

fn record(row: &rusqlite::Row<'_>, columns: usize) -> rusqlite::Result<Record> {
    (0..columns)
        .map(|column| {
            Ok(match row.get(column)? {
                Value::Null => Cell::Nothing,
                Value::Integer(number) => Cell::Number(number),
                Value::Real(number) => Cell::Real(number),
                Value::Text(text) => Cell::Text(text),
                Value::Blob(bytes) => Cell::Bytes(bytes),
            })
        })
        .collect()
}

fn value(cell: Cell) -> Value {
    match cell {
        Cell::Nothing => Value::Null,
        Cell::Number(number) => Value::Integer(number),
        Cell::Real(number) => Value::Real(number),
        Cell::Text(text) => Value::Text(text),
        Cell::Bytes(bytes) => Value::Blob(bytes),
    }
}
