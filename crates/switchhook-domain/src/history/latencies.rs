//! Distribution of durations: a count for each of 48 buckets, from which percentiles are computed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use switchhook_protocol::quoted;

/// Each bucket ends √2 times as late as the one before it, the first at half a millisecond, the last after two hours.
const BUCKETS: usize = 48;

/// Counts by how long something took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latencies([u32; BUCKETS]);

impl Latencies {
    pub const NONE: Self = Self([0; BUCKETS]);

    pub fn count(&mut self, took: Duration) {
        let count = &mut self.0[bucket_of(took)];
        *count = count.saturating_add(1);
    }

    /// Adds what was counted elsewhere or before.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }

    /// Upper bound of this share (0.95 for 95 %) of the durations, in milliseconds and within a factor of √2; `None`
    /// if there are none.
    #[must_use]
    pub fn percentile(&self, share: f64) -> Option<f64> {
        let total: u64 = self.0.iter().copied().map(u64::from).sum();
        let rank = (total as f64 * share).ceil();
        let mut seen = 0;
        for (bucket, count) in self.0.iter().enumerate() {
            seen += u64::from(*count);
            if total > 0 && seen as f64 >= rank {
                return Some(end_of(bucket));
            }
        }
        None
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::NONE
    }
}

/// The buckets that have something in them: `6:12 7:3`.
impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        for (bucket, count) in self.0.iter().enumerate().filter(|(_, count)| **count > 0) {
            write!(f, "{gap}{bucket}:{count}")?;
            gap = " ";
        }
        Ok(())
    }
}

/// A text that is not one of [`Latencies`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a bucket and its count")]
pub struct InvalidLatencies(String);

impl FromStr for Latencies {
    type Err = InvalidLatencies;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut latencies = Self::NONE;
        for part in text.split_ascii_whitespace() {
            let read = || {
                let (bucket, count) = part.split_once(':')?;
                Some((bucket.parse::<usize>().ok()?, count.parse::<u32>().ok()?))
            };
            let invalid = || InvalidLatencies(quoted(part).into_owned());
            let (bucket, count) = read().ok_or_else(invalid)?;
            *latencies.0.get_mut(bucket).ok_or_else(invalid)? = count;
        }
        Ok(latencies)
    }
}

fn bucket_of(took: Duration) -> usize {
    let millis = took.as_secs_f64() * 1_000.0;
    let steps = (millis / 0.5).log2() * 2.0;
    if steps <= 0.0 {
        return 0;
    }
    (steps.ceil() as usize).min(BUCKETS - 1)
}

/// In milliseconds.
fn end_of(bucket: usize) -> f64 {
    0.5 * 2_f64.powf(bucket as f64 / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_millis(millis: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::NONE;
        for millis in millis {
            latencies.count(Duration::from_millis(millis));
        }
        latencies
    }

    #[test]
    fn percentiles_are_right_to_within_their_buckets() {
        let latencies = of_millis(1..=1_000);
        for (share, truth) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0)] {
            let percentile = latencies.percentile(share).expect("there are some");
            assert!(
                percentile >= truth && percentile <= truth * 2_f64.sqrt() + 1.0,
                "{percentile} for {truth}"
            );
        }
        assert_eq!(Latencies::NONE.percentile(0.5), None);
    }

    #[test]
    fn nothing_is_too_short_or_too_long_to_count() {
        for took in [Duration::ZERO, Duration::from_micros(1), Duration::MAX] {
            assert!(bucket_of(took) < BUCKETS);
        }
        assert!(end_of(bucket_of(Duration::from_millis(3))) >= 3.0);
    }

    #[test]
    fn they_are_kept_as_a_short_text() {
        let latencies = of_millis([1, 1, 1, 40, 7_000]);
        let text = latencies.to_string();
        assert_eq!(text, "2:3 13:1 28:1");
        assert_eq!(text.parse(), Ok(latencies));
        assert_eq!("".parse(), Ok(Latencies::NONE));
        for bad in ["3", "48:1", "a:1", "1:-1"] {
            assert!(bad.parse::<Latencies>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_two_nodes_counted_is_what_one_had_counted() {
        let mut sum = of_millis([1, 2, 3]);
        sum.add(&of_millis([3, 400]));
        assert_eq!(sum, of_millis([1, 2, 3, 3, 400]));
    }
}
