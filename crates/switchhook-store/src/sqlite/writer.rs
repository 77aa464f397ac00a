//! Who writes: a thread of its own, or, for simulations, whoever calls.

use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::checkpointer::LogGuard;
use super::committer::Committer;
use super::queue::{Batches, Queue, Urgency, Weight};
use super::transaction::{Errand, Nature, Transaction};
use crate::error::StoreError;
use crate::observer::Watch;

/// Puts operations into commits.
pub(super) enum Writer {
    Thread(WriterThread),
    Inline(Arc<Mutex<Option<Committer>>>),
}

/// How an operation is to be done.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) urgency: Urgency,
    pub(super) nature: Nature,
    pub(super) weight: Weight,
}

impl Manner {
    /// For everything that is not done for every event.
    pub(super) const ORDINARY: Self = Self {
        urgency: Urgency::Now,
        nature: Nature::Ordinary,
        weight: Weight::ONE,
    };
}

impl Writer {
    /// Does `work` in a commit and answers when that is durable.
    pub(super) async fn run<T, F>(&self, manner: Manner, work: F) -> Result<T, StoreError>
    where
        F: FnMut(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (errand, answer) = Errand::new(manner.nature, work);
        let job = Box::new(errand);
        match self {
            Self::Thread(thread) => {
                thread
                    .queue
                    .put(job, manner.urgency, manner.weight, &thread.thread)
                    .await?;
            }
            Self::Inline(committer) => committer.lock().as_mut().ok_or_else(closed)?.commit(vec![job]),
        }
        answer
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("the writer stopped".into())))
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
    queue: Arc<Queue>,
    thread: std::thread::Thread,
    join: Mutex<Option<JoinHandle<()>>>,
}

impl WriterThread {
    pub(super) fn start(committer: Committer, log: Option<LogGuard>, watch: Watch) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::new());
        let theirs = Arc::clone(&queue);
        let join = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                watch.over("store's writer", || write(&Abandoned(theirs), committer, log));
            })?;
        Ok(Self {
            queue,
            thread: join.thread().clone(),
            join: Mutex::new(Some(join)),
        })
    }

    fn close(&self) {
        self.queue.close(Some(&self.thread));
        if let Some(join) = self.join.lock().take() {
            // If it panicked, that was told.
            let _ = join.join();
        }
    }
}

/// If the writer panics, nobody may wait for it.
struct Abandoned(Arc<Queue>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

fn write(queue: &Abandoned, mut committer: Committer, mut log: Option<LogGuard>) {
    let mut batches = Batches::of(&queue.0);
    while let Some(batch) = batches.next(committer.open_until()) {
        let (jobs, units) = batch.into_parts();
        committer.commit(jobs);
        batches.done(units);
        if let Some(log) = &mut log
            && committer.open_until().is_none()
        {
            log.after_commit(&committer.connection);
        }
    }
    drop(log);
    committer.close();
}

fn closed() -> StoreError {
    StoreError::Unavailable("it is closed".into())
}
