//! A webhook's rate: attempts spread evenly, a tenth of a second's worth of them at once at the most.

use switchhook_domain::Timestamp;

/// How far behind an even pace attempts may be and still be caught up at once, in milliseconds.
const BURST_MS: f64 = 100.0;

/// When the next attempt may start, if there is a rate.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// In milliseconds; finer than a timestamp, so that thousands a second are possible.
    next_ms: f64,
}

impl Pace {
    /// When the next attempt may start, if that is later than `now`.
    pub(super) fn not_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.next().filter(|next| *next > now)
    }

    /// When the next attempt may start, now or in the past; `None` if no rate has been kept.
    pub(super) fn next(&self) -> Option<Timestamp> {
        (self.next_ms > 0.0).then(|| Timestamp::from_millis(self.next_ms.ceil() as i64))
    }

    /// An attempt starts at `now`; `rate` is how many may in a second.
    pub(super) fn started(&mut self, now: Timestamp, rate: Option<f64>) {
        if let Some(rate) = rate {
            self.next_ms = self.next_ms.max(ms(now) - BURST_MS) + 1_000.0 / rate.max(0.001);
        } else {
            self.next_ms = 0.0;
        }
    }
}

fn ms(at: Timestamp) -> f64 {
    at.as_millis() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rate: f64, seconds: i64, expected: std::ops::RangeInclusive<u32>) {
        let mut pace = Pace::default();
        let mut started = 0;
        for millisecond in 0..seconds * 1_000 {
            let now = Timestamp::from_millis(1_790_000_000_000 + millisecond);
            while pace.not_before(now).is_none() {
                pace.started(now, Some(rate));
                started += 1;
            }
        }
        assert!(expected.contains(&started), "{started} at {rate} a second");
    }

    #[test]
    fn a_rate_is_kept_from_one_a_minute_to_thousands_a_second() {
        check(1.0 / 60.0, 600, 10..=11);
        check(1.0, 60, 60..=61);
        check(10.0, 10, 100..=102);
        check(2_500.0, 2, 5_000..=5_300);
    }
}
