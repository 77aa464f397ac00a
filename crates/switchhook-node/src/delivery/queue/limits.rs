//! Limits of one receiver on this node: attempts in flight, attempts per second, deliveries in memory.
//!
//! The cap on attempts in flight adapts: a failure halves it, so that a dead receiver does not fill the node with
//! waiting attempts, and a success raises it by one. A rate spreads attempts evenly, with bursts of at most a tenth
//! of a second's worth.

use std::time::Duration;

use switchhook_domain::Timestamp;

/// Deliveries in memory per attempt that may be in flight.
pub(super) const CLAIMED_PER_ATTEMPT: u32 = 16;

/// Burst allowance: milliseconds behind an even pace that are caught up at once.
const BURST_MS: f64 = 100.0;

/// The limits of one webhook.
#[derive(Debug)]
pub(super) struct Limits {
    /// Present cap on attempts in flight.
    cap: u32,
    /// Number of attempts that the rate allows during one lease.
    within_a_lease: u32,
    /// Earliest start of the next attempt, in milliseconds; 0 without a rate. Finer than a timestamp, for thousands
    /// per second.
    next_start_ms: f64,
}

impl Limits {
    pub(super) const fn new(cap: u32) -> Self {
        Self {
            cap,
            within_a_lease: u32::MAX,
            next_start_ms: 0.0,
        }
    }

    /// Present cap on attempts in flight.
    pub(super) const fn cap(&self) -> u32 {
        self.cap
    }

    /// Bound on the deliveries in memory.
    pub(super) fn allowance(&self) -> u32 {
        self.cap
            .saturating_mul(CLAIMED_PER_ATTEMPT)
            .min(self.within_a_lease)
    }

    /// An attempt succeeded: one more may be under way, up to `most`.
    pub(super) fn raise(&mut self, most: u32) {
        self.cap = (self.cap + 1).min(most);
    }

    /// An attempt failed: half as many may be under way.
    pub(super) fn halve(&mut self) {
        self.cap = (self.cap / 2).max(1);
    }

    /// No more than `most` attempts may be under way from now on.
    pub(super) fn lower_to(&mut self, most: u32) {
        self.cap = self.cap.min(most);
    }

    /// Allows in memory what can start at `rate` (attempts a second) within `time`, which is what a lease leaves for it.
    /// Answers whether that changes anything.
    pub(super) fn keep_to(&mut self, rate: Option<f64>, time: Duration) -> bool {
        let within_a_lease = rate.map_or(u32::MAX, |rate| (rate * time.as_secs_f64()).max(1.0) as u32);
        std::mem::replace(&mut self.within_a_lease, within_a_lease) != within_a_lease
    }

    /// An attempt starts at `now`; `rate` is how many may start in a second.
    pub(super) fn started(&mut self, now: Timestamp, rate: Option<f64>) {
        self.next_start_ms = match rate {
            Some(rate) => self.next_start_ms.max(ms(now) - BURST_MS) + 1_000.0 / rate.max(0.001),
            None => 0.0,
        };
    }

    /// Earliest start that the rate allows, now or in the past; `None` without a rate.
    pub(super) fn next_start_at(&self) -> Option<Timestamp> {
        (self.next_start_ms > 0.0).then(|| Timestamp::from_millis(self.next_start_ms.ceil() as i64))
    }
}

fn ms(at: Timestamp) -> f64 {
    at.as_millis() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rate: f64, seconds: i64, expected: std::ops::RangeInclusive<u32>) {
        let mut limits = Limits::new(64);
        let mut started = 0;
        for millisecond in 0..seconds * 1_000 {
            let now = Timestamp::from_millis(1_790_000_000_000 + millisecond);
            while limits.next_start_at().is_none_or(|next| next <= now) {
                limits.started(now, Some(rate));
                started += 1;
            }
        }
        assert!(expected.contains(&started), "{started} at {rate} a second");
    }

    #[test]
    fn a_rate_is_kept_from_one_a_minute_to_thousands_a_second() {
        check(1.0 / 60.0, 600, 10..=11);
        check(1.0, 60, 60..=61);
        check(10.0, 10, 100..=102);
        check(2_500.0, 2, 5_000..=5_300);
    }

    #[test]
    fn the_cap_falls_by_half_to_one_and_grows_by_one_to_what_is_allowed() {
        let mut limits = Limits::new(6);
        let falling: Vec<_> = (0..4)
            .map(|_| {
                limits.halve();
                limits.cap()
            })
            .collect();
        assert_eq!(falling, [3, 1, 1, 1]);
        let rising: Vec<_> = (0..4)
            .map(|_| {
                limits.raise(3);
                limits.cap()
            })
            .collect();
        assert_eq!(rising, [2, 3, 3, 3]);
        limits.lower_to(5);
        assert_eq!(limits.cap(), 3, "lowering raises nothing");
    }

    #[test]
    fn no_more_is_in_memory_than_can_start_while_a_lease_lasts() {
        let mut limits = Limits::new(64);
        assert_eq!(limits.allowance(), 64 * CLAIMED_PER_ATTEMPT);
        assert!(limits.keep_to(Some(0.5), Duration::from_secs(40)));
        assert_eq!(limits.allowance(), 20);
        assert!(!limits.keep_to(Some(0.5), Duration::from_secs(40)));
        assert!(limits.keep_to(Some(1.0 / 60.0), Duration::from_secs(40)));
        assert_eq!(limits.allowance(), 1, "one at least");
    }
}
