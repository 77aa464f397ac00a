//! The writer's input: a vector that callers fill and the writer swaps out, bounded by what waits in it.

use std::collections::VecDeque;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::clock::now;
use super::transaction::Job;
use crate::error::StoreError;

/// How long what is not urgent waits for company.
const LINGER: Duration = Duration::from_millis(5);

/// How much one commit takes on: larger ones gain nothing and make the first caller wait for the last.
const COMMIT_ITEMS: u32 = 2_000;
const COMMIT_BYTES: u32 = 8 << 20;

/// How much may wait: one unit is an item, or a KiB of its bytes if that is more.
const QUEUE_UNITS: u32 = 32 * 1024;

/// Whether somebody waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// It is committed as soon as the writer is free.
    Now,
    /// It rides along with the next commit, or goes alone after a few milliseconds.
    Soon,
}

/// How much work an operation is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight {
    pub(super) items: u32,
    pub(super) bytes: u32,
}

impl Weight {
    /// Of an ordinary small operation.
    pub(super) const ONE: Self = Self { items: 1, bytes: 0 };

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

struct Waiting {
    job: Box<dyn Job>,
    weight: Weight,
}

/// What the writer is doing, as far as whoever wakes it must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    Awake,
    /// Waits a moment for more of what is not urgent.
    Lingering,
    Asleep,
}

struct Inbox {
    jobs: Vec<Waiting>,
    has_urgent: bool,
    writer: Writer,
    is_closed: bool,
}

/// Shared by the callers and the writer.
pub(super) struct Queue {
    inbox: Mutex<Inbox>,
    room: Semaphore,
}

impl Queue {
    pub(super) fn new() -> Self {
        let inbox = Inbox {
            jobs: Vec::new(),
            has_urgent: false,
            writer: Writer::Awake,
            is_closed: false,
        };
        Self {
            inbox: Mutex::new(inbox),
            room: Semaphore::new(QUEUE_UNITS as usize),
        }
    }

    /// Puts a job in, when there is room.
    pub(super) async fn put(
        &self,
        job: Box<dyn Job>,
        urgency: Urgency,
        weight: Weight,
        writer: &Thread,
    ) -> Result<(), StoreError> {
        let room = self
            .room
            .acquire_many(weight.units())
            .await
            .map_err(|_| closed())?;
        let mut inbox = self.inbox.lock();
        if inbox.is_closed {
            return Err(closed());
        }
        room.forget();
        inbox.jobs.push(Waiting { job, weight });
        inbox.has_urgent |= urgency == Urgency::Now;
        let wakes = match inbox.writer {
            Writer::Awake => false,
            Writer::Lingering => urgency == Urgency::Now,
            Writer::Asleep => true,
        };
        if wakes {
            inbox.writer = Writer::Awake;
        }
        drop(inbox);
        if wakes {
            writer.unpark();
        }
        Ok(())
    }

    /// Takes no more; what waits is still done.
    pub(super) fn close(&self, writer: Option<&Thread>) {
        self.inbox.lock().is_closed = true;
        self.room.close();
        if let Some(writer) = writer {
            writer.unpark();
        }
    }

    /// Forgets what waits: its callers learn that the writer is gone.
    pub(super) fn abandon(&self) {
        self.close(None);
        self.inbox.lock().jobs.clear();
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("it is closed".into())
}

/// The writer's end of the queue.
pub(super) struct Batches<'q> {
    queue: &'q Queue,
    backlog: VecDeque<Waiting>,
    /// Swapped with the inbox, so that neither allocates anew.
    spare: Vec<Waiting>,
}

/// What goes into one commit.
pub(super) struct Batch {
    pub(super) jobs: Vec<Box<dyn Job>>,
    units: usize,
}

impl<'q> Batches<'q> {
    pub(super) const fn of(queue: &'q Queue) -> Self {
        Self {
            queue,
            backlog: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    /// The next batch, as soon as there is one; `None` once the queue is closed and empty.
    ///
    /// At `until` at the latest comes a batch of what there is, be it nothing; and what is not urgent waits until then.
    pub(super) fn next(&mut self, until: Option<Instant>) -> Option<Batch> {
        let mut has_lingered = false;
        loop {
            let is_time = has_lingered && until.is_some();
            if self.refill(has_lingered, until)? || is_time {
                return Some(self.split_off());
            }
            has_lingered = self.sleep(until);
        }
    }

    /// The batch is done: what it took up is free again.
    pub(super) fn done(&self, units: usize) {
        self.queue.room.add_permits(units);
    }

    /// Whether there is something to do now; `None`: never again.
    fn refill(&mut self, has_lingered: bool, until: Option<Instant>) -> Option<bool> {
        let mut inbox = self.queue.inbox.lock();
        let takes = inbox.has_urgent || inbox.is_closed || has_lingered || !self.backlog.is_empty();
        if takes && !inbox.jobs.is_empty() {
            std::mem::swap(&mut inbox.jobs, &mut self.spare);
            inbox.has_urgent = false;
        }
        let is_closed = inbox.is_closed;
        if self.spare.is_empty() && self.backlog.is_empty() && !is_closed {
            inbox.writer = if inbox.jobs.is_empty() && until.is_none() {
                Writer::Asleep
            } else {
                Writer::Lingering
            };
        } else {
            inbox.writer = Writer::Awake;
        }
        drop(inbox);
        self.backlog.extend(self.spare.drain(..));
        if self.backlog.is_empty() && is_closed {
            None
        } else {
            Some(!self.backlog.is_empty())
        }
    }

    /// Sleeps until woken; tells whether it was as long as what is not urgent waits.
    fn sleep(&self, until: Option<Instant>) -> bool {
        if let Some(until) = until {
            thread::park_timeout(until.saturating_duration_since(now()));
            return now() >= until;
        }
        let lingers = self.queue.inbox.lock().writer == Writer::Lingering;
        if lingers {
            thread::park_timeout(LINGER);
        } else {
            thread::park();
        }
        lingers
    }

    fn split_off(&mut self) -> Batch {
        let mut batch = Batch {
            jobs: Vec::with_capacity(self.backlog.len().min(256)),
            units: 0,
        };
        let mut size = Weight { items: 0, bytes: 0 };
        while let Some(waiting) = self.backlog.pop_front_if(|next| {
            size.items == 0
                || size.items.saturating_add(next.weight.items) <= COMMIT_ITEMS
                    && size.bytes.saturating_add(next.weight.bytes) <= COMMIT_BYTES
        }) {
            size.items = size.items.saturating_add(waiting.weight.items);
            size.bytes = size.bytes.saturating_add(waiting.weight.bytes);
            batch.units += waiting.weight.units() as usize;
            batch.jobs.push(waiting.job);
        }
        batch
    }
}

impl Batch {
    pub(super) fn into_parts(self) -> (Vec<Box<dyn Job>>, usize) {
        (self.jobs, self.units)
    }
}
