//! Group commit on PostgreSQL: everything goes through it that makes, claims or ends deliveries.
//!
//! There are two queues (`commit.rs`), each with a committer, which is a task with a connection: one for new events, one for the
//! rest, so that while one waits for the disk the other goes on. The writes of a batch that are alike become one transaction, of
//! one statement (`at_once.rs`) or of a handful (`batch.rs`); other work gets one of its own, after them. This node is notified in
//! the order of the commits of both (`notifier.rs`).

use std::sync::Arc;

use sqlx::Connection;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::connection::{Connector, Link};
use super::node::Node;
use super::notifier::Notifier;
use super::transaction::{Outcome, Transaction, Uncommitted, transact, transact_at_once};
use super::{at_once, batch};
use crate::commit::{self, Batch, Batches, HotWrite, LINGER, Next, WakeTarget, Weight, WriteQueue};
use crate::error::StoreError;
use crate::observer::Commit;
use crate::reply::{Answer, Reply, reply};
use crate::sql::TaskFuture;

/// Number of committers, each with a connection.
pub(super) const COUNT: usize = 2;

/// Most rows of one commit. Each row may have a lock on its order key, of which the database has some thousands for
/// all nodes together (`max_locks_per_transaction`).
pub const MOST_ROWS: u32 = 1_000;

/// Bound on one commit.
const MOST: Weight = Weight {
    items: MOST_ROWS,
    bytes: 8 << 20,
};

type Write = commit::Write<OwnTransaction>;

type BoxedWork = Box<dyn for<'t> FnOnce(&'t mut Transaction<'_>) -> TaskFuture<'t, ()> + Send>;

/// Work that has a transaction of its own.
pub(super) struct OwnTransaction {
    work: BoxedWork,
    reply: Reply<()>,
}

/// Queues that callers put their writes into.
pub(super) struct Writer {
    events: Arc<WriteQueue<OwnTransaction>>,
    rest: Arc<WriteQueue<OwnTransaction>>,
}

impl Writer {
    /// Makes a writer; its work begins with [`Committer::run`] of each committer.
    pub(super) fn new(
        connector: &Arc<Connector>,
        node: Option<&Arc<Node>>,
        notifier: &Arc<Notifier>,
    ) -> (Self, [Committer; COUNT]) {
        let events = WriteQueue::new();
        let rest = events.beside();
        let writer = Self {
            events: Arc::new(events),
            rest: Arc::new(rest),
        };
        let committer = |queue: &Arc<WriteQueue<OwnTransaction>>, what| {
            let woken = Arc::new(Notify::new());
            Committer {
                batches: Batches::of(Arc::clone(queue), MOST, WakeTarget::Task(Arc::clone(&woken))),
                woken,
                connector: Arc::clone(connector),
                node: node.cloned(),
                notifier: Arc::clone(notifier),
                link: None,
                long_ways: 0,
                what,
                is_failing: false,
            }
        };
        let committers = [
            committer(&writer.events, "events"),
            committer(&writer.rest, "attempts and settings"),
        ];
        (writer, committers)
    }

    /// Answers when the write is durable.
    pub(super) async fn write<T>(&self, (write, answer): (HotWrite, Answer<T>)) -> Result<T, StoreError> {
        let weight = write.weight();
        let queue = match write {
            HotWrite::Record { .. } => &self.events,
            HotWrite::Finish { .. } | HotWrite::Release { .. } => &self.rest,
        };
        queue.put(Write::Hot(write), weight).await?;
        answer.wait().await
    }

    /// Does `work` in a transaction of its own; answers when it is durable.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: for<'t> FnOnce(&'t mut Transaction<'_>) -> TaskFuture<'t, T> + Send + 'static,
        T: Send + 'static,
    {
        let (mut value, value_of_work) = reply();
        let (reply, answer) = reply();
        let own = OwnTransaction {
            work: Box::new(move |transaction| {
                let work = work(transaction);
                Box::pin(async move {
                    value.set(Ok(work.await?));
                    value.send(&Ok(()));
                    Ok(())
                })
            }),
            reply,
        };
        self.rest.put(Write::Other(Box::new(own)), Weight::ONE).await?;
        answer.wait().await?;
        value_of_work.wait().await
    }

    /// Takes no more; what waits is still done.
    pub(super) fn close(&self) {
        self.events.close();
        self.rest.close();
    }
}

/// Writes the batches of one queue.
pub(super) struct Committer {
    batches: Batches<OwnTransaction>,
    woken: Arc<Notify>,
    connector: Arc<Connector>,
    node: Option<Arc<Node>>,
    notifier: Arc<Notifier>,
    link: Option<Link>,
    /// Number of batches that go the long way before one is written by one statement again.
    long_ways: u32,
    /// Name of its data in logs.
    what: &'static str,
    /// True if the last commit failed, so that an outage is logged once and not per commit. Each committer has a
    /// connection of its own, which may fail alone.
    is_failing: bool,
}

impl Committer {
    /// Works until the queue is closed and all that waited is done.
    pub(super) async fn run(mut self) {
        while let Some(batch) = self.next().await {
            self.write(batch.writes).await;
            drop(batch.room);
        }
        if let Some(link) = self.link.take() {
            // The server would notice by itself; saying so only keeps its log tidy.
            let _ = link.connection.close().await;
        }
    }

    async fn next(&mut self) -> Option<Batch<OwnTransaction>> {
        let mut has_lingered = false;
        loop {
            has_lingered = match self.batches.next(has_lingered, false) {
                Next::Write(batch) => return Some(batch),
                Next::End => return None,
                Next::Linger => {
                    // Whether it was woken or not: the time is over.
                    let _ = timeout(LINGER, self.woken.notified()).await;
                    true
                }
                Next::Sleep => {
                    self.woken.notified().await;
                    false
                }
            };
        }
    }

    async fn write(&mut self, writes: Vec<Write>) {
        let (mut alike, mut others) = (Vec::with_capacity(writes.len()), Vec::new());
        for write in writes {
            match write {
                Write::Hot(write) => alike.push(write),
                Write::Other(own) => others.push(own),
            }
        }
        if !alike.is_empty() {
            self.write_together(alike).await;
        }
        for own in others {
            let OwnTransaction { work, mut reply } = *own;
            let done = self.commit(Work::Own(work)).await;
            reply.set(done);
            reply.send(&Ok(()));
        }
    }

    /// Commits all at once; if that fails because of one of them, each by itself.
    async fn write_together(&mut self, mut writes: Vec<HotWrite>) {
        let committed = self.commit_together(&mut writes).await;
        let is_one_to_blame = committed.is_err() && writes.len() > 1 && self.link.is_some();
        for mut write in writes {
            if is_one_to_blame {
                let committed = self.commit_together(std::slice::from_mut(&mut write)).await;
                write.answer(&committed);
            } else {
                write.answer(&committed);
            }
        }
    }

    async fn commit_together(&mut self, writes: &mut [HotWrite]) -> Result<(), StoreError> {
        self.commit(Work::Batch(writes)).await
    }

    /// Does the work in a transaction, and logs when that begins to fail and when it works again.
    async fn commit(&mut self, work: Work<'_>) -> Result<(), StoreError> {
        let operations = work.operations();
        let result = self.try_to_commit(work).await;
        let what = self.what;
        match &result {
            Err(error @ StoreError::Unavailable(_)) if !self.is_failing => {
                self.is_failing = true;
                tracing::error!(operations, what, %error, "nothing can be kept; it is tried again and again");
            }
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                tracing::info!(what, "things are kept again");
            }
            _ => {}
        }
        result
    }

    /// The connection stays only if it is known to be good.
    async fn try_to_commit(&mut self, work: Work<'_>) -> Result<(), StoreError> {
        let started = Instant::now();
        let operations = work.operations();
        let mut link = match self.link.take().filter(|link| self.connector.is_current(link)) {
            Some(link) => link,
            None => self.connector.connect_to_commit().await?,
        };
        match self.transact(&mut link, work).await {
            Ok(outcome) => {
                self.link = Some(link);
                self.notifier.notify(outcome).await;
                self.notifier.listeners.committed(Commit {
                    operations,
                    duration: started.elapsed(),
                });
                Ok(())
            }
            Err(Uncommitted::RolledBack(error)) => {
                // After a failure of one statement the connection is as good as before; after one of its own it is not, nor if
                // its server takes no writes any more.
                if self.connector.is_well(&mut link).await {
                    self.link = Some(link);
                }
                Err(error)
            }
            Err(uncommitted @ Uncommitted::NoAnswer) => Err(uncommitted.into()),
            Err(Uncommitted::Doubtful(error, outcome)) => {
                // What is given back as doubtful must not be claimed afterwards.
                self.connector.end_session(&link).await;
                self.notifier.notify(*outcome).await;
                self.connector.give_up_others(&link);
                Err(error)
            }
        }
    }

    /// With one statement if that may do, and else the long way.
    async fn transact(&mut self, link: &mut Link, mut work: Work<'_>) -> Result<Outcome, Uncommitted> {
        let node = self.node.as_ref().map(|node| node.id());
        let connection = &mut link.connection;
        match &mut work {
            Work::Batch(writes) if link.has_functions && batch::is_one_statement(writes) => {
                if let Some(fewer) = self.long_ways.checked_sub(1) {
                    self.long_ways = fewer;
                } else {
                    let write =
                        async |transaction: &mut Transaction<'_>| batch::write(transaction, writes).await;
                    match transact_at_once(connection, node, &self.notifier, write).await? {
                        Some(outcome) => return Ok(outcome),
                        None => self.long_ways = at_once::PAUSE,
                    }
                }
            }
            _ => {}
        }
        let working = async |transaction: &mut Transaction<'_>| work.run(transaction).await;
        let ((), outcome) = transact(connection, node, &self.notifier, working).await?;
        Ok(outcome)
    }
}

/// What is to be committed.
enum Work<'w> {
    Batch(&'w mut [HotWrite]),
    Own(BoxedWork),
}

impl Work<'_> {
    fn operations(&self) -> usize {
        match self {
            Self::Batch(writes) => writes.len(),
            Self::Own(_) => 1,
        }
    }

    async fn run(self, transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
        match self {
            Self::Batch(writes) => batch::write(transaction, writes).await.map(drop),
            Self::Own(work) => work(transaction).await,
        }
    }
}
