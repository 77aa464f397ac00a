//! When we try again: two profiles, each a table.
//!
//! `durable` is ours and the default; `dialpad` does exactly what Dialpad documents. Chance comes in as a [`Roll`],
//! time as an age.

use std::time::Duration;

use switchhook_protocol::{Kind, Timestamp, spelled_enum};

use crate::attempt::{AttemptOutcome, OutcomeClass};

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
    pub const fn and(self, class: OutcomeClass) -> Self {
        match class {
            OutcomeClass::Accepted | OutcomeClass::Lost => self,
            OutcomeClass::Unanswered => Self {
                unanswered: self.unanswered + 1,
                ..self
            },
            OutcomeClass::Redirected
            | OutcomeClass::Postponed
            | OutcomeClass::Gone
            | OutcomeClass::Refused
            | OutcomeClass::Failed => Self {
                answered: self.answered + 1,
                ..self
            },
        }
    }

    /// All of them.
    #[must_use]
    pub const fn total(self) -> u32 {
        self.answered + self.unanswered
    }
}

/// How far a delivery has come without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setback {
    /// The failures, the attempt in question included.
    pub failures: Failures,
    /// How long the delivery has been tried; time spent paused is left out.
    pub age: Duration,
}

/// A piece of chance: 0 to 65,535, every value as likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roll(pub u16);

impl Roll {
    /// The middle: no deviation.
    pub const MIDDLE: Self = Self(1 << 15);

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
    pub fn delay_after(self, class: OutcomeClass, setback: Setback, roll: Roll) -> Option<Duration> {
        match (class, self.profile) {
            (OutcomeClass::Accepted, _) => None,
            (OutcomeClass::Lost, _) => Some(Duration::ZERO),
            (_, Profile::Durable) => durable::delay_after(class, setback, self.schedule, roll),
            (_, Profile::Dialpad) => dialpad::delay_after(self.kind, class, setback.failures),
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
