//! How many bytes of events are in memory to be sent, and how many may be. What does not fit waits in the store.
//!
//! Bytes count from when a claim is granted until the last of those that have them lets go: the store's writer, the stream of
//! claimed deliveries, a lane, an attempt, a socket. So an event that goes to twenty webhooks counts once. What is made of it
//! for one receiver (a JWT, or the event without what is hidden) counts by itself, for as long as it is being sent.
//!
//! Half is for events, half for what is made of them. A quarter of each half is kept for those who would have nothing else:
//! webhooks with next to nothing in memory, and with no other attempt under way. Of the other three quarters of the events
//! each webhook has a share, like its share of the count. So nobody is crowded out, neither by others nor by the other half.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use switchhook_domain::id::EventId;

use crate::destination::Load;

/// Events of at least this many bytes are known by their ids, so that several reads of one share its bytes.
const LARGE: usize = 16 * 1024;

/// A webhook with no more bytes than this in memory has next to nothing there.
const NEXT_TO_NOTHING: usize = 64 * 1024;

/// The bytes of a node.
#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    /// How many deliveries share it.
    deliveries: u32,
    events: AtomicUsize,
    copies: AtomicUsize,
    large: Mutex<HashMap<EventId, Weak<Held<Bytes>>>>,
}

/// What bytes are wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// An event.
    Event,
    /// An event of a webhook that has next to nothing in memory.
    FirstEvent,
    /// What is made of an event for an attempt.
    Copy,
    /// The same, for a webhook with no other attempt under way.
    FirstCopy,
}

/// So many bytes, held until it is dropped.
#[derive(Debug)]
pub(super) struct Hold {
    memory: Arc<Memory>,
    want: Want,
    size: usize,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.memory
            .half(self.want)
            .fetch_sub(self.size, Ordering::Relaxed);
    }
}

impl Hold {
    /// The same bytes, which are held for as long as anybody has them.
    pub(super) fn over(self, bytes: impl AsRef<[u8]> + Send + 'static) -> Bytes {
        Bytes::from_owner(Held {
            bytes,
            event_id: None,
            _hold: self,
        })
    }
}

/// Bytes that are counted.
#[derive(Debug)]
struct Held<B> {
    bytes: B,
    /// By what a large event is known.
    event_id: Option<EventId>,
    _hold: Hold,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Held<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl<B> Drop for Held<B> {
    fn drop(&mut self) {
        let Some(event_id) = self.event_id else { return };
        let mut large = self._hold.memory.large.lock();
        // Another read of the event may have taken its place.
        if large
            .get(&event_id)
            .is_some_and(|known| known.strong_count() == 0)
        {
            large.remove(&event_id);
        }
    }
}

/// A large event, known by its id for as long as somebody has it.
struct Shared(Arc<Held<Bytes>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl Memory {
    /// Room for `limit` bytes, shared by so many deliveries.
    #[must_use]
    pub(super) fn new(limit: u64, deliveries: u32) -> Arc<Self> {
        Arc::new(Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            deliveries: deliveries.max(1),
            events: AtomicUsize::new(0),
            copies: AtomicUsize::new(0),
            large: Mutex::default(),
        })
    }

    /// How many bytes are in memory.
    #[must_use]
    pub(super) fn held(&self) -> usize {
        self.events.load(Ordering::Relaxed) + self.copies.load(Ordering::Relaxed)
    }

    const fn half(&self, want: Want) -> &AtomicUsize {
        match want {
            Want::Event | Want::FirstEvent => &self.events,
            Want::Copy | Want::FirstCopy => &self.copies,
        }
    }

    /// How many bytes of a webhook may be in memory that may have `deliveries` there: the same part of either.
    pub(super) fn share(&self, deliveries: u32) -> usize {
        let deliveries = deliveries.min(self.deliveries) as usize;
        (self.mark(Want::Event) / self.deliveries as usize).saturating_mul(deliveries)
    }

    /// Whether an event of `size` bytes is within the share of a webhook. One always is.
    pub(super) fn is_within_share(&self, load: &Load, size: usize) -> bool {
        let has = load.bytes.load(Ordering::Relaxed);
        has == 0 || has + size <= self.share(load.allowance.load(Ordering::Relaxed))
    }

    /// How much of its half may be held for this.
    const fn mark(&self, want: Want) -> usize {
        let eighths = match want {
            Want::Event | Want::Copy => 3,
            Want::FirstEvent | Want::FirstCopy => 4,
        };
        self.limit / 8 * eighths
    }

    /// How many more bytes may be held for this.
    pub(super) fn room(&self, want: Want) -> usize {
        self.mark(want)
            .saturating_sub(self.half(want).load(Ordering::Relaxed))
    }

    /// Holds bytes if there is room. While next to nothing is held of a half, there is room for anything: an event that is
    /// larger than it should be must go too.
    pub(super) fn try_hold(self: &Arc<Self>, size: usize, want: Want) -> Option<Hold> {
        let most = self.mark(want);
        let more = |held: usize| {
            (held <= self.limit / 8 || held.saturating_add(size) <= most).then(|| held.saturating_add(size))
        };
        let half = self.half(want);
        half.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(self.holding(size, want))
    }

    /// Holds the bytes of an event that is there already.
    fn hold(self: &Arc<Self>, size: usize) -> Hold {
        self.events.fetch_add(size, Ordering::Relaxed);
        self.holding(size, Want::Event)
    }

    fn holding(self: &Arc<Self>, size: usize, want: Want) -> Hold {
        Hold {
            memory: Arc::clone(self),
            want,
            size,
        }
    }

    /// The bytes of an event for which `hold` was granted. They are copied: those of a request may be a small part of a large
    /// piece of memory.
    pub(super) fn keep(&self, event_id: EventId, body: &Bytes, hold: Hold) -> Bytes {
        if body.len() < LARGE {
            return hold.over(Box::<[u8]>::from(&**body));
        }
        self.keep_large(event_id, Bytes::copy_from_slice(body), hold)
    }

    /// The bytes of an event that were read for a claim; those that are here already, if it is large.
    pub(super) fn keep_read(self: &Arc<Self>, event_id: EventId, body: Bytes) -> Bytes {
        let hold = self.hold(body.len());
        if body.len() < LARGE {
            return hold.over(body);
        }
        self.keep_large(event_id, body, hold)
    }

    fn keep_large(&self, event_id: EventId, bytes: Bytes, hold: Hold) -> Bytes {
        let mut large = self.large.lock();
        let known = large.get(&event_id).and_then(Weak::upgrade);
        let kept = known.unwrap_or_else(|| {
            let kept = Arc::new(Held {
                bytes,
                event_id: Some(event_id),
                _hold: hold,
            });
            large.insert(event_id, Arc::downgrade(&kept));
            kept
        });
        drop(large);
        Bytes::from_owner(Shared(kept))
    }
}

impl Want {
    /// For an event of `size` bytes to a webhook that has so many in memory.
    pub(super) const fn event(has: usize, size: usize) -> Self {
        if has == 0 || has + size <= NEXT_TO_NOTHING {
            Self::FirstEvent
        } else {
            Self::Event
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn event(size: usize) -> Bytes {
        Bytes::from(vec![b' '; size])
    }

    #[test]
    fn bytes_count_until_the_last_who_has_them_lets_go() {
        let memory = Memory::new(1 << 30, 100);
        for size in [10, LARGE, MIB] {
            let hold = memory.try_hold(size, Want::Event).unwrap();
            let kept = memory.keep(EventId(1), &event(size), hold);
            let also = kept.slice(1..);
            drop(kept);
            assert_eq!(memory.held(), size);
            drop(also);
            assert_eq!(memory.held(), 0, "{size}");
        }
        assert!(memory.large.lock().is_empty());
    }

    #[test]
    fn a_large_event_that_is_read_for_many_webhooks_is_there_once() {
        let memory = Memory::new(1 << 30, 100);
        let all: Vec<_> = (0..20)
            .map(|_| memory.keep_read(EventId(7), event(MIB)))
            .collect();
        assert_eq!(memory.held(), MIB);
        assert!(all.iter().all(|one| one.as_ptr() == all[0].as_ptr()));
        let other = memory.keep_read(EventId(8), event(MIB));
        assert_eq!(memory.held(), 2 * MIB);
        drop((all, other));
        assert_eq!(memory.held(), 0);
        assert!(memory.large.lock().is_empty());
    }

    #[test]
    fn no_use_takes_the_room_of_the_next() {
        let memory = Memory::new(64 << 20, 100);
        let mut holds = Vec::new();
        for (want, mark) in [
            (Want::Event, 24),
            (Want::FirstEvent, 32),
            (Want::Copy, 56),
            (Want::FirstCopy, 64),
        ] {
            while let Some(hold) = memory.try_hold(MIB, want) {
                holds.push(hold);
            }
            assert_eq!(memory.held(), mark * MIB, "{want:?}");
        }
        holds.clear();
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn an_event_larger_than_all_room_goes_alone() {
        let memory = Memory::new(1000, 100);
        let hold = memory.try_hold(MIB, Want::Event).unwrap();
        assert!(memory.try_hold(1, Want::FirstEvent).is_none());
        let copy = memory.try_hold(MIB, Want::Copy).unwrap();
        assert!(memory.try_hold(1, Want::FirstCopy).is_none());
        drop((hold, copy));
        assert!(memory.try_hold(MIB, Want::Event).is_some());
    }

    #[test]
    fn a_share_of_the_bytes_is_a_share_of_the_count() {
        let memory = Memory::new(200 << 20, 10_000);
        let (all, some) = (memory.share(20_000), memory.share(1_000));
        assert!(all <= 75 << 20 && all > 74 << 20, "{all}");
        assert_eq!(some, all / 10);
        let load = Load::default();
        assert!(memory.is_within_share(&load, MIB * 50), "one always is");
        load.bytes.store(1, Ordering::Relaxed);
        assert!(!memory.is_within_share(&load, MIB * 50));
    }
}
