//! The seam between what is done alike on both drivers and the databases: statements in the SQL of both, and tasks.
//!
//! What is done for every event goes past it.

mod dialect;
mod listing;
mod value;

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use switchhook_domain::id::{CompanyId, ReplayId};

pub(crate) use self::dialect::Dialect;
pub(crate) use self::listing::Listing;
pub(crate) use self::value::{Value, values};
use crate::aside::aside;
use crate::error::StoreError;
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
        each: &mut Each<'_>,
    ) -> Result<(), StoreError>;

    /// Runs a statement that finds nothing; answers how many rows it changed.
    async fn execute(&mut self, statement: &str, values: &[Value<'_>]) -> Result<u64, StoreError>;
}

/// The open transaction.
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

/// What is done with a row.
pub(crate) type Each<'e> = dyn FnMut(&Row<'_>) -> Result<(), StoreError> + Send + 'e;

/// Whether a statement is planned once for all values. SQLite always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    Once,
    /// For the values that it has, because which index suits depends on them.
    EachTime,
}

/// What a task does, until it is done.
pub(crate) type Work<'c, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'c>>;

/// What is read, with what was given for it.
pub(crate) type Reading<A, T> = for<'c> fn(&'c mut dyn Sql, &'c A) -> Work<'c, T>;

/// What is written, with what was given for it. It may be done twice, if the first transaction was not committed.
pub(crate) type Writing<A, T> = for<'c> fn(&'c mut dyn SqlTransaction, &'c A) -> Work<'c, T>;

/// What can be given to a task.
pub(crate) trait Given: Send + Sync + 'static {}

impl<A: Send + Sync + 'static> Given for A {}

/// What is read, with what was given for it. What it answers is put aside.
pub(crate) type ReadingTask = Box<dyn for<'c> FnOnce(&'c mut dyn Sql) -> Work<'c, ()> + Send>;

/// The same of what is written.
pub(crate) type WritingTask = Box<dyn for<'c> FnMut(&'c mut dyn SqlTransaction) -> Work<'c, ()> + Send>;

/// How a task reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadMode {
    /// It sees everything that was answered before.
    Committed,
    /// It sees everything as it was at one moment: something may be written in between.
    Snapshot,
    /// It sees who somebody is. Nothing else waits in that queue, so that no list of events can keep anybody's request waiting.
    Keys,
}

/// How a task writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteMode {
    /// No order depends on what it changes; so many bytes are kept.
    Unordered { bytes: usize },
    /// It changes what is registered: one at a time on all nodes, so that changes have an order.
    Registry,
}

/// What runs tasks on a database. It knows nothing of what they answer, so that it is compiled once and not for every answer.
#[async_trait]
pub(crate) trait Driver: Send + Sync + 'static {
    fn sealing(&self) -> Sealing;

    async fn run_reading(&self, mode: ReadMode, task: ReadingTask) -> Result<(), StoreError>;

    /// Runs it in a transaction.
    async fn run_writing(&self, mode: WriteMode, task: WritingTask) -> Result<(), StoreError>;
}

/// Tasks and what they answer.
pub(crate) trait Tasks: Driver + Sized {
    /// Reads, and sees everything that was answered before.
    fn read<A: Given, T: Send + 'static>(&self, given: A, task: Reading<A, T>) -> impl Answer<T> {
        read(self, ReadMode::Committed, given, task)
    }

    /// Reads everything as it was at one moment.
    fn read_moment<A: Given, T: Send + 'static>(&self, given: A, task: Reading<A, T>) -> impl Answer<T> {
        read(self, ReadMode::Snapshot, given, task)
    }

    /// Looks up who somebody is.
    fn look_up<A: Given, T: Send + 'static>(&self, given: A, task: Reading<A, T>) -> impl Answer<T> {
        read(self, ReadMode::Keys, given, task)
    }

    /// Changes something that no order depends on, in a transaction.
    fn keep<A: Given, T: Send + 'static>(&self, given: A, task: Writing<A, T>) -> impl Answer<T> {
        self.keep_bytes(0, given, task)
    }

    /// The same with so many bytes that are kept.
    fn keep_bytes<A: Given, T: Send + 'static>(
        &self,
        bytes: usize,
        given: A,
        task: Writing<A, T>,
    ) -> impl Answer<T> {
        write(self, WriteMode::Unordered { bytes }, given, task)
    }

    /// Changes what is registered, in a transaction.
    fn register<A: Given, T: Send + 'static>(&self, given: A, task: Writing<A, T>) -> impl Answer<T> {
        write(self, WriteMode::Registry, given, task)
    }
}

impl<D: Driver> Tasks for D {}

/// What is answered, some time.
pub(crate) trait Answer<T>: Future<Output = Result<T, StoreError>> + Send {}

impl<T, F: Future<Output = Result<T, StoreError>> + Send> Answer<T> for F {}

async fn read<A: Given, T: Send + 'static>(
    driver: &dyn Driver,
    mode: ReadMode,
    given: A,
    task: Reading<A, T>,
) -> Result<T, StoreError> {
    let (answer, answered) = aside();
    let task: ReadingTask = Box::new(move |sql| {
        Box::pin(async move {
            answer.put(task(sql, &given).await?);
            Ok(())
        })
    });
    driver.run_reading(mode, task).await?;
    answered.take()
}

async fn write<A: Given, T: Send + 'static>(
    driver: &dyn Driver,
    mode: WriteMode,
    given: A,
    task: Writing<A, T>,
) -> Result<T, StoreError> {
    let (answer, answered) = aside();
    let parts = Arc::new((given, answer));
    let task: WritingTask = Box::new(move |sql| {
        let parts = Arc::clone(&parts);
        Box::pin(async move {
            let (given, answer) = &*parts;
            answer.put(task(sql, given).await?);
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
