//! Group commit, for both drivers: the writes of many callers in one transaction.
//!
//! A caller puts a [`Write`] into a [`WriteQueue`] and waits for its answer. Whoever commits takes what waits as
//! [`Batches`] of a bounded size, writes each in one transaction and, once that is certain, notifies (`effects.rs`) before
//! it answers: nobody hears of a success before the node does.
//!
//! How one batch is written is the driver's own: `sqlite/committer.rs`, `postgres/committer.rs`. So is how whoever
//! commits waits for the next, because on SQLite that is a thread and on PostgreSQL a task.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use tokio::sync::{Notify, Semaphore};

use crate::claim::{FinishedAttempt, Release};
use crate::error::StoreError;
use crate::event::{NewEvent, Recorded};
use crate::reply::{Answer, Reply, reply};

#[cfg(test)]
mod tests;

/// Write that a caller asks for. `W` is a driver's own work.
pub(crate) enum Write<W: ?Sized> {
    Hot(HotWrite),
    Other(Box<W>),
}

/// A write that is made for about every event. Both drivers write many of them together.
pub(crate) enum HotWrite {
    Record {
        events: Vec<NewEvent>,
        reply: Reply<Vec<Recorded>>,
    },
    Finish {
        attempts: Vec<FinishedAttempt>,
        /// Answers the number of attempts that came too late.
        reply: Reply<usize>,
    },
    Release {
        releases: Vec<Release>,
        now: Timestamp,
        reply: Reply<()>,
    },
}

impl<W: ?Sized> Write<W> {
    /// True if somebody waits for it. The end of an attempt is known to all who need it before it is written.
    pub(crate) const fn is_urgent(&self) -> bool {
        !matches!(self, Self::Hot(HotWrite::Finish { .. }))
    }
}

impl HotWrite {
    pub(crate) fn record(events: Vec<NewEvent>) -> (Self, Answer<Vec<Recorded>>) {
        let (reply, answer) = reply();
        (Self::Record { events, reply }, answer)
    }

    pub(crate) fn finish(attempts: Vec<FinishedAttempt>) -> (Self, Answer<usize>) {
        let (reply, answer) = reply();
        (Self::Finish { attempts, reply }, answer)
    }

    pub(crate) fn release(releases: Vec<Release>, now: Timestamp) -> (Self, Answer<()>) {
        let (reply, answer) = reply();
        let write = Self::Release { releases, now, reply };
        (write, answer)
    }

    pub(crate) fn weight(&self) -> Weight {
        match self {
            Self::Record { events, .. } => Weight::of(
                events.iter().map(|event| 1 + event.deliveries.len()).sum(),
                events.iter().map(|event| event.body.len()).sum(),
            ),
            Self::Finish { attempts, .. } => {
                let answers = attempts.iter().filter_map(|one| one.attempt.answer.as_ref());
                Weight::of(attempts.len(), answers.map(|answer| answer.body_head.len()).sum())
            }
            Self::Release { releases, .. } => Weight::of(releases.len(), 0),
        }
    }

    /// Answers the caller. If the write was not committed, it learns why.
    pub(crate) fn answer(self, committed: &Result<(), StoreError>) {
        match self {
            Self::Record { reply, .. } => reply.send(committed),
            Self::Finish { reply, .. } => reply.send(committed),
            Self::Release { reply, .. } => reply.send(committed),
        }
    }
}

/// Cost of a write, or bound on the cost of one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) items: u32,
    pub(crate) bytes: u32,
}

impl Weight {
    /// Of an ordinary small write.
    pub(crate) const ONE: Self = Self { items: 1, bytes: 0 };

    pub(crate) fn of(items: usize, bytes: usize) -> Self {
        let clamped = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            items: clamped(items),
            bytes: clamped(bytes),
        }
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            items: self.items.saturating_add(other.items),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    pub(crate) const fn fits(self, most: Self) -> bool {
        self.items <= most.items && self.bytes <= most.bytes
    }
}

/// Time for which a write that is not urgent waits for others.
pub(crate) const LINGER: Duration = Duration::from_millis(5);

/// Bound on the waiting writes: a unit is a row, or each KiB of a larger one.
pub const QUEUE_UNITS: u32 = 32 * 1024;

/// Units that a write takes. One larger than the queue gets all of it.
fn room_for(weight: Weight) -> u32 {
    weight.items.max(weight.bytes / 1024).clamp(1, QUEUE_UNITS)
}

/// Queue of writes: a vector that callers fill and the committer swaps out.
pub(crate) struct WriteQueue<W: ?Sized> {
    inbox: Mutex<Inbox<W>>,
    room: Arc<Semaphore>,
    committer: OnceLock<WakeTarget>,
}

struct Inbox<W: ?Sized> {
    waiting: Vec<Waiting<W>>,
    has_urgent: bool,
    state: State,
    is_closed: bool,
}

struct Waiting<W: ?Sized> {
    write: Write<W>,
    weight: Weight,
}

/// State of the committer, by which callers know whether to wake it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Awake,
    /// It waits a moment for more of what is not urgent.
    Lingering,
    Asleep,
}

/// Thread or task to wake.
pub(crate) enum WakeTarget {
    Thread(Thread),
    Task(Arc<Notify>),
}

impl<W: ?Sized> WriteQueue<W> {
    pub(crate) fn new() -> Self {
        Self::with_room(Arc::new(Semaphore::new(QUEUE_UNITS as usize)))
    }

    /// Another queue; what may wait in both is bounded together.
    pub(crate) fn beside(&self) -> Self {
        Self::with_room(Arc::clone(&self.room))
    }

    fn with_room(room: Arc<Semaphore>) -> Self {
        let inbox = Inbox {
            waiting: Vec::new(),
            has_urgent: false,
            state: State::Awake,
            is_closed: false,
        };
        Self {
            inbox: Mutex::new(inbox),
            room,
            committer: OnceLock::new(),
        }
    }

    /// Puts a write in, when there is room.
    pub(crate) async fn put(&self, write: Write<W>, weight: Weight) -> Result<(), StoreError> {
        let room = self.room.acquire_many(room_for(weight)).await;
        let room = room.map_err(|_| StoreError::closed())?;
        let is_urgent = write.is_urgent();
        let mut inbox = self.inbox.lock();
        if inbox.is_closed {
            return Err(StoreError::closed());
        }
        room.forget();
        inbox.waiting.push(Waiting { write, weight });
        inbox.has_urgent |= is_urgent;
        let wakes = match inbox.state {
            State::Awake => false,
            State::Lingering => is_urgent,
            State::Asleep => true,
        };
        if wakes {
            inbox.state = State::Awake;
        }
        drop(inbox);
        if wakes {
            self.wake();
        }
        Ok(())
    }

    /// Takes no more; what waits is still written.
    pub(crate) fn close(&self) {
        self.inbox.lock().is_closed = true;
        self.room.close();
        self.wake();
    }

    fn wake(&self) {
        match self.committer.get() {
            Some(WakeTarget::Thread(thread)) => thread.unpark(),
            Some(WakeTarget::Task(woken)) => woken.notify_one(),
            None => {}
        }
    }
}

/// The end of a queue at which it is emptied. If this is dropped, nobody waits for an answer any more.
pub(crate) struct Batches<W: ?Sized> {
    queue: Arc<WriteQueue<W>>,
    /// Bound on one commit: a larger one gains nothing, and makes its first caller wait longer.
    most: Weight,
    backlog: VecDeque<Waiting<W>>,
    /// Swapped with the inbox, so that neither allocates anew.
    spare: Vec<Waiting<W>>,
}

/// Writes of one commit.
pub(crate) struct Batch<W: ?Sized> {
    pub(crate) writes: Vec<Write<W>>,
    /// To be dropped when they are done.
    pub(crate) room: BatchPermit,
}

/// Units of a batch in its queue, released when this is dropped.
pub(crate) struct BatchPermit {
    queue: Arc<Semaphore>,
    units: usize,
}

impl Drop for BatchPermit {
    fn drop(&mut self) {
        self.queue.add_permits(self.units);
    }
}

/// Next action of the committer.
pub(crate) enum Next<W: ?Sized> {
    /// It writes this, which is empty only if the time for it has come.
    Write(Batch<W>),
    /// It waits for [`LINGER`], or for its deadline if it has one, or until it is woken.
    Linger,
    /// It waits until it is woken.
    Sleep,
    /// It ends: nothing waits, and nothing comes any more.
    End,
}

impl<W: ?Sized> Batches<W> {
    pub(crate) fn of(queue: Arc<WriteQueue<W>>, most: Weight, committer: WakeTarget) -> Self {
        // Each queue is emptied at one end only.
        let _ = queue.committer.set(committer);
        Self {
            queue,
            most,
            backlog: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    /// The next batch, or how to wait for it.
    ///
    /// `has_lingered` says whether that was done; whoever has a deadline lingers until then, and commits then what there is, be it
    /// nothing.
    pub(crate) fn next(&mut self, has_lingered: bool, has_deadline: bool) -> Next<W> {
        let mut inbox = self.queue.inbox.lock();
        let takes = inbox.has_urgent || inbox.is_closed || has_lingered || !self.backlog.is_empty();
        if takes && !inbox.waiting.is_empty() {
            std::mem::swap(&mut inbox.waiting, &mut self.spare);
            inbox.has_urgent = false;
        }
        let is_idle = self.spare.is_empty() && self.backlog.is_empty();
        let next = match (is_idle, inbox.is_closed) {
            (true, true) => Some(Next::End),
            (true, false) if has_lingered && has_deadline => None,
            (true, false) if inbox.waiting.is_empty() && !has_deadline => Some(Next::Sleep),
            (true, false) => Some(Next::Linger),
            (false, _) => None,
        };
        inbox.state = match next {
            Some(Next::Sleep) => State::Asleep,
            Some(Next::Linger) => State::Lingering,
            _ => State::Awake,
        };
        drop(inbox);
        next.unwrap_or_else(|| {
            self.backlog.extend(self.spare.drain(..));
            Next::Write(self.split_off())
        })
    }

    fn split_off(&mut self) -> Batch<W> {
        let mut writes = Vec::with_capacity(self.backlog.len().min(256));
        let mut weight = Weight { items: 0, bytes: 0 };
        let mut units = 0;
        while let Some(next) = self
            .backlog
            .pop_front_if(|next| weight.items == 0 || weight.and(next.weight).fits(self.most))
        {
            weight = weight.and(next.weight);
            units += room_for(next.weight) as usize;
            writes.push(next.write);
        }
        let queue = Arc::clone(&self.queue.room);
        Batch {
            writes,
            room: BatchPermit { queue, units },
        }
    }
}

impl<W: ?Sized> Drop for Batches<W> {
    fn drop(&mut self) {
        self.queue.close();
        self.queue.inbox.lock().waiting.clear();
    }
}
