//! One request and its answer, as far as the client is waited for: for more of the body, or to take more of the answer.
//!
//! Over HTTP/1.1 a connection has one after the other, and its socket tells how far the reader of an answer is. Over HTTP/2 there
//! are many at once, each with a window of its own, so each is looked at for itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::task::AtomicWaker;

/// Time for which a client was waited for, less what the bytes that it moved were worth.
#[derive(Debug, Default)]
pub(super) struct WaitClock {
    /// In milliseconds of the clock, plus one; 0 while nobody waits.
    since: AtomicU64,
    debt_ms: AtomicU64,
}

impl WaitClock {
    pub(super) fn begin(&self, now: u64) {
        if !self.is_on() {
            self.since.store(now + 1, Ordering::Relaxed);
        }
    }

    /// Counts bytes that the client moved.
    pub(super) fn moved(&self, now: u64, bytes: usize, rate: u32) {
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

    /// True if the client has not made up for earlier delays.
    pub(super) fn has_debt(&self) -> bool {
        self.debt_ms.load(Ordering::Relaxed) != 0
    }

    pub(super) fn clear(&self) {
        self.since.store(0, Ordering::Relaxed);
        self.debt_ms.store(0, Ordering::Relaxed);
    }

    pub(super) fn is_on(&self) -> bool {
        self.since.load(Ordering::Relaxed) != 0
    }

    /// Milliseconds for which the client has been behind; `None` if it is not waited for.
    pub(super) fn behind(&self, now: u64) -> Option<u64> {
        let since = self.since.load(Ordering::Relaxed);
        let waited = (now + 1).saturating_sub(since);
        (since != 0).then(|| waited + self.debt_ms.load(Ordering::Relaxed))
    }
}

/// Progress of a request and its answer, as far as the client is waited for.
#[derive(Debug, Default)]
pub(super) struct RequestProgress {
    body: WaitClock,
    body_failed: AtomicBool,
    /// Wakes whoever reads the body.
    pub(super) body_reader: AtomicWaker,
    /// From when a piece of the answer was handed over until the next one is asked for.
    taken: WaitClock,
}

impl RequestProgress {
    /// The body brought so many bytes, or (`None`) nothing for now.
    pub(super) fn body_came(&self, now: u64, bytes: Option<usize>, rate: u32) {
        match bytes {
            Some(bytes) => self.body.moved(now, bytes, rate),
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

    /// A piece of the answer is there for the client to take.
    pub(super) fn hand_over(&self, now: u64) {
        self.taken.begin(now);
    }

    /// The client took what was handed over.
    pub(super) fn took(&self, now: u64, bytes: usize, rate: u32) {
        self.taken.moved(now, bytes, rate);
    }

    /// Milliseconds for which the client has been behind with its body; `None` if no more of it is expected.
    pub(super) fn body_behind(&self, now: u64) -> Option<u64> {
        self.body.behind(now).filter(|_| !self.is_body_failed())
    }

    /// Milliseconds for which the client has been behind in reading the answer.
    pub(super) fn answer_behind(&self, now: u64) -> Option<u64> {
        self.taken.behind(now)
    }

    /// Milliseconds for which the client has been behind; `None` if the client waits for the server.
    pub(super) fn behind(&self, now: u64) -> Option<u64> {
        self.answer_behind(now).or(self.body.behind(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_worth_time_and_standing_still_costs_it() {
        let waiting = WaitClock::default();
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
        let waiting = WaitClock::default();
        for second in 0..29 {
            waiting.begin(second * 1_000);
            assert!(waiting.behind((second + 1) * 1_000).unwrap() < 30_000);
            waiting.moved((second + 1) * 1_000, 1, 1_024);
        }
        waiting.begin(29_000);
        assert!(waiting.behind(31_000).unwrap() > 30_000);
    }
}
