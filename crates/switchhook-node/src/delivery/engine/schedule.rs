//! Order in which the queues of webhooks get to act.
//!
//! A queue that can start an attempt is *runnable* and has a place in the rotation. One that can act later is *due*
//! then. One to which something happened is *touched*: hints come in bunches, often many for one webhook, so the
//! consequences are computed once per bunch.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use switchhook_domain::Timestamp;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::{IdMap, WebhookId};
use switchhook_domain::webhook::DeliveryDefaults;

use super::EngineParts;
use super::nodes::Share;
use crate::delivery::memory::Memory;
use crate::delivery::queue::WebhookQueue;
use crate::destination::Destination;
use crate::registry::Registry;

/// The queues of all webhooks that have something to do.
pub(super) struct Schedule {
    entries: IdMap<WebhookId, QueueEntry>,
    due: BTreeSet<(Timestamp, WebhookId)>,
    /// The runnable queues, each once.
    runnable: VecDeque<WebhookId>,
    touched: BTreeSet<WebhookId>,
    share: Share,
    registry: Arc<Registry>,
    clock: Arc<dyn Clock>,
    defaults: DeliveryDefaults,
    memory: Arc<Memory>,
}

/// A queue, and where it stands in the lists.
struct QueueEntry {
    queue: WebhookQueue,
    due_at: Option<Timestamp>,
    is_runnable: bool,
    is_cancelling: bool,
}

impl Schedule {
    pub(super) fn new(parts: &EngineParts, memory: Arc<Memory>) -> Self {
        Self {
            entries: IdMap::default(),
            due: BTreeSet::new(),
            runnable: VecDeque::new(),
            touched: BTreeSet::new(),
            share: Share::ALL,
            registry: Arc::clone(&parts.registry),
            clock: Arc::clone(&parts.clock),
            defaults: parts.defaults,
            memory,
        }
    }

    // --- The queues -----------------------------------------------------------------------------------------------

    /// The queue of a webhook, made if there is none.
    pub(super) fn queue(&mut self, id: WebhookId) -> &mut WebhookQueue {
        let place = self.entries.entry(id).or_insert_with(|| {
            let destination = self.registry.destination(id);
            let load = destination.as_ref().map(|destination| destination.load());
            let max_in_flight = destination.map_or(1, |destination| {
                let settings = &destination.webhook.settings;
                self.share.of_cap(settings.max_in_flight(&self.defaults))
            });
            QueueEntry {
                queue: WebhookQueue::new(load.unwrap_or_default(), max_in_flight, Arc::clone(&self.memory)),
                due_at: None,
                is_runnable: false,
                is_cancelling: false,
            }
        });
        &mut place.queue
    }

    /// The queue of a webhook, if there is one.
    pub(super) fn existing_queue(&mut self, id: WebhookId) -> Option<&mut WebhookQueue> {
        self.entries.get_mut(&id).map(|place| &mut place.queue)
    }

    /// The webhooks that have a queue, in order.
    pub(super) fn ids(&self) -> Vec<WebhookId> {
        let mut ids: Vec<_> = self.entries.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Forgets a queue that has nothing left to remember.
    pub(super) fn forget_if_idle(&mut self, id: WebhookId) {
        if let Some(place) = self.entries.get(&id)
            && place.queue.is_idle()
            && !place.is_runnable
            && !place.is_cancelling
        {
            if let Some(at) = place.due_at {
                self.due.remove(&(at, id));
            }
            self.entries.remove(&id);
        }
    }

    /// This node's cap on attempts in flight to a webhook.
    pub(super) fn cap_of(&self, destination: &Destination) -> u32 {
        let settings = &destination.webhook.settings;
        self.share.of_cap(settings.max_in_flight(&self.defaults))
    }

    /// This node's rate to a webhook, in attempts per second, if that has one.
    pub(super) fn rate_of(&self, destination: &Destination) -> Option<f64> {
        let rate = destination.webhook.settings.rate?;
        Some(self.share.of_rate(rate))
    }

    /// This node has another share from now on. A smaller one counts at once; a larger one is grown into.
    pub(super) fn set_share(&mut self, share: Share) {
        self.share = share;
        for (id, place) in &mut self.entries {
            if let Some(destination) = self.registry.destination(*id) {
                let cap = destination.webhook.settings.max_in_flight(&self.defaults);
                place.queue.lower_to(share.of_cap(cap));
            }
        }
    }

    // --- Touched --------------------------------------------------------------------------------------------------

    /// Something happened to a queue.
    pub(super) fn touch(&mut self, id: WebhookId) {
        self.touched.insert(id);
    }

    /// Sees what follows for the queues to which something happened.
    pub(super) fn update_touched(&mut self) {
        while let Some(id) = self.touched.pop_first() {
            self.make_runnable(id);
            self.forget_if_idle(id);
        }
    }

    // --- Runnable -------------------------------------------------------------------------------------------------

    /// Makes a queue runnable if it can start something; else its rate or its breaker may want it to wait.
    pub(super) fn make_runnable(&mut self, id: WebhookId) {
        let now = self.clock.now();
        let Some(place) = self.entries.get_mut(&id).filter(|place| !place.is_runnable) else {
            return;
        };
        if place.queue.can_start(now) {
            place.is_runnable = true;
            self.runnable.push_back(id);
        } else {
            self.reschedule(id);
        }
    }

    /// Takes the next queue out of the rotation.
    pub(super) fn next_runnable(&mut self) -> Option<WebhookId> {
        let id = self.runnable.pop_front()?;
        if let Some(place) = self.entries.get_mut(&id) {
            place.is_runnable = false;
        }
        Some(id)
    }

    /// Puts queues back into the rotation that could not start for want of room.
    pub(super) fn keep_runnable(&mut self, ids: Vec<WebhookId>) {
        for id in ids {
            if let Some(place) = self.entries.get_mut(&id) {
                place.is_runnable = true;
                self.runnable.push_back(id);
            }
        }
    }

    // --- Due ------------------------------------------------------------------------------------------------------

    /// Makes a queue due when it has something to do next: never while its webhook is paused or its deliveries are being
    /// cancelled, and not in quiet hours.
    pub(super) fn reschedule(&mut self, id: WebhookId) {
        let now = self.clock.now();
        let destination = self.registry.destination(id);
        let destination = destination.as_deref();
        let is_paused = destination.is_some_and(|destination| destination.webhook.is_paused());
        let loud_at = |at: Timestamp| {
            let quiet_until = destination.and_then(|destination| destination.quiet_until(at.max(now)));
            quiet_until.unwrap_or(at)
        };
        let Some(place) = self.entries.get_mut(&id) else {
            return;
        };
        let due_at = if is_paused || place.is_cancelling {
            None
        } else {
            place.queue.next_step_at(now).map(loud_at)
        };
        if place.due_at == due_at {
            return;
        }
        if let Some(at) = place.due_at {
            self.due.remove(&(at, id));
        }
        if let Some(at) = due_at {
            self.due.insert((at, id));
        }
        place.due_at = due_at;
    }

    /// The deliveries of a webhook begin to be cancelled, or were.
    pub(super) fn set_cancelling(&mut self, id: WebhookId, is_cancelling: bool) {
        if let Some(place) = self.entries.get_mut(&id) {
            place.is_cancelling = is_cancelling;
        }
    }

    /// The queue that is due first, and when.
    pub(super) fn first_due(&self) -> Option<(Timestamp, WebhookId)> {
        self.due.first().copied()
    }

    /// Since when the oldest delivery has waited that could start or be claimed.
    pub(super) fn oldest_due(&self) -> Option<Timestamp> {
        let in_store = self.first_due().map(|(due_at, _)| due_at);
        let runnable = self.runnable.iter();
        let in_memory = runnable.filter_map(|id| self.entries.get(id)?.queue.oldest_ready());
        in_memory.chain(in_store).min()
    }
}

#[cfg(test)]
mod tests;
