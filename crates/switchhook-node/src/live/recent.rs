//! The last half a minute in slots of five seconds: what happens now. What happened before is `crate::history`.
//!
//! A ring of fixed size: an hour of silence costs nothing, and neither does an hour of noise.

use switchhook_domain::Timestamp;

/// Length of a slot, in seconds.
pub const SLOT_SECONDS: u32 = 5;

/// Number of slots: half a minute, and the one being filled.
const SLOTS: usize = 7;

/// Activity that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// An event was accepted.
    Accepted,
    /// A delivery reached its receiver.
    Delivered,
    /// An attempt failed.
    Failed,
}

/// Sums over some slots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    pub accepted: u32,
    /// Deliveries that reached their receivers.
    pub delivered: u32,
}

/// Ring of slots.
#[derive(Debug, Default)]
pub struct Recent {
    slots: [Slot; SLOTS],
    counted: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Counts slots since 1970: tells whether this place of the ring still holds what one looks for.
    number: i64,
    sample: Sample,
}

impl Recent {
    /// Counts something that happened at `now`.
    pub fn count(&mut self, now: Timestamp, counted: Activity) {
        self.counted = self.counted.wrapping_add(1);
        let number = number_at(now);
        let slot = &mut self.slots[place_of(number)];
        if slot.number != number {
            *slot = Slot {
                number,
                sample: Sample::default(),
            };
        }
        let count = match counted {
            Activity::Accepted => &mut slot.sample.accepted,
            Activity::Delivered => &mut slot.sample.delivered,
            Activity::Failed => return,
        };
        *count = count.saturating_add(1);
    }

    /// Total since the start.
    #[must_use]
    pub const fn counted(&self) -> u64 {
        self.counted
    }

    /// The last `slots` slots as one, without the one that is still being filled.
    #[must_use]
    pub fn total(&self, now: Timestamp, slots: u32) -> Sample {
        let end = number_at(now);
        let mut total = Sample::default();
        for number in end - i64::from(slots)..end {
            let slot = &self.slots[place_of(number)];
            if slot.number == number {
                total.accepted = total.accepted.saturating_add(slot.sample.accepted);
                total.delivered = total.delivered.saturating_add(slot.sample.delivered);
            }
        }
        total
    }
}

fn number_at(now: Timestamp) -> i64 {
    now.as_millis() / 1_000 / i64::from(SLOT_SECONDS)
}

fn place_of(number: i64) -> usize {
    usize::try_from(number.rem_euclid(SLOTS as i64)).expect("a remainder is not negative")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    fn after_seconds(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_total_leaves_out_the_slot_that_is_being_filled_and_what_is_long_gone() {
        let mut recent = Recent::default();
        for seconds in [0, 5, 10] {
            recent.count(after_seconds(seconds), Activity::Accepted);
        }
        recent.count(after_seconds(10), Activity::Failed);
        let accepted = |seconds, slots| recent.total(after_seconds(seconds), slots).accepted;
        assert_eq!(accepted(10, 1), 1);
        assert_eq!(accepted(10, 6), 2);
        assert_eq!(accepted(35, 6), 2, "the first is gone");
        assert_eq!(accepted(90_000, 6), 0);
        assert_eq!(recent.counted(), 4);
    }
}
