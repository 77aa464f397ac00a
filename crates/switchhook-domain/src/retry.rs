//! When we try again: two profiles, each a table.
//!
//! `durable` is ours and the default; `dialpad` does exactly what Dialpad documents. Chance comes in as a
//! [`Jitter`], time as an age. Which outcomes are tried again at all is said by `attempt/outcome.rs`.

use std::time::Duration;

use switchhook_protocol::{Kind, Timestamp, spelled_enum};

use crate::attempt::{AttemptOutcome, CountsAs, OutcomeClass, Retry};

mod dialpad;
mod durable;

spelled_enum! {
    /// A set of retry rules.
    pub enum Profile: "retry profile" {
        /// For days, in order.
        Durable = "durable",
        /// As Dialpad does.
        Dialpad = "dialpad",
    }
}

impl Profile {
    /// How long an attempt may take.
    #[must_use]
    pub const fn timeout(self) -> Duration {
        match self {
            Self::Durable => durable::TIMEOUT,
            Self::Dialpad => dialpad::TIMEOUT,
        }
    }

    /// Whether it tries again after an attempt that ended with `class`.
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

    /// All of them.
    #[must_use]
    pub const fn total(self) -> u32 {
        self.answered + self.unanswered
    }
}

/// What decides about a delivery's next attempt, beside how the last one ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetryContext {
    /// The failures, the attempt in question included.
    pub failures: Failures,
    /// How long the delivery has been tried; time spent paused is left out.
    pub age: Duration,
    /// Whether the receiver said that it wants no more attempts of it.
    pub is_unwanted: bool,
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
    /// Which table.
    pub profile: Profile,
    /// Which of its columns.
    pub kind: Kind,
    /// Seconds after the first, second, … failure, in place of those of `durable`; empty for the profile's own. When they
    /// are used up the delivery is given up.
    pub schedule: &'a [u32],
}

impl RetryPolicy<'_> {
    /// How long after an attempt that ended with `class` the next one follows; `None`: never.
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
