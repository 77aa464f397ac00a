//! Tasks on SQLite. Whoever runs one stays on its thread and waits for nothing.

use async_trait::async_trait;
use futures_util::FutureExt;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};
use send_wrapper::SendWrapper;
use switchhook_domain::id::{CompanyId, ReplayId};

use super::SqliteStore;
use super::transaction::Transaction;
use crate::commit::Weight;
use crate::error::StoreError;
use crate::sealing::Sealing;
use crate::sql::{
    BoxedReadTask, BoxedWriteTask, Dialect, Driver, Plan, ReadMode, RowCallback, Sql, SqlTransaction, Value,
    WriteMode,
};

/// A connection, on its thread.
pub(super) struct OnThread<'c>(SendWrapper<&'c Connection>);

impl<'c> OnThread<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self(SendWrapper::new(connection))
    }
}

/// The open transaction, on its thread.
pub(super) struct TransactionOnThread<'t, 'c>(SendWrapper<&'t mut Transaction<'c>>);

impl<'t, 'c> TransactionOnThread<'t, 'c> {
    pub(super) fn new(transaction: &'t mut Transaction<'c>) -> Self {
        Self(SendWrapper::new(transaction))
    }
}

/// Result of a future that never waits.
pub(super) fn at_once<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    work.now_or_never()
        .unwrap_or_else(|| Err(StoreError::Unavailable("a task waited for something".into())))
}

fn query(
    connection: &Connection,
    statement: &str,
    values: &[Value<'_>],
    each: &mut RowCallback<'_>,
) -> Result<(), StoreError> {
    let mut prepared = connection.prepare_cached(&Dialect::Sqlite.spell(statement))?;
    let mut rows = prepared.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        each(row)?;
    }
    Ok(())
}

fn execute(connection: &Connection, statement: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
    let mut prepared = connection.prepare_cached(&Dialect::Sqlite.spell(statement))?;
    Ok(prepared.execute(params_from_iter(values))? as u64)
}

#[async_trait]
impl Sql for OnThread<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn query(
        &mut self,
        _plan: Plan,
        statement: &str,
        values: &[Value<'_>],
        each: &mut RowCallback<'_>,
    ) -> Result<(), StoreError> {
        query(&self.0, statement, values, each)
    }

    async fn execute(&mut self, statement: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        execute(&self.0, statement, values)
    }
}

#[async_trait]
impl Sql for TransactionOnThread<'_, '_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn query(
        &mut self,
        _plan: Plan,
        statement: &str,
        values: &[Value<'_>],
        each: &mut RowCallback<'_>,
    ) -> Result<(), StoreError> {
        query(self.0.connection, statement, values, each)
    }

    async fn execute(&mut self, statement: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        execute(self.0.connection, statement, values)
    }
}

#[async_trait]
impl SqlTransaction for TransactionOnThread<'_, '_> {
    /// There are no other nodes.
    async fn registry_changed(&mut self, _company_id: CompanyId) -> Result<(), StoreError> {
        Ok(())
    }

    /// Does nothing, because nobody else writes.
    async fn lock_replay(&mut self, _id: ReplayId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn lock_subject(&mut self, _subject: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn overwrite(&mut self) -> Result<(), StoreError> {
        self.0.begin_overwriting()
    }
}

#[async_trait]
impl Driver for SqliteStore {
    fn sealing(&self) -> Sealing {
        self.parts.sealing.clone()
    }

    async fn run_reading(&self, mode: ReadMode, task: BoxedReadTask) -> Result<(), StoreError> {
        let read = move |connection: &Connection| {
            let _moment = match mode {
                ReadMode::Snapshot => Some(connection.unchecked_transaction()?),
                ReadMode::Committed | ReadMode::Keys => None,
            };
            at_once(task(&mut OnThread::new(connection)))
        };
        match mode {
            // Only events are answered before they can be read, so that nothing need be committed first.
            ReadMode::Keys => self.parts.key_reader.run(read).await,
            ReadMode::Committed | ReadMode::Snapshot => self.read_committed(read).await,
        }
    }

    /// Every write has an order.
    async fn run_writing(&self, mode: WriteMode, mut task: BoxedWriteTask) -> Result<(), StoreError> {
        let bytes = match mode {
            WriteMode::Unordered { bytes } => bytes,
            WriteMode::Registry => 0,
        };
        let write = move |transaction: &mut Transaction<'_>| {
            let result = at_once(task(&mut TransactionOnThread::new(transaction)));
            transaction.end_overwriting()?;
            result
        };
        self.parts.writer.run(Weight::of(1, bytes), write).await
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let borrowed = |value| ToSqlOutput::Borrowed(value);
        Ok(match self {
            Self::Number(None) | Self::Real(None) | Self::Text(None) => borrowed(ValueRef::Null),
            Self::Number(Some(number)) => borrowed(ValueRef::Integer(*number)),
            Self::Real(Some(number)) => borrowed(ValueRef::Real(*number)),
            Self::Text(Some(text)) => borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => borrowed(ValueRef::Blob(bytes)),
            Self::Numbers(numbers) => ToSqlOutput::Owned(json_array(numbers).into()),
        })
    }
}

fn json_array(numbers: &[i64]) -> String {
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    format!("[{}]", numbers.join(","))
}
