//! Reading: a few connections beside the writer's, each reading for a bounded time.
//!
//! Bounded because a reader keeps the write-ahead log from being started over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::clock::now;
use super::committer::Committer;
use crate::error::StoreError;
use crate::result_slot::result_slot;

/// Number of readers: one more than a company may use by default, so that others can always read.
pub(super) const READERS: usize = 5;

/// Time limit of a read.
const LONGEST_READ: Duration = Duration::from_secs(2);

/// SQLite's virtual machine steps between two looks at the clock: a fraction of a millisecond.
const STEPS: i32 = 10_000;

/// Thread on which reads are executed.
pub(super) enum Readers {
    Pool(Pool),
    /// On the writer's connection, by whoever calls.
    Inline(Arc<Mutex<Option<Committer>>>),
}

pub(super) struct Pool {
    idle: Arc<Mutex<Vec<Reader>>>,
    permits: Arc<Semaphore>,
}

struct Reader {
    connection: Connection,
    deadline: Arc<Mutex<Instant>>,
}

/// A reader at work: goes back to the others however the work ends, and before its permit does.
struct BorrowedReader {
    reader: Option<Reader>,
    idle: Arc<Mutex<Vec<Reader>>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for BorrowedReader {
    fn drop(&mut self) {
        self.idle.lock().extend(self.reader.take());
    }
}

impl Readers {
    pub(super) fn pool(connections: Vec<Connection>) -> Result<Self, StoreError> {
        let permits = Arc::new(Semaphore::new(connections.len()));
        let readers = connections
            .into_iter()
            .map(Reader::new)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self::Pool(Pool {
            idle: Arc::new(Mutex::new(readers)),
            permits,
        }))
    }

    /// Reads with `read`, away from the caller's thread.
    pub(super) async fn run<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        match self {
            Self::Inline(committer) => {
                let committer = committer.lock();
                read(committer.as_ref().ok_or_else(StoreError::closed)?.connection())
            }
            Self::Pool(pool) => {
                let (answer, answered) = result_slot();
                let task = Box::new(move |connection: &Connection| {
                    answer.put(read(connection)?);
                    Ok(())
                });
                pool.run(task).await?;
                answered.take()
            }
        }
    }

    pub(super) fn close(&self) {
        if let Self::Pool(pool) = self {
            pool.permits.close();
            pool.idle.lock().clear();
        }
    }
}

/// Task that reads. Its result goes into a [`ResultSlot`](crate::result_slot::ResultSlot).
type Task = Box<dyn FnOnce(&Connection) -> Result<(), StoreError> + Send>;

impl Pool {
    async fn run(&self, read: Task) -> Result<(), StoreError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::closed())?;
        let reader = self.idle.lock().pop();
        let lent = BorrowedReader {
            reader,
            idle: Arc::clone(&self.idle),
            _permit: permit,
        };
        let task = tokio::task::spawn_blocking(move || {
            let reader = lent.reader.as_ref().ok_or_else(StoreError::closed)?;
            *reader.deadline.lock() = now() + LONGEST_READ;
            read(&reader.connection)
        });
        task.await
            .unwrap_or_else(|error| Err(StoreError::Unavailable(format!("reading ended badly: {error}"))))
    }
}

impl Reader {
    fn new(mut connection: Connection) -> Result<Self, StoreError> {
        let deadline = Arc::new(Mutex::new(now()));
        let theirs = Arc::clone(&deadline);
        connection.progress_handler(STEPS, Some(move || now() > *theirs.lock()))?;
        Ok(Self { connection, deadline })
    }
}
