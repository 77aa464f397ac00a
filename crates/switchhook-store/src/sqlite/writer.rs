//! Writer: a thread, or in simulations the caller itself.
//!
//! The way of an event to the disk: [`Writer::write`] puts it into the queue (`commit.rs`), [`write_batches`] takes
//! what waits, `committer.rs` executes it in a transaction, for which `record.rs` makes the rows, and `journal.rs`
//! writes it to the disk.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use parking_lot::Mutex;

use super::checkpointer::LogGuard;
use super::clock::now;
use super::committer::{Committer, Write};
use super::transaction::{Transaction, TransactionWork, closure};
use crate::commit::{Batch, Batches, HotWrite, LINGER, Next, WakeTarget, Weight, WriteQueue};
use crate::error::StoreError;
use crate::observer::FailureObserver;
use crate::reply::Answer;

/// Bound on one commit.
const MOST: Weight = Weight {
    items: 2_000,
    bytes: 8 << 20,
};

pub(super) enum Writer {
    Thread(WriterThread),
    Inline(Arc<Mutex<Option<Committer>>>),
}

impl Writer {
    /// Answers when the write is certain.
    pub(super) async fn write<T>(&self, (write, answer): (HotWrite, Answer<T>)) -> Result<T, StoreError> {
        let weight = write.weight();
        self.put(Write::Hot(write), weight).await?;
        answer.wait().await
    }

    /// Does `work` in a commit and answers when that is durable.
    pub(super) async fn run<T, F>(&self, weight: Weight, work: F) -> Result<T, StoreError>
    where
        F: FnMut(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (work, answer) = closure(work);
        self.put(Write::Other(work), weight).await?;
        answer.wait().await
    }

    async fn put(&self, write: Write, weight: Weight) -> Result<(), StoreError> {
        match self {
            Self::Thread(thread) => thread.queue.put(write, weight).await,
            Self::Inline(committer) => {
                let mut committer = committer.lock();
                let committer = committer.as_mut().ok_or_else(StoreError::closed)?;
                committer.commit(vec![write]);
                Ok(())
            }
        }
    }

    /// Ends after what was begun. Blocks.
    pub(super) fn close(&self) {
        match self {
            Self::Thread(thread) => thread.close(),
            Self::Inline(committer) => {
                if let Some(mut committer) = committer.lock().take() {
                    committer.close();
                }
            }
        }
    }
}

pub(super) struct WriterThread {
    queue: Arc<WriteQueue<dyn TransactionWork>>,
    join: Mutex<Option<JoinHandle<()>>>,
}

impl WriterThread {
    pub(super) fn start(
        committer: Committer,
        log: Option<LogGuard>,
        watch: FailureObserver,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(WriteQueue::new());
        let theirs = Arc::clone(&queue);
        let join = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                watch.over("store's writer", || {
                    let sleeper = WakeTarget::Thread(thread::current());
                    write_batches(Batches::of(theirs, MOST, sleeper), committer, log);
                });
            })?;
        Ok(Self {
            queue,
            join: Mutex::new(Some(join)),
        })
    }

    fn close(&self) {
        self.queue.close();
        if let Some(join) = self.join.lock().take() {
            // If it panicked, that was reported.
            let _ = join.join();
        }
    }
}

fn write_batches(
    mut batches: Batches<dyn TransactionWork>,
    mut committer: Committer,
    mut log: Option<LogGuard>,
) {
    while let Some(batch) = next(&mut batches, committer.database.commits_at()) {
        committer.commit(batch.writes);
        drop(batch.room);
        if let Some(log) = &mut log
            && committer.database.open_until().is_none()
        {
            log.after_commit(committer.connection());
        }
    }
    drop(log);
    committer.close();
}

/// The next batch; at `deadline` at the latest what there is, be it nothing.
fn next(
    batches: &mut Batches<dyn TransactionWork>,
    deadline: Option<Instant>,
) -> Option<Batch<dyn TransactionWork>> {
    let mut has_lingered = false;
    loop {
        has_lingered = match (batches.next(has_lingered, deadline.is_some()), deadline) {
            (Next::Write(batch), _) => return Some(batch),
            (Next::End, _) => return None,
            (_, Some(deadline)) => {
                thread::park_timeout(deadline.saturating_duration_since(now()));
                now() >= deadline
            }
            (Next::Linger, None) => {
                thread::park_timeout(LINGER);
                true
            }
            (Next::Sleep, None) => {
                thread::park();
                false
            }
        };
    }
}
