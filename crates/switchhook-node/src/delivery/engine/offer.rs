//! An event that is about to be kept, and which of its deliveries this node has room for: those are born claimed.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use switchhook_domain::Timestamp;
use switchhook_domain::id::EventId;

use super::{ALWAYS_TAKEN, Shared};
use crate::delivery::memory::{Hold, Want};
use crate::destination::Destination;

/// An event, offered to the engine.
pub struct Offer<'e> {
    engine: &'e Shared,
    size: usize,
    /// Its bytes, as soon as one delivery is claimed.
    hold: Option<Hold>,
}

impl<'e> Offer<'e> {
    pub(super) const fn new(engine: &'e Shared, size: usize) -> Self {
        Self {
            engine,
            size,
            hold: None,
        }
    }

    /// Until when its delivery to `destination` may be born claimed; `None` if the node has no room for it now.
    pub fn claim_until(&mut self, destination: &Destination, now: Timestamp) -> Option<Timestamp> {
        if !self.engine.is_running.load(Ordering::Relaxed)
            || !destination.has_room()
            || !self.has_place(destination)
        {
            return None;
        }
        let load = destination.load();
        if !self.engine.memory.is_within_share(&load, self.size) {
            return None;
        }
        if self.hold.is_none() {
            let want = Want::event(load.bytes.load(Ordering::Relaxed), self.size);
            self.hold = Some(self.engine.memory.try_hold(self.size, want)?);
        }
        Some(now.plus(self.engine.lease.0))
    }

    fn has_place(&self, destination: &Destination) -> bool {
        self.engine.handed_over.load(Ordering::Relaxed) < self.engine.max_handed_over
            || destination.load().handed_over.load(Ordering::Relaxed) < ALWAYS_TAKEN
    }

    /// The event's bytes: counted, if a delivery of it is claimed.
    #[must_use]
    pub fn keep(self, event_id: EventId, body: Bytes) -> Bytes {
        match self.hold {
            Some(hold) => self.engine.memory.keep(event_id, &body, hold),
            None => body,
        }
    }
}
