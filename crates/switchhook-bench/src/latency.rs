//! Durations as histograms of a fixed size: three digits exact from a microsecond to ten minutes, however many there are.

use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;

const LONGEST_US: u64 = 600_000_000;
const DIGITS: u8 = 3;

/// Counts durations; shared by all who see them.
pub(super) struct Latencies(Mutex<Histogram<u64>>);

/// Percentiles in milliseconds: the median, the 99th and the 99.9th.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Percentiles {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) p999_ms: f64,
}

impl Latencies {
    pub(super) fn new() -> Self {
        let histogram =
            Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("the bounds are what they must be");
        Self(Mutex::new(histogram))
    }

    /// Counts one; what is longer than the longest counts as that.
    pub(super) fn record(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.lock().saturating_record(micros.max(1));
    }

    /// `None` if nothing was counted.
    pub(super) fn percentiles(&self) -> Option<Percentiles> {
        let histogram = self.0.lock();
        #[expect(clippy::cast_precision_loss, reason = "at most ten minutes in microseconds")]
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        (!histogram.is_empty()).then(|| Percentiles {
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_everything_that_was_counted() {
        let latencies = Latencies::new();
        assert_eq!(latencies.percentiles(), None);
        for millis in 1..=1_000 {
            latencies.record(Duration::from_millis(millis));
        }
        let found = latencies.percentiles().expect("some were counted");
        for (value, expected) in [
            (found.p50_ms, 500.0),
            (found.p99_ms, 990.0),
            (found.p999_ms, 999.0),
        ] {
            assert!((value - expected).abs() < expected / 500.0, "{found:?}");
        }
        latencies.record(Duration::MAX);
        assert!(latencies.percentiles().is_some());
    }
}
