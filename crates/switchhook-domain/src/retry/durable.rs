//! Profile `durable`: tried for three days, so that a weekend's outage loses nothing.

use std::time::Duration;

use super::{Jitter, RetryContext};

/// The whole attempt, connection included.
pub(super) const TIMEOUT: Duration = Duration::from_secs(15);

/// The longest wait that a receiver may ask for.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * HOUR);

/// Age at which a delivery is given up.
pub const LONGEST_AGE: Duration = Duration::from_secs(3 * 24 * HOUR);

/// Deviation of a delay, so that deliveries that failed together do not come back together.
pub const JITTER_PERCENT: u32 = 20;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Seconds after the first, second, … failure; the last one repeats.
pub const SCHEDULE: [u64; 10] = [
    5,
    30,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    8 * HOUR,
    12 * HOUR,
];

/// Delay after a failure; `None` if there is no retry.
///
/// `own` is the webhook's schedule, in seconds, or empty. It is tried to its end, however long that takes.
pub(super) fn delay(context: RetryContext, own: &[u32], jitter: Jitter) -> Option<Duration> {
    let failures_before = context.failures.total().max(1) as usize - 1;
    let spread = |seconds| jitter.spread(Duration::from_secs(seconds), JITTER_PERCENT);
    if !own.is_empty() {
        return own.get(failures_before).map(|seconds| spread((*seconds).into()));
    }
    let delay = spread(SCHEDULE[failures_before.min(SCHEDULE.len() - 1)]);
    (context.age + delay <= LONGEST_AGE).then_some(delay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::Failures;

    fn context(failures: u32, age: Duration) -> RetryContext {
        let failures = Failures {
            answered: failures,
            unanswered: 0,
        };
        RetryContext {
            failures,
            age,
            is_opted_out: false,
        }
    }

    #[track_caller]
    fn check(failures: u32, age: Duration, expected: Option<u64>) {
        let delay = delay(context(failures, age), &[], Jitter::NONE);
        let expected = expected.map(Duration::from_secs);
        assert_eq!(delay, expected, "after failure {failures} at age {age:?}");
    }

    #[test]
    fn the_schedule_goes_from_seconds_to_half_days() {
        for (failures, seconds) in
            (1..).zip([5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200, 43_200])
        {
            check(failures, Duration::ZERO, Some(seconds));
        }
    }

    #[test]
    fn nothing_is_tried_after_three_days() {
        check(12, Duration::from_secs(60 * HOUR), Some(12 * HOUR));
        check(12, Duration::from_secs(60 * HOUR + 1), None);
    }

    #[test]
    fn every_delay_stays_within_a_fifth_of_its_step() {
        for jitter in [0, 1, 20_000, u16::MAX] {
            let delay = delay(context(1, Duration::ZERO), &[], Jitter(jitter)).unwrap();
            assert!((4.0..=6.0).contains(&delay.as_secs_f64()), "{delay:?}");
        }
    }

    #[test]
    fn a_schedule_of_its_own_is_tried_to_its_end() {
        let nine_days = Duration::from_secs(9 * 24 * HOUR);
        let after = |failures| delay(context(failures, nine_days), &[1, 60], Jitter::NONE);
        assert_eq!(after(1), Some(Duration::from_secs(1)));
        assert_eq!(after(2), Some(Duration::from_secs(60)));
        assert_eq!(after(3), None);
    }
}
