//! Range of time in steps, and the points of a chart from sums.

use std::time::Duration;

use switchhook_protocol::Timestamp;

use super::{Counts, Granularity, MINUTES_KEPT, Sum};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Bound on the points of a range.
pub const MOST_POINTS: u32 = 1_500;

/// Most points that a series has if nobody says how long its steps are.
pub const USUAL_POINTS: u32 = 180;

/// The steps to choose from then, in minutes.
const STEPS: [u64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 240, 360, 720, 1_440];

/// Range of time in steps, which begin at whole multiples of their length since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    from: Timestamp,
    to: Timestamp,
    step: Duration,
}

/// A step that is no whole minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a step must be whole minutes: 1m, 15m, 1h")]
pub struct UnevenStep;

impl Range {
    /// From the step that `from` is in until `to`; nothing if that is earlier. Steps are as long as is wished, or longer: no
    /// shorter than what is kept of that time, and no more than can be shown. Without a wish they are such that there are not
    /// too many to look at.
    ///
    /// # Errors
    /// If the wish is no whole minutes.
    pub fn new(
        from: Timestamp,
        to: Timestamp,
        wish: Option<Duration>,
        now: Timestamp,
    ) -> Result<Self, UnevenStep> {
        let (length, finest) = (to.since(from), finest(from, now));
        let step = match wish {
            Some(wish) if wish.is_zero() || !is_multiple(wish, MINUTE) => return Err(UnevenStep),
            Some(wish) => rounded_up(wish, finest).max(shortest_step(length, MOST_POINTS, finest)),
            None => fitting_step(length, finest),
        };
        Ok(Self {
            from: floor(from, step),
            to,
            step,
        })
    }

    /// The time of this length until now, in steps that fit.
    #[must_use]
    pub fn last(length: Duration, now: Timestamp) -> Self {
        let from = now.minus(length);
        let step = fitting_step(length, finest(from, now));
        Self {
            from: floor(from, step),
            to: now.plus(Duration::from_millis(1)),
            step,
        }
    }

    /// Start of the first step.
    #[must_use]
    pub const fn from(self) -> Timestamp {
        self.from
    }

    /// End of the last step, or the present time.
    #[must_use]
    pub const fn to(self) -> Timestamp {
        self.to
    }

    /// Length of a step.
    #[must_use]
    pub const fn step(self) -> Duration {
        self.step
    }

    /// Granularity of the sums that it needs.
    #[must_use]
    pub fn resolution(self) -> Granularity {
        if is_multiple(self.step, HOUR) {
            Granularity::Hour
        } else {
            Granularity::Minute
        }
    }

    fn len(self) -> u128 {
        self.to
            .since(self.from)
            .as_millis()
            .div_ceil(self.step.as_millis())
    }

    fn place_of(self, at: Timestamp) -> Option<usize> {
        if at < self.from || at >= self.to {
            return None;
        }
        usize::try_from(at.since(self.from).as_millis() / self.step.as_millis()).ok()
    }
}

/// Shortest step of a range that begins at `from`.
fn finest(from: Timestamp, now: Timestamp) -> Duration {
    if now.since(from) > MINUTES_KEPT {
        HOUR
    } else {
        MINUTE
    }
}

/// The first of the usual steps that makes not too many points.
fn fitting_step(length: Duration, finest: Duration) -> Duration {
    let mut steps = STEPS.into_iter().map(|minutes| Duration::from_secs(minutes * 60));
    let fits = |step: &Duration| {
        *step >= finest && (length.as_millis() / step.as_millis()) <= u128::from(USUAL_POINTS)
    };
    steps
        .find(fits)
        .unwrap_or_else(|| shortest_step(length, USUAL_POINTS, finest))
}

/// The shortest step that makes no more than so many points.
fn shortest_step(length: Duration, points: u32, finest: Duration) -> Duration {
    rounded_up(length / points, finest)
}

fn rounded_up(step: Duration, to: Duration) -> Duration {
    let times = step.as_millis().div_ceil(to.as_millis()).max(1);
    to.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX))
}

fn is_multiple(step: Duration, of: Duration) -> bool {
    step.as_nanos().is_multiple_of(of.as_nanos())
}

/// The last multiple of `step` since 1970 that is not after `at`.
pub(super) fn floor(at: Timestamp, step: Duration) -> Timestamp {
    let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_millis(at.as_millis().saturating_sub(at.as_millis().rem_euclid(step)))
}

/// One step of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub at: Timestamp,
    /// Part of it that has passed.
    pub length: Duration,
    /// Counts; `None` if no server ran.
    pub counts: Option<Counts>,
}

/// The steps of a range, from what one and what the server itself came to. One that has just begun is left out
/// until something is known of it.
#[must_use]
pub fn points(range: Range, sums: &[Sum], server: &[Sum], now: Timestamp) -> Vec<Point> {
    let len = usize::try_from(range.len()).unwrap_or(0);
    let mut points: Vec<_> = (0..len)
        .map(|place| {
            let at = range.from.plus(
                range
                    .step
                    .saturating_mul(u32::try_from(place).unwrap_or(u32::MAX)),
            );
            Point {
                at,
                length: now.since(at).min(range.step),
                counts: None,
            }
        })
        .collect();
    let mut add = |sum: &Sum, counts: &Counts| {
        if let Some(point) = range.place_of(sum.from).and_then(|place| points.get_mut(place)) {
            point.counts.get_or_insert_default().add(counts);
        }
    };
    for sum in server {
        add(sum, &Counts::default());
    }
    for sum in sums {
        add(sum, &sum.counts);
    }
    points.retain(|point| point.at <= now);
    if points
        .last()
        .is_some_and(|last| last.counts.is_none() && last.length < range.step)
    {
        points.pop();
    }
    points
}

#[cfg(test)]
mod tests {
    use super::super::HistorySubject;
    use super::*;

    /// A whole hour, and a minute.
    const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    fn before(minutes: u64) -> Timestamp {
        NOW.minus(MINUTE * u32::try_from(minutes).expect("tests are short"))
    }

    fn sum(from: Timestamp, delivered: u64, failed_answered: u64) -> Sum {
        Sum {
            subject: HistorySubject::Server,
            resolution: Granularity::Minute,
            from,
            counts: Counts {
                delivered,
                failed_answered,
                ..Counts::default()
            },
        }
    }

    #[test]
    fn steps_fit_their_span() {
        for (minutes, step, points) in [
            (15, 1, 16),
            (60, 1, 61),
            (6 * 60, 2, 181),
            (24 * 60, 10, 145),
            (7 * 24 * 60, 60, 169),
            (30 * 24 * 60, 240, 181),
        ] {
            let range = Range::last(MINUTE * minutes, NOW);
            assert_eq!(range.step(), MINUTE * step, "{minutes} minutes");
            assert!(
                range.len().abs_diff(points) <= 1,
                "{minutes} minutes: {}",
                range.len()
            );
        }
    }

    #[test]
    fn steps_are_as_wished_unless_that_is_too_fine_or_too_much() {
        let step = |from, step: u64| {
            let range = Range::new(from, NOW, Some(Duration::from_secs(step)), NOW);
            range.map(|range| (range.step().as_secs() / 60, range.resolution()))
        };
        assert_eq!(step(before(9), 90), Err(UnevenStep));
        assert_eq!(step(before(9), 0), Err(UnevenStep));
        assert_eq!(step(before(60), 60), Ok((1, Granularity::Minute)));
        assert_eq!(step(before(49 * 60), 5_400), Ok((120, Granularity::Hour)));
        assert_eq!(step(before(47 * 60), 60), Ok((2, Granularity::Minute)));
        assert_eq!(step(before(49 * 60), 3 * 60 * 60), Ok((180, Granularity::Hour)));
        for wish in [None, Some(MINUTE)] {
            let (first, last) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
            let ever = Range::new(first, last, wish, NOW).expect("a minute is whole");
            assert!(points(ever, &[], &[], NOW).len() <= MOST_POINTS as usize + 1);
            let never = Range::new(last, first, wish, NOW).expect("a minute is whole");
            assert_eq!(points(never, &[], &[], NOW), []);
        }
    }

    #[test]
    fn where_there_was_no_server_there_is_a_gap_and_where_nothing_happened_a_zero() {
        let range = Range::new(before(4), NOW.plus(MINUTE), Some(MINUTE), NOW).expect("a minute is whole");
        let server = [sum(before(4), 0, 0), sum(before(3), 0, 0), sum(before(1), 0, 0)];
        let sums = [sum(before(3), 5, 1), sum(before(90), 7, 0)];
        let points = points(range, &sums, &server, NOW);
        let delivered: Vec<_> = points
            .iter()
            .map(|point| point.counts.as_ref().map(|counts| counts.delivered))
            .collect();
        assert_eq!(delivered, [Some(0), Some(5), None, Some(0)]);
    }
}
