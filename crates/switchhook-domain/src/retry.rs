//! Retries: two profiles, each a table.
//!
//! `durable` is ours and the default; `dialpad` does exactly what Dialpad documents. Randomness is an argument
//! ([`Jitter`]), and so is time (an age). Which outcomes are retried at all is in `attempt/outcome.rs`.

use std::time::Duration;

use switchhook_protocol::{Kind, Timestamp, spelled_enum};

use crate::attempt::{AttemptOutcome, CountsAs, OutcomeClass, Retry};

mod dialpad;
pub mod durable;

spelled_enum! {
    /// A set of retry rules.
    pub enum Profile: "retry profile" {
        /// For days, in order.
        Durable = "durable",
        /// The rules that Dialpad documents.
        Dialpad = "dialpad",
    }
}

impl Profile {
    /// Time limit of an attempt.
    #[must_use]
    pub const fn timeout(self) -> Duration {
        match self {
            Self::Durable => durable::TIMEOUT,
            Self::Dialpad => dialpad::TIMEOUT,
        }
    }

    /// Retry after an attempt that ended with `class`.
    const fn retry_of(self, class: OutcomeClass) -> Retry {
        match self {
            Self::Durable => class.consequences().durable,
            Self::Dialpad => class.consequences().dialpad,
        }
    }
}

/// The failures of a delivery so far. Lost attempts are in neither count: we do not know that they failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures {
    /// Attempts that were answered, but not with 2xx.
    pub answered: u32,
    /// Attempts without an answer.
    pub unanswered: u32,
}

impl Failures {
    /// The failures after one more attempt that ended with `class`.
    #[must_use]
    pub const fn and(mut self, class: OutcomeClass) -> Self {
        match class.consequences().counts_as {
            CountsAs::Success | CountsAs::Nothing => {}
            CountsAs::Answered => self.answered += 1,
            CountsAs::Unanswered => self.unanswered += 1,
        }
        self
    }

    #[must_use]
    pub const fn total(self) -> u32 {
        self.answered + self.unanswered
    }
}

/// Inputs, besides the last outcome, to a delivery's next attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetryContext {
    /// The failures, the attempt in question included.
    pub failures: Failures,
    /// Time for which the delivery has been tried, without suspensions.
    pub age: Duration,
    /// True if the receiver asked for no more attempts.
    pub is_opted_out: bool,
}

/// The chance in a delay: 0 to 65,535, every value as likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter(pub u16);

impl Jitter {
    /// No deviation: the middle.
    pub const NONE: Self = Self(1 << 15);

    /// `delay`, up to `percent` shorter or longer.
    #[must_use]
    pub fn spread(self, delay: Duration, percent: u32) -> Duration {
        let deviation = (f64::from(self.0) / f64::from(1u32 << 15) - 1.0) * f64::from(percent) / 100.0;
        delay.mul_f64(1.0 + deviation)
    }
}

/// The rules for one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy<'a> {
    pub profile: Profile,
    pub kind: Kind,
    /// Seconds after the first, second, … failure, in place of those of `durable`; empty for the profile's own. When they
    /// are used up the delivery is given up.
    pub schedule: &'a [u32],
}

impl RetryPolicy<'_> {
    /// Delay from an attempt that ended with `class` to the next; `None` if there is none.
    #[must_use]
    pub fn delay_after(self, class: OutcomeClass, context: RetryContext, jitter: Jitter) -> Option<Duration> {
        match (self.profile.retry_of(class), self.profile) {
            (Retry::Never, _) => None,
            (Retry::AtOnce, _) => Some(Duration::ZERO),
            (Retry::AtOnceTwice, _) => (context.failures.unanswered <= 2).then_some(Duration::ZERO),
            (Retry::Scheduled, Profile::Durable) => durable::delay(context, self.schedule, jitter),
            (Retry::Scheduled, Profile::Dialpad) => dialpad::delay(self.kind, context.failures),
        }
    }

    /// `delay`, or longer if the answer asked for it and the profile listens.
    #[must_use]
    pub fn at_least(self, delay: Duration, outcome: &AttemptOutcome, now: Timestamp) -> Duration {
        match (self.profile, outcome) {
            (
                Profile::Durable,
                AttemptOutcome::Answered {
                    retry_after: Some(until),
                    ..
                },
            ) => delay.max(until.since(now).min(durable::LONGEST_RETRY_AFTER)),
            _ => delay,
        }
    }
}
