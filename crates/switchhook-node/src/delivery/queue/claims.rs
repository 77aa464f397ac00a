//! The deliveries of one webhook that this node has claimed: what may start, what waits for its order, what goes back to
//! the store.
//!
//! Of the deliveries with one order key the first is ready or under way, and the others wait behind it. When it goes back,
//! or fails and blocks its key, those behind it go back too, and so does what comes until all of them are settled: nothing
//! may overtake them.

use std::collections::{HashMap, VecDeque};

use switchhook_domain::Timestamp;
use switchhook_domain::id::{DeliveryId, IdHash, IdMap};
use switchhook_domain::order::OrderKey;
use switchhook_store::{ClaimedDelivery, Release};

/// A claim's identity: the delivery, and the number of the attempt that it is for. While the store does not answer, an
/// old claim of a delivery may not be settled when a new one comes.
type ClaimId = (DeliveryId, u32);

/// The claims of one webhook.
#[derive(Default)]
pub(super) struct Claims {
    /// Every claim that the store has not settled yet.
    unsettled: IdMap<ClaimId, Claim>,
    /// The deliveries that may start now.
    ready: VecDeque<Box<ClaimedDelivery>>,
    order_queues: HashMap<OrderKey, OrderQueue, IdHash>,
    /// Claims on their way back to the store.
    returning: u32,
    /// The size of the events of all claims.
    bytes: usize,
}

struct Claim {
    order_key: Option<OrderKey>,
    lease_end: Timestamp,
    bytes: usize,
    is_returning: bool,
}

/// The claimed deliveries with one order key.
#[derive(Default)]
struct OrderQueue {
    /// True if its first delivery is ready or in flight.
    is_busy: bool,
    /// The deliveries behind the first.
    waiting: VecDeque<Box<ClaimedDelivery>>,
    /// Number of claims with this key. The queue is dropped with the last.
    claims: u32,
    /// True if one was returned or blocks, so that those behind it are returned too.
    is_broken: bool,
}

fn id_of(claimed: &ClaimedDelivery) -> ClaimId {
    (claimed.delivery.id, claimed.delivery.attempt_number)
}

impl Claims {
    /// Takes a claimed delivery in. Gives it back if something that it must not overtake went back or failed.
    pub(super) fn take(&mut self, claimed: Box<ClaimedDelivery>) -> Option<Release> {
        self.add(&claimed);
        let Some(key) = claimed.delivery.order_key.clone() else {
            self.ready.push_back(claimed);
            return None;
        };
        let queue = self.order_queues.entry(key).or_default();
        if queue.is_broken {
            return Some(self.give_back(&claimed));
        }
        if queue.is_busy {
            queue.waiting.push_back(claimed);
        } else {
            queue.is_busy = true;
            self.ready.push_back(claimed);
        }
        None
    }

    /// Gives a delivery back of which it is not known whether it is this node's. What comes behind it waits for that.
    pub(super) fn take_doubtful(&mut self, claimed: &ClaimedDelivery) -> Release {
        self.add(claimed);
        if let Some(key) = &claimed.delivery.order_key {
            self.order_queues.entry(key.clone()).or_default().is_broken = true;
        }
        self.give_back(claimed)
    }

    fn add(&mut self, claimed: &ClaimedDelivery) {
        let order_key = claimed.delivery.order_key.clone();
        let claim = Claim {
            order_key: order_key.clone(),
            lease_end: claimed.delivery.state.at(),
            bytes: claimed.body.len(),
            is_returning: false,
        };
        self.bytes += claim.bytes;
        let before = self.unsettled.insert(id_of(claimed), claim);
        if let Some(before) = &before {
            self.bytes -= before.bytes;
            self.returning -= u32::from(before.is_returning);
        }
        if let Some(key) = order_key.filter(|_| before.is_none()) {
            self.order_queues.entry(key).or_default().claims += 1;
        }
    }

    fn give_back(&mut self, claimed: &ClaimedDelivery) -> Release {
        if let Some(claim) = self.unsettled.get_mut(&id_of(claimed))
            && !std::mem::replace(&mut claim.is_returning, true)
        {
            self.returning += 1;
        }
        let delivery = &claimed.delivery;
        Release {
            delivery_id: delivery.id,
            webhook_id: delivery.webhook_id,
            attempt_number: delivery.attempt_number,
            due_at: claimed.was_due_at,
        }
    }

    /// The deliveries that may start, in order.
    pub(super) fn ready(&self) -> impl ExactSizeIterator<Item = &ClaimedDelivery> {
        self.ready.iter().map(|claimed| &**claimed)
    }

    /// The delivery at this place of those that are ready, to be attempted now.
    pub(super) fn start(&mut self, place: usize) -> Option<Box<ClaimedDelivery>> {
        self.ready.remove(place)
    }

    /// The attempt of a delivery with this order key is over. If it blocks the key, what waits behind it is given back;
    /// else the next of them is ready.
    pub(super) fn ended(&mut self, key: Option<&OrderKey>, blocks: bool) -> Vec<Release> {
        let Some(queue) = key.and_then(|key| self.order_queues.get_mut(key)) else {
            return Vec::new();
        };
        queue.is_busy = false;
        if blocks {
            queue.is_broken = true;
            let waiting = std::mem::take(&mut queue.waiting);
            return waiting.iter().map(|claimed| self.give_back(claimed)).collect();
        }
        if let Some(next) = queue.waiting.pop_front() {
            queue.is_busy = true;
            self.ready.push_back(next);
        }
        Vec::new()
    }

    /// A delivery that was started is not attempted after all: it goes back, and what is behind it too.
    pub(super) fn not_attempted(&mut self, claimed: &ClaimedDelivery) -> Vec<Release> {
        let mut back = vec![self.give_back(claimed)];
        back.extend(self.ended(claimed.delivery.order_key.as_ref(), true));
        back
    }

    /// A delivery was cancelled: unless it is under way it goes back, and what is behind it goes on.
    pub(super) fn cancelled(&mut self, id: DeliveryId) -> Option<Release> {
        let place_in = |queue: &VecDeque<Box<ClaimedDelivery>>| {
            queue.iter().position(|claimed| claimed.delivery.id == id)
        };
        if let Some(place) = place_in(&self.ready) {
            let claimed = self.ready.remove(place)?;
            let back = self.give_back(&claimed);
            self.ended(claimed.delivery.order_key.as_ref(), false);
            return Some(back);
        }
        let order_key_of_it = |((delivery_id, _), claim): (&ClaimId, &Claim)| {
            let key = claim.order_key.as_ref();
            key.filter(|_| *delivery_id == id && !claim.is_returning).cloned()
        };
        let key = self.unsettled.iter().find_map(order_key_of_it)?;
        let waiting = &mut self.order_queues.get_mut(&key)?.waiting;
        let place = place_in(waiting)?;
        let claimed = waiting.remove(place)?;
        Some(self.give_back(&claimed))
    }

    /// Gives back everything that is not under way.
    pub(super) fn give_back_all(&mut self) -> Vec<Release> {
        let mut back = self.give_back_ready(0);
        let mut waiting = Vec::new();
        for queue in self.order_queues.values_mut() {
            queue.is_broken |= !queue.waiting.is_empty();
            waiting.extend(std::mem::take(&mut queue.waiting));
        }
        back.extend(waiting.iter().map(|claimed| self.give_back(claimed)));
        back.sort_unstable_by_key(|release| release.delivery_id);
        back
    }

    /// Gives back what is ready, but for the first `keep`.
    pub(super) fn give_back_ready(&mut self, keep: usize) -> Vec<Release> {
        let mut back = Vec::new();
        while self.ready.len() > keep {
            let claimed = self.ready.pop_back().expect("it is longer than something");
            back.push(self.give_back(&claimed));
            back.extend(self.ended(claimed.delivery.order_key.as_ref(), true));
        }
        back
    }

    /// The store says that a claim is no longer this node's; answers whether it was.
    pub(super) fn settled(&mut self, id: DeliveryId, attempt_number: u32) -> bool {
        let Some(claim) = self.unsettled.remove(&(id, attempt_number)) else {
            return false;
        };
        self.bytes -= claim.bytes;
        self.returning -= u32::from(claim.is_returning);
        if let Some(key) = claim.order_key
            && let Some(queue) = self.order_queues.get_mut(&key)
        {
            queue.claims -= 1;
            if queue.claims == 0 {
                self.order_queues.remove(&key);
            }
        }
        true
    }

    /// True if the lease of any claim has expired.
    pub(super) fn has_overdue(&self, now: Timestamp) -> bool {
        self.unsettled.values().any(|claim| claim.lease_end <= now)
    }

    /// True if a claim is on its way back to the store.
    pub(super) const fn is_returning(&self) -> bool {
        self.returning > 0
    }

    /// Number of unsettled claims.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.unsettled.len()).unwrap_or(u32::MAX)
    }

    /// The size of the events of all claims.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests;
