//! One connection as the server sees it: what it is doing since when, and how far its client is behind.
//!
//! The task of a connection notes what happens with plain stores to its own memory and takes the time from a clock that the
//! sweep moves on, so that a request costs no timer. Who looks at it and decides is `connections.rs`.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use futures_util::task::AtomicWaker;
use switchhook_protocol::spelled_enum;

use super::connections::Connections;
use super::limits::ConnectionLimits;

/// What a connection is doing.
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

/// What a connection's task is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    GoOn,
    /// End with the request that is being dealt with, at once if there is none.
    Finish,
    /// End, unless its client has come on meanwhile: what has arrived is read first.
    Close,
    /// End, whatever it is doing.
    Cut,
}

impl Order {
    const ALL: [Self; 4] = [Self::GoOn, Self::Finish, Self::Close, Self::Cut];
}

spelled_enum! {
    /// Why a client is not waited for any longer.
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

/// How long a client was waited for, less what the bytes that it moved were worth.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// In milliseconds of the clock, plus one; 0 while nobody waits.
    since: AtomicU64,
    debt_ms: AtomicU64,
}

impl Waiting {
    fn begin(&self, now: u64) {
        if !self.is_on() {
            self.since.store(now + 1, Ordering::Relaxed);
        }
    }

    /// Something moved.
    fn moved(&self, now: u64, bytes: usize, rate: u32) {
        let since = self.since.load(Ordering::Relaxed);
        let debt = self.debt_ms.load(Ordering::Relaxed);
        if since == 0 && debt == 0 {
            return;
        }
        let waited = if since == 0 {
            0
        } else {
            (now + 1).saturating_sub(since)
        };
        let worth = bytes as u64 * 1_000 / u64::from(rate.max(1));
        self.debt_ms
            .store((debt + waited).saturating_sub(worth), Ordering::Relaxed);
        self.since.store(0, Ordering::Relaxed);
    }

    fn clear(&self) {
        self.since.store(0, Ordering::Relaxed);
        self.debt_ms.store(0, Ordering::Relaxed);
    }

    pub(super) fn is_on(&self) -> bool {
        self.since.load(Ordering::Relaxed) != 0
    }

    /// How long the client has been behind by now; `None` if it is not waited for.
    pub(super) fn behind(&self, now: u64) -> Option<u64> {
        let since = self.since.load(Ordering::Relaxed);
        let waited = (now + 1).saturating_sub(since);
        (since != 0).then(|| waited + self.debt_ms.load(Ordering::Relaxed))
    }
}

/// One connection.
pub(super) struct Connection {
    pub(super) all: Arc<Connections>,
    pub(super) number: u64,
    pub(super) peer: IpAddr,
    /// Whether it is beyond the bound, and only there to ask whether the server is well.
    pub(super) is_spare: bool,
    /// The phase and, in milliseconds of the clock, since when.
    state: AtomicU64,
    order: AtomicU8,
    /// How many requests are being dealt with.
    requests: AtomicU32,
    /// Whether there can be several at once (HTTP/2).
    has_many: AtomicBool,
    /// Wakes its task.
    pub(super) task: AtomicWaker,
    pub(super) body: Waiting,
    body_failed: AtomicBool,
    /// Wakes whoever reads the body.
    pub(super) body_reader: AtomicWaker,
    pub(super) answer: Waiting,
}

impl Connection {
    pub(super) fn new(all: Arc<Connections>, number: u64, peer: IpAddr, is_spare: bool, now: u64) -> Self {
        Self {
            all,
            number,
            peer,
            is_spare,
            state: AtomicU64::new(pack(Phase::Fresh, now)),
            order: AtomicU8::new(Order::GoOn as u8),
            requests: AtomicU32::new(0),
            has_many: AtomicBool::new(false),
            task: AtomicWaker::new(),
            body: Waiting::default(),
            body_failed: AtomicBool::new(false),
            body_reader: AtomicWaker::new(),
            answer: Waiting::default(),
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
    }

    pub(super) fn has_many(&self) -> bool {
        self.has_many.load(Ordering::Relaxed)
    }

    /// Bytes came.
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

    pub(super) fn begin_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.enter(Phase::Request);
        if self.answer.debt_ms.load(Ordering::Relaxed) != 0 {
            self.answer.clear();
        }
    }

    pub(super) fn end_request(&self) {
        let remaining = self.requests.fetch_sub(1, Ordering::Relaxed) - 1;
        if remaining == 0 && self.state().0 == Phase::Request {
            self.enter(Phase::Idle);
        }
    }

    /// The body brought so many bytes, or (`None`) nothing for now.
    pub(super) fn body_came(&self, bytes: Option<usize>) {
        let now = self.all.coarse_now();
        match bytes {
            Some(bytes) => self.body.moved(now, bytes, self.all.limits.rate),
            None => self.body.begin(now),
        }
    }

    pub(super) fn end_body(&self) {
        self.body.clear();
    }

    /// Lets whoever reads the body know that no more of it is waited for.
    pub(super) fn fail_body(&self) {
        self.body_failed.store(true, Ordering::Release);
        self.body_reader.wake();
    }

    pub(super) fn is_body_failed(&self) -> bool {
        self.body_failed.load(Ordering::Acquire)
    }

    /// Whether it is in the middle of something that a client could miss.
    pub(super) fn is_busy(&self) -> bool {
        self.state().0 == Phase::Request || self.answer.is_on()
    }

    /// Whether it is the server that others wait for.
    pub(super) fn is_working(&self) -> bool {
        self.state().0 == Phase::Request && !self.body.is_on() && !self.answer.is_on()
    }

    pub(super) fn order(&self) -> Order {
        Order::ALL[usize::from(self.order.load(Ordering::Acquire))]
    }

    /// Tells its task what to do, unless it was told more before. Answers whether that is news.
    pub(super) fn tell(&self, order: Order) -> bool {
        let is_news = self.order.fetch_max(order as u8, Ordering::AcqRel) < order as u8;
        if is_news {
            self.task.wake();
        }
        is_news
    }

    /// Takes back what it was told.
    pub(super) fn tell_again(&self, order: Order) {
        self.order.store(order as u8, Ordering::Release);
    }

    /// Whether its client has had its time, and for what.
    pub(super) fn overdue(&self, now: u64, limits: &ConnectionLimits, patience: u64) -> Option<Overdue> {
        let (phase, since) = self.state();
        if phase == Phase::Upgraded {
            return None;
        }
        if let Some(behind) = self.answer.behind(now) {
            return (behind > patience).then_some(Overdue::Answer);
        }
        if self.body.behind(now).is_some_and(|behind| behind > patience) && !self.is_body_failed() {
            return Some(Overdue::Body);
        }
        let age = u128::from(now.saturating_sub(since));
        match phase {
            Phase::Fresh | Phase::Head => (age > limits.head.as_millis()).then_some(Overdue::Head),
            Phase::Idle => (age > limits.idle.as_millis()).then_some(Overdue::Idle),
            Phase::Lingering => (age > limits.hurry.as_millis()).then_some(Overdue::Answer),
            Phase::Request | Phase::Upgraded => None,
        }
    }
}

const fn pack(phase: Phase, since: u64) -> u64 {
    since << 3 | phase as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_worth_time_and_standing_still_costs_it() {
        let waiting = Waiting::default();
        assert_eq!(waiting.behind(5_000), None);
        waiting.begin(1_000);
        waiting.begin(3_000);
        assert_eq!(waiting.behind(6_000), Some(5_000));
        waiting.moved(6_000, 2_048, 1_024);
        assert_eq!(waiting.behind(6_500), None, "nobody waits");
        waiting.begin(7_000);
        assert_eq!(waiting.behind(8_000), Some(4_000), "3 s are left of the first 5");
        waiting.moved(8_000, 1 << 20, 1_024);
        waiting.begin(9_000);
        assert_eq!(waiting.behind(9_500), Some(500), "nothing is saved for later");
    }

    #[test]
    fn a_byte_now_and_then_is_behind_sooner_or_later() {
        let waiting = Waiting::default();
        for second in 0..29 {
            waiting.begin(second * 1_000);
            assert!(waiting.behind((second + 1) * 1_000).unwrap() < 30_000);
            waiting.moved((second + 1) * 1_000, 1, 1_024);
        }
        waiting.begin(29_000);
        assert!(waiting.behind(31_000).unwrap() > 30_000);
    }
}
