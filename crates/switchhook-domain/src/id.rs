//! Identifiers: 53 bits, so that JavaScript keeps them exact; time-ordered, so that an id is also an index by time.
//!
//! Owns the id types and their layout. Who hands out ids and where the last one is remembered is the caller's.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};
use switchhook_protocol::{Timestamp, quoted};

/// The largest id: 2^53 − 1, the largest integer that a double holds exactly.
pub const MAX_ID: i64 = (1 << 53) - 1;

/// Low bits of an id that count within its millisecond.
const COUNTER_BITS: u32 = 12;

/// 2025-01-01T00:00:00Z: ids count milliseconds from here, which lasts 69 years.
const EPOCH_MS: i64 = 1_735_689_600_000;

/// A text that is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not an id: ids are whole numbers")]
pub struct InvalidId {
    given: String,
}

/// An id as it is written: nothing but its digits.
///
/// # Errors
/// If it is anything else.
pub fn id_of<T: FromStr>(text: &str) -> Result<T, InvalidId> {
    const MOST_DIGITS: usize = 19;
    let is_id = text.len() <= MOST_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_id).ok_or_else(|| InvalidId {
        given: quoted(text).into_owned(),
    })
}

/// Hasher for ids. Outsiders cannot choose them, so no defence against chosen keys is needed, which would cost
/// several times as much. Order keys, which they can choose, are hashed by it where there are few, or all are one webhook's.
pub type IdHash = foldhash::fast::RandomState;

/// Map with ids as keys.
pub type IdMap<K, V> = HashMap<K, V, IdHash>;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                id_of(text.trim()).map(Self)
            }
        }
    )+};
}

ids! {
    /// A tenant.
    CompanyId,
    /// An API key (never the key itself).
    KeyId,
    /// A receiver's URL.
    WebhookId,
    /// "Send these events there".
    SubscriptionId,
    /// An accepted event.
    EventId,
    /// One event for one webhook.
    DeliveryId,
    /// A stored job that makes new deliveries of old events.
    ReplayId,
    /// A websocket to listen at.
    WebsocketId,
    /// A URL at which events come in from outside.
    SourceId,
    /// Something that a source did not take.
    RefusalId,
    /// A destination of notifications.
    ChannelId,
    /// Something that people are told of.
    NotificationId,
}

/// Number of sequences that can make ids at once without knowing of each other: each takes every 64th.
pub const SLOTS: i64 = 64;

/// Hands out ids that only grow, whatever the clock does.
///
/// An id is the milliseconds since 2025 and a counter of 4,096 within each, or of 64 where several nodes share them.
/// Faster than that, or with a clock that went back, the sequence simply runs ahead of the clock. Start it after the
/// largest id that is kept.
#[derive(Debug)]
pub struct IdSequence {
    last: AtomicI64,
    /// Index among the [`SLOTS`]; negative if it uses all.
    slot: AtomicI64,
}

impl IdSequence {
    /// A sequence whose ids are all larger than `last`, for whoever makes ids alone.
    #[must_use]
    pub fn after(last: i64) -> Self {
        Self::of_slot(-1, last)
    }

    /// A sequence whose ids are all larger than `last`, and none of which another slot's sequence makes.
    #[must_use]
    pub fn of_slot(slot: i64, last: i64) -> Self {
        Self {
            last: AtomicI64::new(last),
            slot: AtomicI64::new(slot),
        }
    }

    /// Goes on in another slot.
    pub fn move_to(&self, slot: i64) {
        self.slot.store(slot, Ordering::Relaxed);
    }

    /// The next id at `now`.
    pub fn next(&self, now: Timestamp) -> i64 {
        self.reserve(now, 1).first
    }

    /// Reserves `count` ids (at least one), which grow.
    pub fn reserve(&self, now: Timestamp, count: i64) -> ReservedIds {
        let slot = self.slot.load(Ordering::Relaxed);
        let (step, offset) = if slot < 0 { (1, 0) } else { (SLOTS, slot % SLOTS) };
        let by_clock = first_id_at(now) + offset;
        let first_after = |last: i64| {
            // The first number of the slot that is larger.
            let next = (last - offset).div_euclid(step) * step + step + offset;
            by_clock.max(next)
        };
        let before = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(first_after(last) + (count.max(1) - 1) * step)
            })
            .expect("the closure always answers");
        ReservedIds {
            first: first_after(before),
            step,
        }
    }
}

/// Ids that nobody else makes. Take no more than were reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReservedIds {
    /// The first and smallest.
    pub first: i64,
    step: i64,
}

impl ReservedIds {
    /// Those after the first.
    pub fn rest(self) -> impl Iterator<Item = i64> {
        (1..).map(move |n| self.first + n * self.step)
    }
}

/// The smallest id that may have been made at `at`: turns a time range into an id range.
#[must_use]
pub fn first_id_at(at: Timestamp) -> i64 {
    at.as_millis()
        .saturating_sub(EPOCH_MS)
        .clamp(0, MAX_ID >> COUNTER_BITS)
        << COUNTER_BITS
}

/// Time at which an id was made, to the millisecond (later than the truth if the sequence had run ahead of the
/// clock).
#[must_use]
pub fn made_at(id: i64) -> Timestamp {
    Timestamp::from_millis((id >> COUNTER_BITS) + EPOCH_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    #[test]
    fn ids_grow_even_when_the_clock_goes_back() {
        let ids = IdSequence::after(0);
        let first = ids.next(NOON);
        let second = ids.next(Timestamp::from_millis(NOON.as_millis() - 60_000));
        assert!(second > first);
    }

    #[test]
    fn a_sequence_goes_on_after_the_last_kept_id() {
        let kept = first_id_at(NOON) + 5_000_000;
        assert_eq!(IdSequence::after(kept).next(NOON), kept + 1);
    }

    #[test]
    fn reserved_ids_are_nobody_elses() {
        let ids = IdSequence::after(0);
        let reserved = ids.reserve(NOON, 10);
        assert_eq!(reserved.rest().take(9).last(), Some(reserved.first + 9));
        assert_eq!(ids.next(NOON), reserved.first + 10);
    }

    #[test]
    fn slots_never_make_the_same_id() {
        let mut made = std::collections::BTreeSet::new();
        for slot in 0..SLOTS {
            let ids = IdSequence::of_slot(slot, first_id_at(NOON) - 77);
            for _ in 0..3 {
                let reserved = ids.reserve(NOON, 3);
                let three = std::iter::once(reserved.first).chain(reserved.rest().take(2));
                for id in three.chain([ids.next(NOON)]) {
                    assert_eq!(id.rem_euclid(SLOTS), slot);
                    assert!(made.insert(id), "{id} was made twice");
                }
            }
        }
    }

    #[test]
    fn ids_go_on_growing_in_another_slot() {
        let ids = IdSequence::of_slot(60, 0);
        let before = ids.next(NOON);
        ids.move_to(3);
        let after = ids.next(NOON);
        assert!(after > before && after % SLOTS == 3, "{before} {after}");
    }

    #[test]
    fn an_id_tells_when_it_was_made_and_is_exact_in_a_double() {
        let id = IdSequence::after(0).next(NOON);
        assert_eq!(made_at(id), NOON);
        let far = first_id_at(Timestamp::from_millis(i64::MAX));
        assert!(far <= MAX_ID);
    }

    #[test]
    fn what_is_no_id_is_refused_in_words() {
        assert_eq!(" 77 ".parse(), Ok(KeyId(77)));
        for wrong in [
            "abc",
            "",
            "-1",
            "+1",
            "1.5",
            "00000000000000000001",
            "9223372036854775808",
        ] {
            let refused = wrong.parse::<KeyId>().unwrap_err().to_string();
            assert_eq!(refused, format!("`{wrong}` is not an id: ids are whole numbers"));
        }
    }
}
