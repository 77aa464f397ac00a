//! Writes: what callers want written, and how they are answered once it is certain.

use switchhook_domain::Timestamp;
use tokio::sync::oneshot;

use crate::claim::{FinishedAttempt, Release};
use crate::error::StoreError;
use crate::event::{NewEvent, Recorded};

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

/// The writer's end of an answer. It keeps the result back until the commit is certain.
pub(crate) struct Reply<T> {
    caller: oneshot::Sender<Result<T, StoreError>>,
    result: Option<Result<T, StoreError>>,
}

/// Caller's end.
pub(crate) struct Answer<T>(oneshot::Receiver<Result<T, StoreError>>);

pub(crate) fn reply<T>() -> (Reply<T>, Answer<T>) {
    let (caller, answer) = oneshot::channel();
    let reply = Reply { caller, result: None };
    (reply, Answer(answer))
}

impl<T> Reply<T> {
    /// Sets the answer for a successful commit. The last one counts, because a write may run twice.
    pub(crate) fn set(&mut self, result: Result<T, StoreError>) {
        self.result = Some(result);
    }

    /// For one of those who shared a commit.
    pub(crate) fn send(self, committed: &Result<(), StoreError>) {
        let result = match committed {
            Ok(()) => self.result.unwrap_or_else(|| Err(StoreError::closed())),
            Err(error) => Err(for_each_caller(error)),
        };
        // A caller that went away does not want to know.
        let _ = self.caller.send(result);
    }
}

impl<T> Answer<T> {
    pub(crate) async fn wait(self) -> Result<T, StoreError> {
        self.0.await.unwrap_or_else(|_| Err(StoreError::closed()))
    }

    /// For whoever has done the write itself.
    pub(crate) fn now(mut self) -> Result<T, StoreError> {
        self.0.try_recv().unwrap_or_else(|_| Err(StoreError::closed()))
    }
}

/// An error for each of those who shared a commit.
fn for_each_caller(error: &StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) => StoreError::Unavailable(why.clone()),
        StoreError::Corrupt(why) => StoreError::Corrupt(why.clone()),
        StoreError::Conflict(why) => StoreError::Conflict(why.clone()),
        other => StoreError::Unavailable(other.to_string()),
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
