//! Bound on the memory for events to be sent, and for bodies built from them. What does not fit waits in the store.
//!
//! Bytes count from when a claim is granted until the last holder lets go: the store's writer, the hand-over stream,
//! a webhook's queue, an attempt, a socket. So an event that goes to twenty webhooks counts once. A body built for
//! one receiver (a JWT, or the event without hidden parts) counts by itself while it is being sent.
//!
//! Half is for events, half for built bodies. A quarter of each half is reserved for webhooks with next to nothing in
//! memory and no other attempt in flight. Of the other three quarters of the events each webhook has a share, in
//! proportion to its share of the count. So nobody is crowded out, neither by others nor by the other half.

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
    /// Number of deliveries that may be in memory.
    deliveries: u32,
    events: AtomicUsize,
    /// The bytes of what is made of events for their receivers.
    bodies: AtomicUsize,
    large: Mutex<HashMap<EventId, Weak<Counted<Bytes>>>>,
}

/// Use that bytes are requested for, which decides on how much of a half it may fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Event,
    /// An event of a webhook that has next to nothing in memory.
    FirstEvent,
    /// Body built from an event for one attempt.
    Body,
    /// The same, for a webhook with no other attempt under way.
    FirstBody,
}

/// The room for so many bytes, taken until it is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    memory: Arc<Memory>,
    purpose: Purpose,
    size: usize,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.memory
            .half(self.purpose)
            .fetch_sub(self.size, Ordering::Relaxed);
    }
}

impl Reservation {
    /// The same bytes, which count for as long as anybody has them.
    pub(super) fn over(self, bytes: impl AsRef<[u8]> + Send + 'static) -> Bytes {
        Bytes::from_owner(Counted {
            bytes,
            event_id: None,
            _reservation: self,
        })
    }
}

/// Bytes that are counted.
#[derive(Debug)]
struct Counted<B> {
    bytes: B,
    /// The id by which a large event is known.
    event_id: Option<EventId>,
    _reservation: Reservation,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Counted<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl<B> Drop for Counted<B> {
    fn drop(&mut self) {
        let Some(event_id) = self.event_id else { return };
        let mut large = self._reservation.memory.large.lock();
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
struct Shared(Arc<Counted<Bytes>>);

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
            bodies: AtomicUsize::new(0),
            large: Mutex::default(),
        })
    }

    /// Bytes in use.
    #[must_use]
    pub(super) fn in_use(&self) -> usize {
        self.events.load(Ordering::Relaxed) + self.bodies.load(Ordering::Relaxed)
    }

    const fn half(&self, purpose: Purpose) -> &AtomicUsize {
        match purpose {
            Purpose::Event | Purpose::FirstEvent => &self.events,
            Purpose::Body | Purpose::FirstBody => &self.bodies,
        }
    }

    /// Share of a webhook that may have `deliveries` in memory, in bytes: the same fraction of both bounds.
    pub(super) fn share(&self, deliveries: u32) -> usize {
        let deliveries = deliveries.min(self.deliveries) as usize;
        (self.mark(Purpose::Event) / self.deliveries as usize).saturating_mul(deliveries)
    }

    /// True if an event of `size` bytes is within the share of a webhook. A first one always is.
    pub(super) fn is_within_share(&self, load: &Load, size: usize) -> bool {
        let has = load.bytes.load(Ordering::Relaxed);
        has == 0 || has + size <= self.share(load.allowance.load(Ordering::Relaxed))
    }

    /// Fill level of its half up to which this purpose gets more.
    const fn mark(&self, purpose: Purpose) -> usize {
        let eighths = match purpose {
            Purpose::Event | Purpose::Body => 3,
            Purpose::FirstEvent | Purpose::FirstBody => 4,
        };
        self.limit / 8 * eighths
    }

    /// Free bytes for this purpose.
    pub(super) fn room(&self, purpose: Purpose) -> usize {
        self.mark(purpose)
            .saturating_sub(self.half(purpose).load(Ordering::Relaxed))
    }

    /// Takes room if there is any. While next to nothing of a half is in use, there is room for anything: an event that is
    /// larger than it should be must go too.
    pub(super) fn reserve(self: &Arc<Self>, size: usize, purpose: Purpose) -> Option<Reservation> {
        let most = self.mark(purpose);
        let more = |used: usize| {
            (used <= self.limit / 8 || used.saturating_add(size) <= most).then(|| used.saturating_add(size))
        };
        let half = self.half(purpose);
        half.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(self.reservation(size, purpose))
    }

    /// Counts the bytes of an event that is there already.
    fn count(self: &Arc<Self>, size: usize) -> Reservation {
        self.events.fetch_add(size, Ordering::Relaxed);
        self.reservation(size, Purpose::Event)
    }

    fn reservation(self: &Arc<Self>, size: usize, purpose: Purpose) -> Reservation {
        Reservation {
            memory: Arc::clone(self),
            purpose,
            size,
        }
    }

    /// The bytes of an event for which `room` was granted. They are copied: those of a request may be a small part of a large
    /// piece of memory.
    pub(super) fn keep(&self, event_id: EventId, body: &Bytes, room: Reservation) -> Bytes {
        if body.len() < LARGE {
            return room.over(Box::<[u8]>::from(&**body));
        }
        self.keep_large(event_id, Bytes::copy_from_slice(body), room)
    }

    /// The bytes of an event that were read for a claim; those that are here already, if it is large.
    pub(super) fn keep_read(self: &Arc<Self>, event_id: EventId, body: Bytes) -> Bytes {
        let room = self.count(body.len());
        if body.len() < LARGE {
            return room.over(body);
        }
        self.keep_large(event_id, body, room)
    }

    fn keep_large(&self, event_id: EventId, bytes: Bytes, room: Reservation) -> Bytes {
        let mut large = self.large.lock();
        let known = large.get(&event_id).and_then(Weak::upgrade);
        let kept = known.unwrap_or_else(|| {
            let kept = Arc::new(Counted {
                bytes,
                event_id: Some(event_id),
                _reservation: room,
            });
            large.insert(event_id, Arc::downgrade(&kept));
            kept
        });
        drop(large);
        Bytes::from_owner(Shared(kept))
    }
}

impl Purpose {
    /// Purpose of an event of `size` bytes for a webhook that has `has` bytes in memory.
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
            let room = memory.reserve(size, Purpose::Event).unwrap();
            let kept = memory.keep(EventId(1), &event(size), room);
            let also = kept.slice(1..);
            drop(kept);
            assert_eq!(memory.in_use(), size);
            drop(also);
            assert_eq!(memory.in_use(), 0, "{size}");
        }
        assert!(memory.large.lock().is_empty());
    }

    #[test]
    fn a_large_event_that_is_read_for_many_webhooks_is_there_once() {
        let memory = Memory::new(1 << 30, 100);
        let all: Vec<_> = (0..20)
            .map(|_| memory.keep_read(EventId(7), event(MIB)))
            .collect();
        assert_eq!(memory.in_use(), MIB);
        assert!(all.iter().all(|one| one.as_ptr() == all[0].as_ptr()));
        let other = memory.keep_read(EventId(8), event(MIB));
        assert_eq!(memory.in_use(), 2 * MIB);
        drop((all, other));
        assert_eq!(memory.in_use(), 0);
        assert!(memory.large.lock().is_empty());
    }

    #[test]
    fn no_use_takes_the_room_of_the_next() {
        let memory = Memory::new(64 << 20, 100);
        let mut rooms = Vec::new();
        for (purpose, mark) in [
            (Purpose::Event, 24),
            (Purpose::FirstEvent, 32),
            (Purpose::Body, 56),
            (Purpose::FirstBody, 64),
        ] {
            while let Some(room) = memory.reserve(MIB, purpose) {
                rooms.push(room);
            }
            assert_eq!(memory.in_use(), mark * MIB, "{purpose:?}");
        }
        rooms.clear();
        assert_eq!(memory.in_use(), 0);
    }

    #[test]
    fn an_event_larger_than_all_room_goes_alone() {
        let memory = Memory::new(1000, 100);
        let event = memory.reserve(MIB, Purpose::Event).unwrap();
        assert!(memory.reserve(1, Purpose::FirstEvent).is_none());
        let body = memory.reserve(MIB, Purpose::Body).unwrap();
        assert!(memory.reserve(1, Purpose::FirstBody).is_none());
        drop((event, body));
        assert!(memory.reserve(MIB, Purpose::Event).is_some());
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
