//! Suspensions: times during which a webhook was not sent to. They do not count towards how long its deliveries are tried.

use std::time::Duration;

use switchhook_protocol::{Timestamp, spelled_enum};

spelled_enum! {
    /// Reason for which a webhook is not sent to.
    pub enum SuspensionReason: "reason for a suspension" {
        /// Somebody paused it.
        Paused = "paused",
        /// Its breaker is open: the receiver fails again and again.
        Breaker = "breaker",
    }
}

/// A time during which a webhook was not sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspension {
    pub reason: SuspensionReason,
    pub from: Timestamp,
    /// Until when; `None` while it lasts.
    pub until: Option<Timestamp>,
}

/// Suspended part of the time from `start` to `end`, with overlaps counted once.
#[must_use]
pub fn suspended_time(suspensions: &[Suspension], start: Timestamp, end: Timestamp) -> Duration {
    let mut spans: Vec<_> = suspensions
        .iter()
        .map(|suspension| {
            (
                suspension.from.max(start),
                suspension.until.unwrap_or(end).min(end),
            )
        })
        .filter(|(from, until)| from < until)
        .collect();
    spans.sort_unstable();
    let mut counted_to = start;
    let mut suspended = Duration::ZERO;
    for (from, until) in spans {
        suspended += until.since(from.max(counted_to));
        counted_to = counted_to.max(until);
    }
    suspended
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[track_caller]
    fn check(suspensions: &[(i64, Option<i64>)], start: i64, end: i64, seconds: u64) {
        let suspensions: Vec<_> = suspensions
            .iter()
            .map(|(from, until)| Suspension {
                reason: SuspensionReason::Paused,
                from: at(*from),
                until: until.map(at),
            })
            .collect();
        assert_eq!(
            suspended_time(&suspensions, at(start), at(end)),
            Duration::from_secs(seconds)
        );
    }

    #[test]
    fn only_what_falls_into_the_time_counts_and_only_once() {
        check(&[], 0, 100, 0);
        check(&[(10, Some(20))], 0, 100, 10);
        check(&[(10, Some(20))], 15, 100, 5);
        check(&[(10, Some(20))], 0, 15, 5);
        check(&[(10, Some(20))], 20, 30, 0);
        check(&[(10, None)], 0, 100, 90);
        check(&[(10, Some(30)), (20, Some(40))], 0, 100, 30);
        check(&[(20, Some(30)), (10, Some(50))], 0, 100, 40);
        check(&[(10, Some(20)), (40, None)], 0, 50, 20);
    }
}
