//! History of attempts by minute: sums that can be added up, over any span and over any number of nodes.
//!
//! This file has the counts and their addition; `range` has spans and the points of a chart, `latencies` the
//! percentiles.

pub mod latencies;
pub mod range;

use std::time::Duration;

use switchhook_protocol::Timestamp;

pub use self::latencies::Latencies;
pub use self::range::{MOST_POINTS, Point, Range, USUAL_POINTS, UnevenStep, points};
use crate::id::{CompanyId, WebhookId};

/// Age up to which minutes are kept; older sums are by the hour.
pub const MINUTES_KEPT: Duration = Duration::from_secs(48 * 60 * 60);

/// Subject of a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HistorySubject {
    /// The server: that there is a sum says that it ran.
    Server,
    /// A company with all its webhooks.
    Company(CompanyId),
    Webhook(CompanyId, WebhookId),
}

impl HistorySubject {
    /// As two numbers, for where it is kept: the company's id and the webhook's, 0 for none.
    #[must_use]
    pub const fn ids(self) -> (i64, i64) {
        match self {
            Self::Server => (0, 0),
            Self::Company(company_id) => (company_id.0, 0),
            Self::Webhook(company_id, webhook_id) => (company_id.0, webhook_id.0),
        }
    }

    /// The one with these numbers.
    #[must_use]
    pub const fn with_ids(company_id: i64, webhook_id: i64) -> Self {
        match (company_id, webhook_id) {
            (0, _) => Self::Server,
            (company_id, 0) => Self::Company(CompanyId(company_id)),
            (company_id, webhook_id) => Self::Webhook(CompanyId(company_id), WebhookId(webhook_id)),
        }
    }
}

/// Length of time of a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Granularity {
    Minute,
    Hour,
}

impl Granularity {
    pub const ALL: [Self; 2] = [Self::Minute, Self::Hour];

    #[must_use]
    pub const fn minutes(self) -> u32 {
        match self {
            Self::Minute => 1,
            Self::Hour => 60,
        }
    }

    /// As a length of time.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration::from_secs(self.minutes() as u64 * 60)
    }

    /// Start of the minute or hour that contains `at`.
    #[must_use]
    pub fn start_of(self, at: Timestamp) -> Timestamp {
        range::floor(at, self.length())
    }
}

/// Counts of one span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events accepted; only companies have any.
    pub accepted: u64,
    /// Attempts with which a delivery reached its receiver.
    pub delivered: u64,
    /// Attempts that the receiver answered with an error.
    pub failed_answered: u64,
    /// Attempts that no answer came to.
    pub failed_unanswered: u64,
    /// Deliveries that were given up.
    pub exhausted: u64,
    /// Time from acceptance to delivery, of what was delivered.
    pub latencies: Latencies,
}

impl Counts {
    /// Adds what was counted elsewhere or before.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.accepted, other.accepted),
            (&mut self.delivered, other.delivered),
            (&mut self.failed_answered, other.failed_answered),
            (&mut self.failed_unanswered, other.failed_unanswered),
            (&mut self.exhausted, other.exhausted),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.latencies.add(&other.latencies);
    }

    #[must_use]
    pub const fn failed(&self) -> u64 {
        self.failed_answered.saturating_add(self.failed_unanswered)
    }

    #[must_use]
    pub const fn attempts(&self) -> u64 {
        self.delivered.saturating_add(self.failed())
    }

    /// Share of successful attempts; `None` without attempts.
    #[must_use]
    pub fn success(&self) -> Option<f64> {
        let attempts = self.attempts();
        (attempts > 0).then(|| self.delivered as f64 / attempts as f64)
    }
}

/// Counts of one subject in a minute or an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    pub subject: HistorySubject,
    pub resolution: Granularity,
    pub from: Timestamp,
    pub counts: Counts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_can_be_added_in_any_order() {
        let counts = |delivered, failed_answered| Counts {
            delivered,
            failed_answered,
            ..Counts::default()
        };
        let mut sum = counts(1, 2);
        sum.add(&counts(3, 4));
        let mut other = counts(3, 4);
        other.add(&counts(1, 2));
        assert_eq!(sum, other);
        assert_eq!((sum.attempts(), sum.success()), (10, Some(0.4)));
        assert_eq!(Counts::default().success(), None);
    }

    #[test]
    fn who_it_is_is_told_by_its_numbers() {
        for subject in [
            HistorySubject::Server,
            HistorySubject::Company(CompanyId(7)),
            HistorySubject::Webhook(CompanyId(7), WebhookId(9)),
        ] {
            let (company_id, webhook_id) = subject.ids();
            assert_eq!(HistorySubject::with_ids(company_id, webhook_id), subject);
        }
    }
}
