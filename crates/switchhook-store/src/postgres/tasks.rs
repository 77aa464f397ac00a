//! Execution of tasks: which connection, which transaction, which lock.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::pool::Pool;
use super::transaction::{Lock, Transaction, lock, transact};
use super::{PostgresStore, in_time};
use crate::error::StoreError;
use crate::result_slot::result_slot;
use crate::sealing::Sealing;
use crate::sql::{self, Driver, ReadMode, TaskFuture, WriteMode};

/// A task that reads, and one that writes. What they answer is put aside.
type ReadingTask = Box<dyn for<'c> FnOnce(&'c mut PgConnection) -> TaskFuture<'c, ()> + Send>;
type WritingTask = Box<dyn for<'t, 'c> FnOnce(&'t mut Transaction<'c>) -> TaskFuture<'t, ()> + Send>;

impl PostgresStore {
    /// Reads, on any connection.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: for<'c> FnOnce(&'c mut PgConnection) -> TaskFuture<'c, T> + Send + 'static,
        T: Send + 'static,
    {
        let (answer, answered) = result_slot();
        let task: ReadingTask = Box::new(move |connection| {
            let work = work(connection);
            Box::pin(async move {
                answer.put(work.await?);
                Ok(())
            })
        });
        self.read_on(self.parts.pool.clone(), task).await?;
        answered.take()
    }

    async fn read_on(&self, pool: Pool, task: ReadingTask) -> Result<(), StoreError> {
        self.on_runtime(async move {
            let mut lent = pool.acquire().await?;
            let result = task(&mut lent.connection).await;
            pool.give_back(lent, result).await
        })
        .await
    }

    /// Changes what is registered, in a transaction of its own. One at a time on all nodes, so that changes have an order.
    pub(super) async fn register<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: for<'t> FnOnce(&'t mut Transaction<'_>) -> TaskFuture<'t, T> + Send + 'static,
        T: Send + 'static,
    {
        self.transact_locked(Some(Lock::Registry), work).await
    }

    /// Changes something that no order depends on, in a transaction of its own.
    pub(super) async fn keep<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: for<'t> FnOnce(&'t mut Transaction<'_>) -> TaskFuture<'t, T> + Send + 'static,
        T: Send + 'static,
    {
        self.transact_locked(None, work).await
    }

    async fn transact_locked<T, F>(&self, first: Option<Lock>, work: F) -> Result<T, StoreError>
    where
        F: for<'t> FnOnce(&'t mut Transaction<'_>) -> TaskFuture<'t, T> + Send + 'static,
        T: Send + 'static,
    {
        let (answer, answered) = result_slot();
        let task: WritingTask = Box::new(move |transaction| {
            let work = work(transaction);
            Box::pin(async move {
                answer.put(work.await?);
                Ok(())
            })
        });
        self.transact(first, task).await?;
        answered.take()
    }

    async fn transact(&self, first: Option<Lock>, task: WritingTask) -> Result<(), StoreError> {
        let parts = Arc::clone(&self.parts);
        self.on_runtime(async move {
            let mut lent = parts.pool.acquire().await?;
            let node = parts.node.as_ref().map(|node| node.id());
            let transaction = transact(
                &mut lent.connection,
                node,
                &parts.notifier,
                async move |transaction: &mut Transaction<'_>| {
                    if let Some(first) = first {
                        lock(transaction.connection, first).await?;
                    }
                    task(transaction).await
                },
            );
            let result = transaction.await.map_err(StoreError::from);
            let ((), outcome) = parts.pool.give_back(lent, result).await?;
            parts.notifier.notify(outcome).await;
            Ok(())
        })
        .await
    }

    /// Makes, claims, ends or changes deliveries, in a transaction of its own.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: for<'t> FnOnce(&'t mut Transaction<'_>) -> TaskFuture<'t, T> + Send + 'static,
        T: Send + 'static,
    {
        self.parts.writer.run(work).await
    }

    pub(super) async fn on_runtime<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let handle = self.threads.handle().ok_or_else(StoreError::closed)?;
        handle
            .spawn(in_time(work))
            .await
            .map_err(|_| StoreError::closed())?
    }
}

#[async_trait]
impl Driver for PostgresStore {
    fn sealing(&self) -> Sealing {
        self.parts.sealing.clone()
    }

    async fn run_reading(&self, mode: ReadMode, task: sql::BoxedReadTask) -> Result<(), StoreError> {
        let pool = match mode {
            ReadMode::Committed | ReadMode::Snapshot => &self.parts.pool,
            ReadMode::Keys => &self.parts.key_pool,
        };
        let task: ReadingTask = Box::new(move |connection| {
            Box::pin(async move {
                if mode != ReadMode::Snapshot {
                    return task(connection).await;
                }
                let begin = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";
                let mut moment = connection.begin_with(begin).await?;
                let result = task(&mut *moment).await;
                moment.rollback().await?;
                result
            })
        });
        self.read_on(pool.clone(), task).await
    }

    async fn run_writing(&self, mode: WriteMode, mut task: sql::BoxedWriteTask) -> Result<(), StoreError> {
        let first = match mode {
            WriteMode::Unordered { .. } => None,
            WriteMode::Registry => Some(Lock::Registry),
        };
        let task: WritingTask = Box::new(move |transaction| Box::pin(async move { task(transaction).await }));
        self.transact(first, task).await
    }
}
