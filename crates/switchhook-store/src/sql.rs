//! The seam between what is done alike on both drivers and the databases: statements in the SQL of both, and tasks.
//!
//! What is done for every event goes past it.

mod dialect;
pub(crate) mod listing;
mod value;

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use switchhook_domain::id::{CompanyId, ReplayId};

pub(crate) use self::dialect::Dialect;
pub(crate) use self::listing::Listing;
pub(crate) use self::value::{Value, values};
use crate::error::StoreError;
use crate::result_slot::result_slot;
use crate::row::Row;
use crate::sealing::Sealing;

/// A connection that statements run on. They are written as [`Dialect`] says.
#[async_trait]
pub(crate) trait Sql: Send {
    fn dialect(&self) -> Dialect;

    /// Runs a statement and shows every row that it finds to `each`.
    async fn query(
        &mut self,
        plan: Plan,
        statement: &str,
        values: &[Value<'_>],
        each: &mut RowCallback<'_>,
    ) -> Result<(), StoreError>;

    /// Runs a statement that finds nothing; answers how many rows it changed.
    async fn execute(&mut self, statement: &str, values: &[Value<'_>]) -> Result<u64, StoreError>;
}

/// Open transaction.
#[async_trait]
pub(crate) trait SqlTransaction: Sql {
    /// Lets every node know, once this is committed, that webhooks, websockets or subscriptions of the company changed. The
    /// node that changed them knows it already.
    async fn registry_changed(&mut self, company_id: CompanyId) -> Result<(), StoreError>;

    /// Waits until this transaction alone decides about where a replay stands, until the commit.
    async fn lock_replay(&mut self, id: ReplayId) -> Result<(), StoreError>;

    /// Locks what notices are about, so that of two at once one is new and the other counts with it.
    async fn lock_subject(&mut self, subject: &str) -> Result<(), StoreError>;

    /// From now on, what is deleted or replaced is overwritten where the database can do that, and not only forgotten.
    async fn overwrite(&mut self) -> Result<(), StoreError>;
}

/// Callback for each row.
pub(crate) type RowCallback<'e> = dyn FnMut(&Row<'_>) -> Result<(), StoreError> + Send + 'e;

/// True if a statement is planned once for all values. SQLite always does that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    Once,
    /// For the values that it has, because which index suits depends on them.
    EachTime,
}

/// Future of a task.
pub(crate) type TaskFuture<'c, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'c>>;

/// Task that reads, with its input.
pub(crate) type ReadTask<A, T> = for<'c> fn(&'c mut dyn Sql, &'c A) -> TaskFuture<'c, T>;

/// Task that writes, with its input. It may run twice, if the first transaction was not committed.
pub(crate) type WriteTask<A, T> = for<'c> fn(&'c mut dyn SqlTransaction, &'c A) -> TaskFuture<'c, T>;

/// Input of a task.
pub(crate) trait TaskInput: Send + Sync + 'static {}

impl<A: Send + Sync + 'static> TaskInput for A {}

/// Function that reads, with its arguments. Its result is put aside.
pub(crate) type BoxedReadTask = Box<dyn for<'c> FnOnce(&'c mut dyn Sql) -> TaskFuture<'c, ()> + Send>;

/// The same of what is written.
pub(crate) type BoxedWriteTask =
    Box<dyn for<'c> FnMut(&'c mut dyn SqlTransaction) -> TaskFuture<'c, ()> + Send>;

/// Access of a task that reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadMode {
    /// It sees everything that was answered before.
    Committed,
    /// It sees everything as it was at one moment: something may be written in between.
    Snapshot,
    /// It sees who somebody is. Nothing else waits in that queue, so that no list of events can keep anybody's request waiting.
    Keys,
}

/// Access of a task that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteMode {
    /// No order depends on what it changes; so many bytes are kept.
    Unordered { bytes: usize },
    /// It changes what is registered: one at a time on all nodes, so that changes have an order.
    Registry,
}

/// Runner of tasks on a database. It knows nothing of their results, so that it is compiled once and not for every result.
#[async_trait]
pub(crate) trait Driver: Send + Sync + 'static {
    fn sealing(&self) -> Sealing;

    async fn run_reading(&self, mode: ReadMode, task: BoxedReadTask) -> Result<(), StoreError>;

    /// Runs it in a transaction.
    async fn run_writing(&self, mode: WriteMode, task: BoxedWriteTask) -> Result<(), StoreError>;
}

/// Tasks and what they answer.
pub(crate) trait Tasks: Driver + Sized {
    /// Reads, and sees everything that was answered before.
    fn read<A: TaskInput, T: Send + 'static>(&self, input: A, task: ReadTask<A, T>) -> impl TaskAnswer<T> {
        read(self, ReadMode::Committed, input, task)
    }

    /// Reads everything as it was at one moment.
    fn read_moment<A: TaskInput, T: Send + 'static>(
        &self,
        input: A,
        task: ReadTask<A, T>,
    ) -> impl TaskAnswer<T> {
        read(self, ReadMode::Snapshot, input, task)
    }

    /// Looks up who somebody is.
    fn look_up<A: TaskInput, T: Send + 'static>(&self, input: A, task: ReadTask<A, T>) -> impl TaskAnswer<T> {
        read(self, ReadMode::Keys, input, task)
    }

    /// Changes something that no order depends on, in a transaction.
    fn keep<A: TaskInput, T: Send + 'static>(&self, input: A, task: WriteTask<A, T>) -> impl TaskAnswer<T> {
        self.keep_bytes(0, input, task)
    }

    /// The same with so many bytes that are kept.
    fn keep_bytes<A: TaskInput, T: Send + 'static>(
        &self,
        bytes: usize,
        input: A,
        task: WriteTask<A, T>,
    ) -> impl TaskAnswer<T> {
        write(self, WriteMode::Unordered { bytes }, input, task)
    }

    /// Changes what is registered, in a transaction.
    fn register<A: TaskInput, T: Send + 'static>(
        &self,
        input: A,
        task: WriteTask<A, T>,
    ) -> impl TaskAnswer<T> {
        write(self, WriteMode::Registry, input, task)
    }
}

impl<D: Driver> Tasks for D {}

/// Future of a task's result.
pub(crate) trait TaskAnswer<T>: Future<Output = Result<T, StoreError>> + Send {}

impl<T, F: Future<Output = Result<T, StoreError>> + Send> TaskAnswer<T> for F {}

async fn read<A: TaskInput, T: Send + 'static>(
    driver: &dyn Driver,
    mode: ReadMode,
    input: A,
    task: ReadTask<A, T>,
) -> Result<T, StoreError> {
    let (answer, answered) = result_slot();
    let task: BoxedReadTask = Box::new(move |sql| {
        Box::pin(async move {
            answer.put(task(sql, &input).await?);
            Ok(())
        })
    });
    driver.run_reading(mode, task).await?;
    answered.take()
}

async fn write<A: TaskInput, T: Send + 'static>(
    driver: &dyn Driver,
    mode: WriteMode,
    input: A,
    task: WriteTask<A, T>,
) -> Result<T, StoreError> {
    let (answer, answered) = result_slot();
    let parts = Arc::new((input, answer));
    let task: BoxedWriteTask = Box::new(move |sql| {
        let parts = Arc::clone(&parts);
        Box::pin(async move {
            let (input, answer) = &*parts;
            answer.put(task(sql, input).await?);
            Ok(())
        })
    });
    driver.run_writing(mode, task).await?;
    answered.take()
}

/// The first row that a statement finds, if there is one.
pub(crate) async fn first<T: Send>(
    sql: &mut dyn Sql,
    statement: &str,
    values: &[Value<'_>],
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
) -> Result<Option<T>, StoreError> {
    let mut found = None;
    let mut each = |row: &Row<'_>| {
        if found.is_none() {
            found = Some(read(row)?);
        }
        Ok(())
    };
    sql.query(Plan::Once, statement, values, &mut each).await?;
    Ok(found)
}

/// Every row that a statement finds.
pub(crate) async fn all<T: Send>(
    sql: &mut dyn Sql,
    statement: &str,
    values: &[Value<'_>],
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    let mut each = |row: &Row<'_>| {
        found.push(read(row)?);
        Ok(())
    };
    sql.query(Plan::Once, statement, values, &mut each).await?;
    Ok(found)
}

/// Every row that a statement finds and that can be read: one that cannot must not hide the others.
pub(crate) async fn readable<T: Send>(
    sql: &mut dyn Sql,
    statement: &str,
    values: &[Value<'_>],
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
) -> Result<Vec<T>, StoreError> {
    let found = all(sql, statement, values, |row| unless_corrupt(read(row)));
    Ok(found.await?.into_iter().flatten().collect())
}

fn unless_corrupt<T>(item: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match item {
        Err(StoreError::Corrupt(why)) => {
            tracing::error!(why, "a row is left out of a list: it cannot be read");
            Ok(None)
        }
        item => item.map(Some),
    }
}
