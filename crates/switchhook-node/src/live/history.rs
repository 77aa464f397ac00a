//! The last quarter of an hour in slots of five seconds: counts, and how long deliveries took.
//!
//! A ring of fixed size: an hour of silence costs nothing, and neither does an hour of noise.

use std::time::Duration;

use switchhook_domain::Timestamp;

/// How long a slot is, in seconds.
pub const SLOT_SECONDS: u32 = 5;

/// How many slots there are: a quarter of an hour.
const SLOTS: usize = 180;

/// Each bucket ends √2 times as late as the one before it, the first at half a millisecond, the last after two hours.
const BUCKETS: usize = 48;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// An event was accepted.
    Accepted,
    /// A delivery reached its receiver, so long after it was made.
    Delivered {
        /// How long.
        after: Duration,
    },
    /// An attempt failed.
    Failed,
}

/// What a slot came to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    /// Events accepted.
    pub accepted: u32,
    /// Deliveries that reached their receivers.
    pub delivered: u32,
    /// Attempts that failed.
    pub failed: u32,
    /// How long the middle delivery took, in milliseconds; `None` if there was none.
    pub p50_ms: Option<f64>,
    /// How long all but 5 % took at the most.
    pub p95_ms: Option<f64>,
    /// How long all but 1 % took at the most.
    pub p99_ms: Option<f64>,
}

/// The slots.
#[derive(Debug)]
pub struct History {
    slots: Box<[Slot]>,
    counted: u64,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Counts slots since 1970: tells whether this place of the ring still holds what one looks for.
    number: i64,
    accepted: u32,
    delivered: u32,
    failed: u32,
    waits: [u32; BUCKETS],
}

impl Slot {
    const fn empty(number: i64) -> Self {
        Self {
            number,
            accepted: 0,
            delivered: 0,
            failed: 0,
            waits: [0; BUCKETS],
        }
    }

    fn add(&mut self, other: &Self) {
        self.accepted = self.accepted.saturating_add(other.accepted);
        self.delivered = self.delivered.saturating_add(other.delivered);
        self.failed = self.failed.saturating_add(other.failed);
        for (wait, more) in self.waits.iter_mut().zip(other.waits) {
            *wait = wait.saturating_add(more);
        }
    }

    fn sample(&self) -> Sample {
        Sample {
            accepted: self.accepted,
            delivered: self.delivered,
            failed: self.failed,
            p50_ms: self.percentile(0.50),
            p95_ms: self.percentile(0.95),
            p99_ms: self.percentile(0.99),
        }
    }

    fn percentile(&self, share: f64) -> Option<f64> {
        let total: u32 = self.waits.iter().sum();
        let rank = (f64::from(total) * share).ceil();
        let mut seen = 0;
        for (bucket, count) in self.waits.iter().enumerate() {
            seen += count;
            if total > 0 && f64::from(seen) >= rank {
                return Some(end_of(bucket));
            }
        }
        None
    }
}

impl Default for History {
    fn default() -> Self {
        Self {
            slots: vec![Slot::empty(0); SLOTS].into(),
            counted: 0,
        }
    }
}

impl History {
    /// Counts something that happened at `now`.
    pub fn count(&mut self, now: Timestamp, counted: Counted) {
        self.counted = self.counted.wrapping_add(1);
        let number = number_at(now);
        let slot = &mut self.slots[place_of(number)];
        if slot.number != number {
            *slot = Slot::empty(number);
        }
        match counted {
            Counted::Accepted => slot.accepted = slot.accepted.saturating_add(1),
            Counted::Failed => slot.failed = slot.failed.saturating_add(1),
            Counted::Delivered { after } => {
                slot.delivered = slot.delivered.saturating_add(1);
                let wait = &mut slot.waits[bucket_of(after)];
                *wait = wait.saturating_add(1);
            }
        }
    }

    /// How much was counted, ever.
    #[must_use]
    pub const fn counted(&self) -> u64 {
        self.counted
    }

    /// The last `slots` slots as one, without the one that is still being filled.
    #[must_use]
    pub fn total(&self, now: Timestamp, slots: u32) -> Sample {
        let end = number_at(now);
        let mut total = Slot::empty(end);
        for number in end - i64::from(slots)..end {
            let slot = &self.slots[place_of(number)];
            if slot.number == number {
                total.add(slot);
            }
        }
        total.sample()
    }

    /// Every slot until `now`, oldest first; the last one is still being filled.
    #[must_use]
    pub fn samples(&self, now: Timestamp) -> Vec<Sample> {
        let last = number_at(now);
        let first = last - SLOTS as i64 + 1;
        (first..=last)
            .map(|number| {
                let slot = &self.slots[place_of(number)];
                if slot.number == number {
                    slot.sample()
                } else {
                    Sample::default()
                }
            })
            .collect()
    }
}

fn number_at(now: Timestamp) -> i64 {
    now.as_millis() / 1_000 / i64::from(SLOT_SECONDS)
}

fn place_of(number: i64) -> usize {
    usize::try_from(number.rem_euclid(SLOTS as i64)).expect("a remainder is not negative")
}

fn bucket_of(after: Duration) -> usize {
    let millis = after.as_secs_f64() * 1_000.0;
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

    const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    fn after_seconds(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn what_is_older_than_a_quarter_of_an_hour_is_forgotten() {
        let mut history = History::default();
        history.count(NOW, Counted::Accepted);
        history.count(after_seconds(5), Counted::Failed);
        let total = |at| {
            let samples = history.samples(at);
            assert_eq!(samples.len(), SLOTS);
            samples
                .iter()
                .map(|sample| sample.accepted + sample.failed)
                .sum::<u32>()
        };
        assert_eq!(total(after_seconds(5)), 2);
        assert_eq!(total(after_seconds(899)), 2);
        assert_eq!(total(after_seconds(900)), 1);
        assert_eq!(total(after_seconds(90_000)), 0);
    }

    #[test]
    fn a_total_leaves_out_the_slot_that_is_still_being_filled() {
        let mut history = History::default();
        for seconds in [0, 5, 10] {
            history.count(after_seconds(seconds), Counted::Accepted);
        }
        assert_eq!(history.total(after_seconds(10), 1).accepted, 1);
        assert_eq!(history.total(after_seconds(10), 100).accepted, 2);
    }

    #[test]
    fn percentiles_are_right_to_within_their_buckets() {
        let mut history = History::default();
        for millis in 1..=1_000 {
            let after = Duration::from_millis(millis);
            history.count(NOW, Counted::Delivered { after });
        }
        let newest = *history.samples(NOW).last().unwrap();
        for (percentile, truth) in [
            (newest.p50_ms, 500.0),
            (newest.p95_ms, 950.0),
            (newest.p99_ms, 990.0),
        ] {
            let percentile = percentile.unwrap();
            assert!(
                percentile >= truth && percentile <= truth * 2_f64.sqrt() + 1.0,
                "{percentile} for {truth}"
            );
        }
    }

    #[test]
    fn no_wait_is_too_short_or_too_long_to_count() {
        for after in [Duration::ZERO, Duration::from_micros(1), Duration::MAX] {
            assert!(bucket_of(after) < BUCKETS);
        }
        assert!(end_of(bucket_of(Duration::from_millis(3))) >= 3.0);
    }
}
