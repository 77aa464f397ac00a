//! Claiming from the store: how many deliveries this node has, how many more it asks for, and what comes of that.
//!
//! Deliveries of a webhook that is gone are not claimed but cancelled, a slice at a time.

use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::id::WebhookId;
use switchhook_store::{Claim, ClaimAnswer, ClaimRequest, ExpiredLeases, StoreError};
use tracing::warn;

use super::outbox::Outbox;
use super::schedule::Schedule;
use super::tasks::{CLAIM_AGAIN_AFTER, Cancelled, Tasks};
use super::{ALWAYS_TAKEN, EngineParts};
use crate::delivery::memory::Reservation;
use crate::delivery::queue::WebhookQueue;
use crate::destination::Destination;

/// Bound on the webhooks in one claim.
const WEBHOOKS_PER_CLAIM: usize = 64;

/// Bound on the claims in flight.
const MOST_CLAIMS: usize = 4;

/// Pause of a queue on a full node.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The deliveries that this node has claimed, and those that it asks for.
pub(super) struct Claiming {
    count: Count,
    /// Number of claims in flight.
    under_way: usize,
    parts: Arc<EngineParts>,
}

/// Counts of deliveries against the node's bound.
#[derive(Debug)]
struct Count {
    max: u32,
    claimed: u32,
    /// Upper bound on what the claims in flight may bring.
    requested: u32,
}

/// The requests of one claim, and the room for what it may bring.
#[derive(Default)]
pub(super) struct Requests {
    list: Vec<ClaimRequest>,
    rooms: Vec<Reservation>,
}

impl Claiming {
    pub(super) fn new(parts: Arc<EngineParts>) -> Self {
        Self {
            count: Count {
                max: parts.max_handed_over,
                claimed: 0,
                requested: 0,
            },
            under_way: 0,
            parts,
        }
    }

    /// Deliveries that this node has claimed and not settled.
    pub(super) const fn claimed(&self) -> u32 {
        self.count.claimed
    }

    /// A queue has so many more claims.
    pub(super) const fn add(&mut self, count: u32) {
        self.count.claimed += count;
    }

    /// A claim was settled.
    pub(super) const fn settled(&mut self) {
        self.count.claimed -= 1;
    }

    /// Claims what is due, as far as there is room.
    pub(super) fn claim_what_is_due(&mut self, schedule: &mut Schedule, outbox: &mut Outbox, tasks: &Tasks) {
        while self.under_way < MOST_CLAIMS {
            let now = self.parts.clock.now();
            let requests = self.next_requests(now, schedule, outbox, tasks);
            if requests.list.is_empty() {
                return;
            }
            self.under_way += 1;
            let claim = Claim {
                requests: requests.list.clone(),
                now,
                until: now.plus(self.parts.lease.0),
                expired: match self.parts.clock.agreement().may_judge_leases(self.parts.lease) {
                    true => ExpiredLeases::Claim,
                    false => ExpiredLeases::Leave,
                },
            };
            tasks.claim(claim, requests);
        }
    }

    /// Requests for the next claim: webhooks with due deliveries and room for them.
    fn next_requests(
        &mut self,
        now: Timestamp,
        schedule: &mut Schedule,
        outbox: &mut Outbox,
        tasks: &Tasks,
    ) -> Requests {
        let mut requests = Requests::default();
        while requests.list.len() < WEBHOOKS_PER_CLAIM
            && let Some((due_at, id)) = schedule.first_due()
            && due_at <= now
        {
            if let Some(destination) = self.parts.registry.destination(id) {
                self.claim_due(id, &destination, now, &mut requests, schedule, outbox);
            } else {
                outbox.release(schedule.queue(id).give_back_all());
                schedule.set_cancelling(id, true);
                tasks.cancel(id, now);
            }
            schedule.reschedule(id);
        }
        requests
    }

    fn claim_due(
        &mut self,
        id: WebhookId,
        destination: &Destination,
        now: Timestamp,
        requests: &mut Requests,
        schedule: &mut Schedule,
        outbox: &mut Outbox,
    ) {
        let rate = schedule.rate_of(destination);
        let queue = schedule.queue(id);
        if queue.next_claim_at().is_none_or(|claim_at| claim_at > now) {
            // Nothing is due in the store: what is ready may start now.
            schedule.make_runnable(id);
        } else if queue.has_overdue(now) {
            // A claim whose lease is over is settled before the store is asked for more: it would open a second claim of
            // the same delivery.
            outbox.release(queue.give_back_all());
            queue.backlog().postpone(now.plus(ASK_AGAIN_AFTER));
        } else {
            let timeout = destination.timeout(&self.parts.defaults);
            queue.keep_to(rate, self.parts.lease.time_to_start(timeout));
            if self.count.request(id, queue, requests) {
                queue.backlog().claim_began();
            } else {
                queue.backlog().postpone(now.plus(ASK_AGAIN_AFTER));
            }
        }
    }

    /// Takes the store's answer to a claim. What was claimed comes through the hand-over stream.
    pub(super) fn answered(
        &mut self,
        requests: &Requests,
        answer: Result<Vec<ClaimAnswer>, StoreError>,
        schedule: &mut Schedule,
    ) {
        self.under_way -= 1;
        self.count.answered(requests);
        match answer {
            Ok(answers) => {
                let now = self.parts.clock.now();
                for answer in answers {
                    let backlog = schedule.queue(answer.webhook_id).backlog();
                    backlog.claim_ended(answer.claimed, answer.next_due_at, now);
                }
            }
            Err(error) => {
                warn!(%error, "due deliveries could not be claimed");
                for request in &requests.list {
                    schedule.queue(request.webhook_id).backlog().claim_failed();
                }
            }
        }
        for request in &requests.list {
            schedule.reschedule(request.webhook_id);
            schedule.forget_if_idle(request.webhook_id);
        }
    }

    /// Takes what came of cancelling deliveries of a webhook that is gone.
    pub(super) fn cancelled(
        &self,
        id: WebhookId,
        answer: Result<Cancelled, StoreError>,
        schedule: &mut Schedule,
    ) {
        let now = self.parts.clock.now();
        // What was cancelled counts as what a claim brings: there may be more at once.
        let (brought, next) = match answer {
            Ok(Cancelled::Some(0)) => (0, None),
            Ok(_) => (1, Some(now)),
            Err(error) => {
                warn!(%error, webhook_id = %id, "the deliveries of a deleted webhook could not be cancelled");
                (0, Some(now.plus(CLAIM_AGAIN_AFTER)))
            }
        };
        schedule.queue(id).backlog().claim_ended(brought, next, now);
        schedule.set_cancelling(id, false);
        schedule.reschedule(id);
        schedule.forget_if_idle(id);
    }
}

impl Count {
    /// Asks for what a queue can take; answers whether there is room for any of it.
    fn request(&mut self, id: WebhookId, queue: &WebhookQueue, requests: &mut Requests) -> bool {
        let free = self.max.saturating_sub(self.claimed + self.requested);
        let always = ALWAYS_TAKEN.saturating_sub(queue.claimed());
        let limit = queue.room().min(free.max(always));
        if limit == 0 {
            return false;
        }
        let Some((bytes, room)) = queue.room_for_claim(WEBHOOKS_PER_CLAIM) else {
            return false;
        };
        self.requested += limit;
        requests.rooms.push(room);
        requests.list.push(ClaimRequest {
            webhook_id: id,
            limit,
            bytes,
            only: None,
        });
        true
    }

    fn answered(&mut self, requests: &Requests) {
        self.requested -= requests.list.iter().map(|request| request.limit).sum::<u32>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::memory::Memory;
    use crate::delivery::samples::claimed;
    use crate::destination::Load;

    /// A queue with so many deliveries in it.
    fn queue(has: i64) -> WebhookQueue {
        let memory = Memory::new(1 << 30, 10_000);
        let mut queue = WebhookQueue::new(Arc::new(Load::default()), 64, memory);
        for id in 0..has {
            queue.take(claimed(id, None));
        }
        queue
    }

    #[test]
    fn a_full_node_asks_for_a_few_deliveries_of_each_webhook_and_no_more() {
        let mut count = Count {
            max: 100,
            claimed: 90,
            requested: 0,
        };
        let mut requests = Requests::default();
        for (id, has) in [(1, 0), (2, 0), (3, 5), (4, 8)] {
            let is_wanted = count.request(WebhookId(id), &queue(has), &mut requests);
            assert_eq!(is_wanted, has < 8, "{id}");
        }
        let limits: Vec<_> = requests.list.iter().map(|request| request.limit).collect();
        assert_eq!(limits, [10, 8, 3]);
        count.answered(&requests);
        assert!(
            count.request(WebhookId(4), &queue(8), &mut requests),
            "what was asked for is free again"
        );
    }

    #[test]
    fn nothing_is_asked_for_without_room_for_its_bytes() {
        let mut count = Count {
            max: 100,
            claimed: 0,
            requested: 0,
        };
        let memory = Memory::new(1_000, 100);
        let all = memory.reserve(1_000, crate::delivery::memory::Purpose::Event);
        let queue = WebhookQueue::new(Arc::new(Load::default()), 64, Arc::clone(&memory));
        let mut requests = Requests::default();
        assert!(!count.request(WebhookId(1), &queue, &mut requests));
        assert_eq!(count.requested, 0);
        drop(all);
        assert!(count.request(WebhookId(1), &queue, &mut requests));
    }
}
