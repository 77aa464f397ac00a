//! One connection as the server sees it: what it is doing since when, and how far its client is behind.
//!
//! The task of a connection notes what happens with plain stores to its own memory and takes the time from a clock that the
//! sweep moves on, so that a request costs no timer. Who looks at it and decides is `connections.rs`.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use switchhook_protocol::spelled_enum;

use super::connections::Connections;
use super::limits::ConnectionLimits;
use super::progress::{RequestProgress, WaitClock};

/// Phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing has come yet.
    Fresh,
    /// A part of a request's head has come.
    Head,
    /// A request is being dealt with, until its answer is written or waits for its reader.
    Request,
    /// It has had a request and waits for the next one.
    Idle,
    /// It is a websocket, which looks after itself.
    Upgraded,
    /// All is said; what the client was still sending is read so that it gets to read the answer.
    Lingering,
}

impl Phase {
    const ALL: [Self; 6] = [
        Self::Fresh,
        Self::Head,
        Self::Request,
        Self::Idle,
        Self::Upgraded,
        Self::Lingering,
    ];
}

/// Directive to a connection's task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Directive {
    GoOn,
    /// End with the request that is being dealt with, at once if there is none.
    Finish,
    /// End, unless its client has come on meanwhile: what has arrived is read first.
    Close,
    /// End, whatever it is doing.
    Cut,
}

impl Directive {
    const ALL: [Self; 4] = [Self::GoOn, Self::Finish, Self::Close, Self::Cut];
}

spelled_enum! {
    /// Part of a request for which a client took too long.
    pub enum Overdue: "overdue part of a request" {
        /// No complete head came.
        Head = "head",
        /// No further request came.
        Idle = "idle",
        /// The body came too slowly.
        Body = "body",
        /// The answer was read too slowly.
        Answer = "answer",
    }
}

pub(super) struct Connection {
    pub(super) all: Arc<Connections>,
    pub(super) number: u64,
    pub(super) peer: IpAddr,
    /// True if it is beyond the bound, and only for health checks.
    pub(super) is_spare: bool,
    /// The phase and, in milliseconds of the clock, since when.
    state: AtomicU64,
    order: AtomicU8,
    /// Number of requests being answered.
    requests: AtomicU32,
    /// True if there can be several at once (HTTP/2).
    has_many: AtomicBool,
    /// Wakes its task.
    pub(super) task: AtomicWaker,
    /// Until the socket takes more of what is answered.
    pub(super) answer: WaitClock,
    /// The request that is being dealt with, where there is one at a time.
    only: Arc<RequestProgress>,
    /// Every request that is being dealt with.
    parts: Mutex<Vec<Arc<RequestProgress>>>,
}

impl Connection {
    pub(super) fn new(all: Arc<Connections>, number: u64, peer: IpAddr, is_spare: bool, now: u64) -> Self {
        let only = Arc::default();
        Self {
            parts: Mutex::new(vec![Arc::clone(&only)]),
            only,
            all,
            number,
            peer,
            is_spare,
            state: AtomicU64::new(pack(Phase::Fresh, now)),
            order: AtomicU8::new(Directive::GoOn as u8),
            requests: AtomicU32::new(0),
            has_many: AtomicBool::new(false),
            task: AtomicWaker::new(),
            answer: WaitClock::default(),
        }
    }

    /// The phase and since when.
    pub(super) fn state(&self) -> (Phase, u64) {
        let packed = self.state.load(Ordering::Relaxed);
        (Phase::ALL[(packed & 7) as usize], packed >> 3)
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.state
            .store(pack(phase, self.all.coarse_now()), Ordering::Relaxed);
    }

    /// From now on it carries several requests at once.
    pub(super) fn carries_many(&self) {
        self.has_many.store(true, Ordering::Relaxed);
        self.parts.lock().clear();
    }

    pub(super) fn has_many(&self) -> bool {
        self.has_many.load(Ordering::Relaxed)
    }

    pub(super) fn read(&self) {
        match self.state().0 {
            Phase::Fresh => self.enter(Phase::Head),
            // Where there can be many, what comes need not be the head of one.
            Phase::Idle if !self.has_many() => self.enter(Phase::Head),
            _ => {}
        }
    }

    /// The answer's reader took so many bytes, or (`None`) takes no more for now.
    pub(super) fn wrote(&self, bytes: Option<usize>) {
        let Some(bytes) = bytes else {
            self.answer.begin(self.all.coarse_now());
            return;
        };
        if self.answer.is_on() && self.state().0 == Phase::Idle {
            self.enter(Phase::Idle);
        }
        self.answer
            .moved(self.all.coarse_now(), bytes, self.all.limits.rate);
    }

    pub(super) fn begin_request(&self) -> Arc<RequestProgress> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.enter(Phase::Request);
        if self.answer.has_debt() {
            self.answer.clear();
        }
        if !self.has_many() {
            return Arc::clone(&self.only);
        }
        let progress = Arc::default();
        self.parts.lock().push(Arc::clone(&progress));
        progress
    }

    pub(super) fn end_request(&self, progress: &Arc<RequestProgress>) {
        if self.has_many() {
            self.parts.lock().retain(|other| !Arc::ptr_eq(other, progress));
        }
        let remaining = self.requests.fetch_sub(1, Ordering::Relaxed) - 1;
        if remaining == 0 && self.state().0 == Phase::Request {
            self.enter(Phase::Idle);
        }
    }

    /// Ends every body that has had its time; each is answered for itself.
    pub(super) fn fail_bodies(&self, now: u64, patience: u64) {
        for progress in &*self.parts.lock() {
            if progress.body_behind(now).is_some_and(|behind| behind > patience) {
                progress.fail_body();
            }
        }
    }

    /// Milliseconds for which its client has been behind in everything; `None` if the server has something to do.
    pub(super) fn stalled(&self, now: u64) -> Option<u64> {
        self.answer.behind(now).or_else(|| {
            let parts = self.parts.lock();
            let behind: Option<Vec<_>> = parts.iter().map(|progress| progress.behind(now)).collect();
            behind?.into_iter().max()
        })
    }

    /// True if it is in the middle of something that a client could miss.
    pub(super) fn is_busy(&self) -> bool {
        self.state().0 == Phase::Request || self.answer.is_on()
    }

    /// True if the client waits for the server.
    pub(super) fn is_working(&self) -> bool {
        self.state().0 == Phase::Request && self.stalled(self.all.coarse_now()).is_none()
    }

    pub(super) fn order(&self) -> Directive {
        Directive::ALL[usize::from(self.order.load(Ordering::Acquire))]
    }

    /// Tells its task what to do, unless it was told more before. Answers whether that is news.
    pub(super) fn tell(&self, order: Directive) -> bool {
        let is_news = self.order.fetch_max(order as u8, Ordering::AcqRel) < order as u8;
        if is_news {
            self.task.wake();
        }
        is_news
    }

    /// Takes back what it was told.
    pub(super) fn repeat_directive(&self, order: Directive) {
        self.order.store(order as u8, Ordering::Release);
    }

    /// Part of a request for which the client has run out of time.
    pub(super) fn overdue(&self, now: u64, limits: &ConnectionLimits, patience: u64) -> Option<Overdue> {
        let (phase, since) = self.state();
        if phase == Phase::Upgraded {
            return None;
        }
        if let Some(behind) = self.answer.behind(now) {
            return (behind > patience).then_some(Overdue::Answer);
        }
        let is_late = |behind: Option<u64>| behind.is_some_and(|behind| behind > patience);
        {
            let parts = self.parts.lock();
            if parts.iter().any(|progress| is_late(progress.answer_behind(now))) {
                return Some(Overdue::Answer);
            }
            if parts.iter().any(|progress| is_late(progress.body_behind(now))) {
                return Some(Overdue::Body);
            }
        }
        let age = u128::from(now.saturating_sub(since));
        match phase {
            Phase::Fresh | Phase::Head => (age > limits.head.as_millis()).then_some(Overdue::Head),
            // What was answered last may still be waiting for its reader's window.
            Phase::Idle if self.order() == Directive::Finish => {
                (age > u128::from(patience)).then_some(Overdue::Answer)
            }
            Phase::Idle => (age > limits.idle.as_millis()).then_some(Overdue::Idle),
            Phase::Lingering => (age > limits.hurry.as_millis()).then_some(Overdue::Answer),
            Phase::Request | Phase::Upgraded => None,
        }
    }
}

const fn pack(phase: Phase, since: u64) -> u64 {
    since << 3 | phase as u64
}
