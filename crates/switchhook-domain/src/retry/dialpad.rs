//! Profile `dialpad`: exactly what Dialpad documents, for those who test how their receiver fares with it.
//!
//! A 5xx is retried by the kind's table; a missing answer at most twice, at once; 3xx and 4xx never. The two counts
//! do not touch each other.

use std::time::Duration;

use switchhook_protocol::Kind;

use super::Failures;

/// The whole attempt, connection included.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// Delay after a 5xx; `None` if there is no retry.
pub(super) fn delay(kind: Kind, failures: Failures) -> Option<Duration> {
    let step = failures.answered.max(1) as usize - 1;
    kind.dialpad_retries_ms()
        .get(step)
        .copied()
        .map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::OutcomeClass;
    use crate::retry::{Jitter, Profile, RetryContext, RetryPolicy};

    #[track_caller]
    fn check(kind: Kind, class: OutcomeClass, answered: u32, unanswered: u32, expected: Option<u64>) {
        let policy = RetryPolicy {
            profile: Profile::Dialpad,
            kind,
            schedule: &[],
        };
        let context = RetryContext {
            failures: Failures { answered, unanswered },
            age: Duration::ZERO,
            is_opted_out: false,
        };
        let delay = policy.delay_after(class, context, Jitter::NONE);
        assert_eq!(
            delay,
            expected.map(Duration::from_millis),
            "{kind} {class:?} {answered} {unanswered}"
        );
    }

    #[test]
    fn calls_are_retried_three_times() {
        for (nth, delay) in (1..).zip([Some(2_000), Some(4_000), Some(8_000), None]) {
            check(Kind::Call, OutcomeClass::Failed, nth, 0, delay);
        }
    }

    #[test]
    fn messages_are_retried_ten_times() {
        let minutes = [1, 2, 4, 8, 16, 32, 60, 60, 60].map(|m| Some(m * 60_000));
        let delays = [Some(30_000)].into_iter().chain(minutes).chain([None]);
        for (nth, delay) in (1..).zip(delays) {
            check(Kind::Sms, OutcomeClass::Failed, nth, 0, delay);
        }
    }

    #[test]
    fn the_other_kinds_are_retried_four_times_within_two_seconds() {
        for kind in [Kind::AgentStatus, Kind::Contact, Kind::Changelog] {
            for (nth, delay) in (1..).zip([Some(100), Some(200), Some(400), Some(800), None]) {
                check(kind, OutcomeClass::Failed, nth, 0, delay);
            }
        }
    }

    #[test]
    fn refusals_and_redirects_are_never_retried() {
        for class in [
            OutcomeClass::Refused,
            OutcomeClass::Postponed,
            OutcomeClass::Gone,
            OutcomeClass::Redirected,
        ] {
            check(Kind::Call, class, 1, 0, None);
        }
    }

    #[test]
    fn a_missing_answer_is_tried_twice_at_once_whatever_was_answered_before() {
        for (nth, delay) in (1..).zip([Some(0), Some(0), None]) {
            check(Kind::Call, OutcomeClass::Unanswered, 2, nth, delay);
        }
        check(Kind::Call, OutcomeClass::Failed, 1, 2, Some(2_000));
    }
}
