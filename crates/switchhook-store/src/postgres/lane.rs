//! The lane, through which everything goes that makes, claims or ends deliveries. It has two tracks, each a task with a
//! connection: one for new events, one for the rest, so that while one waits for the disk the other goes on.
//!
//! On a track one goes after the other. Callers share them: all that waits and is alike (`batch.rs`) becomes one
//! transaction. Other work gets one of its own, in its turn. What this node is handed over comes in the order of the
//! commits of both (`turns.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::Audience;
use super::batch::{self, Answer, Operation};
use super::connection::{Connector, Link};
use super::failure::{closed, no_answer};
use super::node::Node;
use super::transaction::{Told, Transaction, Work};
use super::turns::Turns;
use crate::error::StoreError;
use crate::observer::Commit;

/// How many rows one commit makes or ends. Each may hold a lock on its order key, of which the database has some
/// thousands for all nodes together (`max_locks_per_transaction`).
const COMMIT_ITEMS: u32 = 1_000;

/// How many bytes of payload one commit holds.
const COMMIT_BYTES: u32 = 8 << 20;

/// How much may wait: one unit is a row, or a KiB of its bytes if that is more.
const QUEUE_UNITS: u32 = 32 * 1024;

/// How long what is not urgent waits for company.
const LINGER: Duration = Duration::from_millis(5);

/// After how long without an answer the connection is given up.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(20);

/// How much work an operation is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight {
    pub(super) items: u32,
    pub(super) bytes: u32,
}

impl Weight {
    pub(super) fn of(items: usize, bytes: usize) -> Self {
        let clamped = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            items: clamped(items),
            bytes: clamped(bytes),
        }
    }

    /// One operation may be larger than the queue: then it has it for itself.
    fn units(self) -> u32 {
        self.items.max(self.bytes / 1024).clamp(1, QUEUE_UNITS)
    }
}

/// Work that has a transaction of its own.
type Errand = Box<dyn for<'t> FnOnce(&'t mut Transaction<'_>) -> Work<'t, ()> + Send>;

enum Job {
    /// Shares a commit with others of its like.
    Shared {
        operation: Operation,
        reply: oneshot::Sender<Result<Answer, StoreError>>,
        weight: Weight,
    },
    /// Does not.
    Alone {
        errand: Errand,
        reply: oneshot::Sender<Result<(), StoreError>>,
    },
}

impl Job {
    const fn is_new_events(&self) -> bool {
        matches!(
            self,
            Self::Shared {
                operation: Operation::Record(_),
                ..
            }
        )
    }

    fn is_urgent(&self) -> bool {
        !matches!(
            self,
            Self::Shared {
                operation: Operation::Finish(_),
                ..
            }
        )
    }
}

/// A job with the room that it takes up in the queue.
struct Waiting {
    job: Job,
    _room: OwnedSemaphorePermit,
}

/// The callers' end.
pub(super) struct Lane {
    // Both are bounded by `room`.
    events: mpsc::UnboundedSender<Waiting>,
    rest: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
}

impl Lane {
    /// Makes a lane; its work begins with [`Track::run`] of each track.
    pub(super) fn new(
        connector: &Arc<Connector>,
        node: Option<&Arc<Node>>,
        audience: &Audience,
    ) -> (Self, [Track; 2]) {
        let is_failing = Arc::new(AtomicBool::new(false));
        let track = || {
            // Bounded by `room`.
            let (jobs, received) = mpsc::unbounded_channel();
            let track = Track {
                jobs: received,
                connector: Arc::clone(connector),
                node: node.cloned(),
                audience: audience.clone(),
                link: None,
                is_failing: Arc::clone(&is_failing),
            };
            (jobs, track)
        };
        let ((events, of_events), (rest, of_rest)) = (track(), track());
        let room = Arc::new(Semaphore::new(QUEUE_UNITS as usize));
        (Self { events, rest, room }, [of_events, of_rest])
    }

    /// Does an operation in a commit that others may share; answers when it is durable.
    pub(super) async fn share(&self, operation: Operation, weight: Weight) -> Result<Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Shared {
            operation,
            reply,
            weight,
        };
        self.put(job, weight.units()).await?;
        answer.await.map_err(|_| closed())?
    }

    /// Does `work` in a transaction of its own; answers when it is durable.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: for<'t> FnOnce(&'t mut Transaction<'_>) -> Work<'t, T> + Send + 'static,
        T: Send + 'static,
    {
        let (sender, result) = oneshot::channel();
        let errand: Errand = Box::new(move |transaction| {
            let work = work(transaction);
            Box::pin(async move {
                // Nobody listens any more only if the caller is gone.
                let _ = sender.send(work.await?);
                Ok(())
            })
        });
        let (reply, answer) = oneshot::channel();
        self.put(Job::Alone { errand, reply }, 1).await?;
        answer.await.map_err(|_| closed())??;
        result.await.map_err(|_| closed())
    }

    async fn put(&self, job: Job, units: u32) -> Result<(), StoreError> {
        let room = Arc::clone(&self.room)
            .acquire_many_owned(units)
            .await
            .map_err(|_| closed())?;
        let track = if job.is_new_events() {
            &self.events
        } else {
            &self.rest
        };
        track.send(Waiting { job, _room: room }).map_err(|_| closed())
    }

    /// Takes no more; what waits is still done.
    pub(super) fn close(&self) {
        self.room.close();
    }
}

/// One of the ends that work.
pub(super) struct Track {
    // Bounded by the lane's `room`.
    jobs: mpsc::UnboundedReceiver<Waiting>,
    connector: Arc<Connector>,
    node: Option<Arc<Node>>,
    audience: Audience,
    link: Option<Link>,
    /// Whether the last commit failed, on any track, so that an outage is told once and not with each commit.
    is_failing: Arc<AtomicBool>,
}

struct Member {
    operation: Operation,
    reply: oneshot::Sender<Result<Answer, StoreError>>,
    _room: OwnedSemaphorePermit,
}

impl Track {
    /// Works until nobody can ask for anything any more, or `stop` says so and all that waited is done.
    pub(super) async fn run(mut self, mut stop: tokio::sync::watch::Receiver<bool>) {
        let mut waiting = Vec::new();
        loop {
            tokio::select! {
                biased;
                count = self.jobs.recv_many(&mut waiting, COMMIT_ITEMS as usize) => if count == 0 { break },
                _ = stop.wait_for(|is_stopped| *is_stopped) => {
                    if self.jobs.is_empty() { break }
                    continue;
                }
            }
            self.linger(&mut waiting).await;
            self.work(std::mem::take(&mut waiting)).await;
        }
        if let Some(link) = self.link.take() {
            // The server would notice by itself; saying so only keeps its log tidy.
            let _ = link.connection.close().await;
        }
    }

    /// Waits a moment for company if nothing is urgent.
    async fn linger(&mut self, waiting: &mut Vec<Waiting>) {
        let until = Instant::now() + LINGER;
        while !waiting.iter().any(|one| one.job.is_urgent()) {
            match timeout_at(until, self.jobs.recv()).await {
                Ok(Some(one)) => waiting.push(one),
                _ => return,
            }
        }
    }

    async fn work(&mut self, waiting: Vec<Waiting>) {
        let (mut members, mut alone) = (Vec::new(), Vec::new());
        let (mut items, mut bytes) = (0_u32, 0_u32);
        for Waiting { job, _room } in waiting {
            match job {
                Job::Shared {
                    operation,
                    reply,
                    weight,
                } => {
                    let is_full = items.saturating_add(weight.items) > COMMIT_ITEMS
                        || bytes.saturating_add(weight.bytes) > COMMIT_BYTES;
                    if is_full && !members.is_empty() {
                        self.commit_shared(std::mem::take(&mut members)).await;
                        (items, bytes) = (0, 0);
                    }
                    items = items.saturating_add(weight.items);
                    bytes = bytes.saturating_add(weight.bytes);
                    members.push(Member {
                        operation,
                        reply,
                        _room,
                    });
                }
                Job::Alone { errand, reply } => alone.push((errand, reply, _room)),
            }
        }
        if !members.is_empty() {
            self.commit_shared(members).await;
        }
        for (errand, reply, _room) in alone {
            let result = self
                .commit(1, async move |transaction| errand(transaction).await)
                .await;
            // Nobody listens any more only if the caller is gone.
            let _ = reply.send(result);
        }
    }

    /// Commits all at once; if that fails because of one of them, each by itself.
    async fn commit_shared(&mut self, members: Vec<Member>) {
        let operations: Vec<&Operation> = members.iter().map(|member| &member.operation).collect();
        let result = self.commit_operations(&operations).await;
        match result {
            Ok(answers) => {
                for (member, answer) in members.into_iter().zip(answers) {
                    let _ = member.reply.send(Ok(answer));
                }
            }
            Err(_) if members.len() > 1 && self.link.is_some() => {
                for member in members {
                    let answer = self.commit_operations(&[&member.operation]).await;
                    let answer = answer.and_then(|mut answers| answers.pop().ok_or_else(closed));
                    let _ = member.reply.send(answer);
                }
            }
            Err(error) => {
                for member in members {
                    let _ = member.reply.send(Err(same(&error)));
                }
            }
        }
    }

    async fn commit_operations(&mut self, operations: &[&Operation]) -> Result<Vec<Answer>, StoreError> {
        self.commit(operations.len(), async |transaction| {
            batch::run(transaction, operations).await
        })
        .await
    }

    /// Runs `work` in a transaction, and tells the operator when that begins to fail and when it works again.
    async fn commit<T>(
        &mut self,
        operations: usize,
        work: impl AsyncFnOnce(&mut Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let result = self.try_to_commit(operations, work).await;
        match &result {
            Err(error @ StoreError::Unavailable(_)) if !self.is_failing.swap(true, Ordering::Relaxed) => {
                tracing::error!(operations, %error, "nothing can be kept; it is tried again and again");
            }
            Ok(_) if self.is_failing.swap(false, Ordering::Relaxed) => {
                tracing::info!("things are kept again");
            }
            _ => {}
        }
        result
    }

    /// The connection stays only if it is known to be good.
    async fn try_to_commit<T>(
        &mut self,
        operations: usize,
        work: impl AsyncFnOnce(&mut Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let started = Instant::now();
        let mut link = match self.link.take().filter(|link| self.connector.is_current(link)) {
            Some(link) => link,
            None => self.connector.connect_to_commit().await?,
        };
        let node = self.node.as_ref().map(|node| node.id());
        let turns = Arc::clone(&self.audience.turns);
        match transact(&mut link.connection, node, &turns, work).await {
            Ok((value, told)) => {
                self.link = Some(link);
                self.audience.tell(told).await;
                self.audience.committed(Commit {
                    operations,
                    duration: started.elapsed(),
                });
                Ok(value)
            }
            Err(Uncommitted::RolledBack(error)) => {
                // After a failure of one statement the connection is as good as before; after one of its own it is not, nor if
                // its server takes no writes any more.
                if self.connector.is_well(&mut link).await {
                    self.link = Some(link);
                }
                Err(error)
            }
            Err(Uncommitted::NoAnswer) => Err(no_answer(COMMIT_TIMEOUT)),
            Err(Uncommitted::Doubtful(error, told)) => {
                self.audience.tell(*told).await;
                Err(error)
            }
        }
    }
}

/// Why a transaction is not known to be committed.
pub(super) enum Uncommitted {
    /// It did nothing, and the database said why.
    RolledBack(StoreError),
    /// It did nothing, and the database did not answer.
    NoAnswer,
    /// The database did not say whether it was committed. What it would tell then is told as doubtful.
    Doubtful(StoreError, Box<Told>),
}

impl From<StoreError> for Uncommitted {
    fn from(error: StoreError) -> Self {
        Self::RolledBack(error)
    }
}

impl From<Uncommitted> for StoreError {
    fn from(uncommitted: Uncommitted) -> Self {
        match uncommitted {
            Uncommitted::RolledBack(error) | Uncommitted::Doubtful(error, _) => error,
            Uncommitted::NoAnswer => no_answer(COMMIT_TIMEOUT),
        }
    }
}

/// Begins, works, commits. What is dropped halfway is rolled back.
pub(super) async fn transact<T>(
    connection: &mut PgConnection,
    node: Option<i64>,
    turns: &Turns,
    work: impl AsyncFnOnce(&mut Transaction<'_>) -> Result<T, StoreError>,
) -> Result<(T, Told), Uncommitted> {
    let working = async {
        let mut begun = connection.begin().await?;
        let mut transaction = Transaction::new(&mut begun, node);
        let value = work(&mut transaction).await?;
        let told = transaction.into_told(turns).await?;
        Ok::<_, StoreError>((begun, value, told))
    };
    let Ok(worked) = timeout(COMMIT_TIMEOUT, working).await else {
        return Err(Uncommitted::NoAnswer);
    };
    let (begun, value, told) = worked?;
    let error = match timeout(COMMIT_TIMEOUT, begun.commit()).await {
        Ok(Ok(())) => return Ok((value, told)),
        Ok(Err(error)) => error.into(),
        Err(_elapsed) => no_answer(COMMIT_TIMEOUT),
    };
    Err(Uncommitted::Doubtful(error, Box::new(told.doubtful())))
}

/// An error for each of those who shared a commit.
fn same(error: &StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) => StoreError::Unavailable(why.clone()),
        StoreError::Corrupt(why) => StoreError::Corrupt(why.clone()),
        StoreError::Conflict(why) => StoreError::Conflict(why.clone()),
        other => StoreError::Unavailable(other.to_string()),
    }
}
