//! The breaker of a webhook: a receiver that fails again and again is probed, not hammered.
//!
//! `closed → open` after some failures in a row, with an attempt in between now and then; the first success closes it.
//! An answer that refuses (4xx) is an answer: it counts neither way, but a probe that was answered so tells as little as one that
//! failed. `attempt/outcome.rs` says what counts how.

use std::time::Duration;

use switchhook_protocol::{Timestamp, spelled_enum};

use crate::attempt::{CountsAs, HealthSignal, OutcomeClass};

/// Consecutive failures that open it.
pub const OPENS_AFTER: u32 = 10;

/// Time from opening to the first probe; doubled after each probe that fails.
pub const FIRST_PROBE: Duration = Duration::from_secs(5);

/// The longest time between probes.
pub const LONGEST_PROBE: Duration = Duration::from_secs(5 * 60);

/// Consecutive failures after which a success counts as a recovery.
const RECOVERS_FROM: u32 = 2;

spelled_enum! {
    /// State of a breaker, as it is shown.
    pub enum BreakerState: "state of a breaker" {
        /// Every delivery is attempted when it is due.
        Closed = "closed",
        /// None is attempted before the next probe.
        Open = "open",
        /// The next attempt is a probe, and is due.
        Probing = "probing",
    }
}

/// Circuit breaker of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    Closed {
        /// Failures since the last success.
        failures: u32,
    },
    /// Only now and then, to see whether it works again.
    Open {
        since: Timestamp,
        /// Time of the next attempt.
        probe_at: Timestamp,
        /// Failures since the last success.
        failures: u32,
    },
}

/// Effect of an outcome on a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// No change of state.
    None,
    /// It opened, or stays open until a later probe.
    Opened,
    /// The receiver works again after failures: what waits for a retry may go now.
    Recovered,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// State at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> BreakerState {
        match self {
            Self::Closed { .. } => BreakerState::Closed,
            Self::Open { probe_at, .. } if *probe_at <= now => BreakerState::Probing,
            Self::Open { .. } => BreakerState::Open,
        }
    }

    /// Takes note of how an attempt ended at `now`.
    pub fn note(&mut self, class: OutcomeClass, now: Timestamp) -> Transition {
        let consequences = class.consequences();
        match (consequences.breaker, consequences.counts_as) {
            (HealthSignal::Good, _) => self.close(),
            (HealthSignal::Bad, _) => self.fail(now),
            (HealthSignal::Neither, CountsAs::Nothing) => Transition::None,
            (HealthSignal::Neither, _) => self.probe_later(0, now),
        }
    }

    fn close(&mut self) -> Transition {
        let recovers = match *self {
            Self::Closed { failures } => failures >= RECOVERS_FROM,
            Self::Open { .. } => true,
        };
        *self = Self::default();
        if recovers {
            Transition::Recovered
        } else {
            Transition::None
        }
    }

    fn fail(&mut self, now: Timestamp) -> Transition {
        match *self {
            Self::Closed { failures } if failures + 1 < OPENS_AFTER => {
                *self = Self::Closed {
                    failures: failures + 1,
                };
                Transition::None
            }
            Self::Closed { failures } => {
                *self = Self::Open {
                    since: now,
                    probe_at: now.plus(FIRST_PROBE),
                    failures: failures + 1,
                };
                Transition::Opened
            }
            Self::Open { .. } => self.probe_later(1, now),
        }
    }

    /// If it is open, the next probe is made later, after one that did not succeed; `more`: how many failures there are more.
    fn probe_later(&mut self, more: u32, now: Timestamp) -> Transition {
        let Self::Open {
            since,
            probe_at,
            failures,
        } = self
        else {
            return Transition::None;
        };
        *failures += more;
        // Attempts that were under way when it opened end later; they are no probes.
        if now < *probe_at {
            return Transition::None;
        }
        let pause = (probe_at.since(*since) + FIRST_PROBE).min(LONGEST_PROBE);
        *probe_at = now.plus(pause);
        Transition::Opened
    }

    /// If it is open, the next attempt may be made at `now`.
    pub fn probe_at_once(&mut self, now: Timestamp) {
        if let Self::Open { probe_at, .. } = self {
            *probe_at = now.min(*probe_at);
        }
    }

    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Earliest time for an attempt; `None` if at once.
    #[must_use]
    pub const fn not_before(&self) -> Option<Timestamp> {
        match self {
            Self::Closed { .. } => None,
            Self::Open { probe_at, .. } => Some(*probe_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for nth in 1..=OPENS_AFTER {
            let transition = breaker.note(OutcomeClass::Unanswered, at(0));
            assert_eq!(transition == Transition::Opened, nth == OPENS_AFTER);
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_in_between_starts_the_row_anew() {
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            for _ in 1..OPENS_AFTER {
                breaker.note(OutcomeClass::Failed, at(0));
            }
            breaker.note(OutcomeClass::Accepted, at(0));
        }
        assert!(!breaker.is_open());
        assert!(opened().is_open());
    }

    #[test]
    fn probes_become_rarer_up_to_five_minutes() {
        let mut breaker = opened();
        let mut pauses = Vec::new();
        let mut now = at(0);
        for _ in 0..9 {
            let probe_at = breaker.not_before().unwrap();
            pauses.push(probe_at.since(now).as_secs());
            now = probe_at;
            breaker.note(OutcomeClass::Unanswered, now);
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn attempts_that_were_under_way_when_it_opened_change_nothing() {
        let mut breaker = opened();
        let before = breaker.not_before();
        assert_eq!(breaker.note(OutcomeClass::Unanswered, at(1)), Transition::None);
        assert_eq!(breaker.not_before(), before);
    }

    #[test]
    fn a_success_after_trouble_is_a_recovery_and_one_after_a_single_failure_is_not() {
        assert_eq!(
            opened().note(OutcomeClass::Accepted, at(9)),
            Transition::Recovered
        );
        let mut breaker = Breaker::default();
        breaker.note(OutcomeClass::Failed, at(0));
        assert_eq!(breaker.note(OutcomeClass::Accepted, at(1)), Transition::None);
        breaker.note(OutcomeClass::Failed, at(2));
        breaker.note(OutcomeClass::Failed, at(3));
        assert_eq!(breaker.note(OutcomeClass::Accepted, at(4)), Transition::Recovered);
    }

    #[test]
    fn refusals_are_answers() {
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            assert_eq!(breaker.note(OutcomeClass::Refused, at(0)), Transition::None);
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_probe_that_is_refused_is_followed_by_a_later_one() {
        for class in [
            OutcomeClass::Refused,
            OutcomeClass::Redirected,
            OutcomeClass::Postponed,
            OutcomeClass::Gone,
        ] {
            let mut breaker = opened();
            assert_eq!(breaker.note(class, at(1)), Transition::None, "no probe");
            assert_eq!(breaker.not_before(), Some(at(5)));
            assert_eq!(breaker.note(class, at(5)), Transition::Opened, "{class}");
            assert_eq!(breaker.not_before(), Some(at(15)), "{class}");
        }
    }
}
