//! The pace holds at every rate, and estimates stay within reason.

use super::*;
use crate::id::first_id_at;

const NOON: Timestamp = Timestamp::from_millis(1_790_000_000_000);

const fn pace(rate: f64) -> Pace {
    Pace {
        start: NOON,
        rate: Some(rate),
    }
}

#[track_caller]
fn check_rate(rate: f64, count: u32) {
    let pace = pace(rate);
    let whole = pace.next_due_at(count).since(NOON).as_secs_f64();
    assert!(
        f64::from(count) / whole <= rate * 1.000_001,
        "{count} in {whole} s"
    );
    assert!(whole <= f64::from(count) / rate + 0.001, "{count} in {whole} s");
    let mut earlier = NOON;
    for before in 0..count {
        let due_at = pace.due_at(before);
        assert!(due_at >= earlier && due_at <= pace.next_due_at(count));
        earlier = due_at;
    }
}

#[test]
fn deliveries_are_spaced_by_the_rate_and_never_faster() {
    for rate in [0.01, 0.7, 1.0, 3.0, 10.0, 999.0, 12_345.0] {
        for count in [1, 2, 100] {
            check_rate(rate, count);
        }
    }
}

#[test]
fn only_what_is_due_within_the_horizon_is_allowed() {
    assert_eq!(pace(10.0).allowed(NOON), 21);
    assert_eq!(pace(0.1).allowed(NOON), 1);
    assert_eq!(pace(10.0).allowed(NOON.minus(HORIZON)), 1);
    assert_eq!(pace(10.0).allowed(NOON.minus(HORIZON * 2)), 0);
    assert_eq!(pace(1e300).allowed(NOON), u32::MAX);
    let unlimited = Pace {
        start: NOON,
        rate: None,
    };
    assert_eq!(unlimited.allowed(NOON), u32::MAX);
    assert_eq!(unlimited.due_at(1_000), NOON);
}

#[test]
fn a_count_that_stopped_halfway_is_extrapolated_over_time() {
    let at = |seconds| EventId(first_id_at(NOON.plus(Duration::from_secs(seconds))));
    let tally = Tally {
        scanned: 1_000,
        planned: 500,
        skipped: 0,
        first: Some(at(0)),
        stopped_at: Some((at(10), at(100))),
    };
    let estimate = Estimate::of(tally);
    assert_eq!((estimate.total, estimate.is_exact), (5_000, false));
    for stopped_at in [None, Some((at(10), at(10)))] {
        let whole = Tally { stopped_at, ..tally };
        let estimate = Estimate::of(whole);
        assert_eq!((estimate.total, estimate.is_exact), (500, true));
    }
}
