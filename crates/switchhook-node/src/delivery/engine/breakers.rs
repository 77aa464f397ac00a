//! Effects of a breaker's transitions: returning claims when it opens, catching up when it closes, and disabling a
//! webhook whose receiver failed for days, if the operator wants that. The breaker itself is in the domain.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::breaker::{Breaker, Transition};
use switchhook_domain::id::WebhookId;
use switchhook_domain::outage::Outage;
use switchhook_domain::suspension::SuspensionReason;
use switchhook_store::StoreError;
use tracing::{info, warn};

use super::EngineParts;
use super::outbox::Outbox;
use super::schedule::Schedule;
use super::tasks::{PeerHealth, Tasks};

/// Interval of looking for failures that no later attempt has followed up.
const LOOK_BACK: Duration = Duration::from_secs(5);

/// Follows the breakers of all webhooks.
pub(super) struct Breakers {
    parts: Arc<EngineParts>,
    next_look: Timestamp,
}

impl Breakers {
    pub(super) fn new(parts: Arc<EngineParts>) -> Self {
        Self {
            parts,
            next_look: Timestamp::from_millis(0),
        }
    }

    /// Acts on what the end of an attempt did to a webhook's breaker.
    pub(super) fn follow(
        &self,
        id: WebhookId,
        (transition, breaker): (Transition, Breaker),
        now: Timestamp,
        schedule: &mut Schedule,
        outbox: &mut Outbox,
        tasks: &Tasks,
    ) {
        match transition {
            Transition::None => return,
            Transition::Opened => {
                if let Breaker::Open {
                    since,
                    probe_at,
                    failures,
                } = breaker
                {
                    if since == now {
                        warn!(webhook_id = %id, failures, %probe_at, "breaker opened: the receiver fails again and again");
                    }
                    self.disable_after_long_failure(id, since, now, tasks);
                }
                outbox.release(schedule.queue(id).give_back_all());
            }
            Transition::Recovered => {
                info!(webhook_id = %id, "the receiver works again: waiting retries go now");
                tasks.retry_now(id, now);
            }
        }
        tasks.save_breaker(id, breaker, now);
        schedule.reschedule(id);
    }

    /// Pauses a webhook whose receiver has failed `since` then, which is longer than it may.
    fn disable_after_long_failure(&self, id: WebhookId, since: Timestamp, now: Timestamp, tasks: &Tasks) {
        let Some(destination) = self.parts.registry.destination(id) else {
            return;
        };
        let webhook = &destination.webhook;
        let patience = webhook.settings.disable_after(&self.parts.defaults);
        let is_hopeless = patience.is_some_and(|patience| now.since(since) >= patience);
        if !webhook.is_paused() && is_hopeless {
            tasks.disable(webhook, since, now);
        }
    }

    /// Tries a webhook now, because somebody asked for it: one attempt, and everything that waits if that succeeds.
    pub(super) fn try_now(&self, id: WebhookId, schedule: &mut Schedule, tasks: &Tasks) {
        let Some(destination) = self.parts.registry.destination(id) else {
            return;
        };
        let now = self.parts.clock.now();
        let breaker = {
            let load = destination.load();
            let mut health = load.health.write();
            health.ask_to_retry(now);
            health.breaker
        };
        if breaker.is_open() {
            tasks.save_breaker(id, breaker, now);
        }
        tasks.hurry_one_retry(id, now);
        schedule.queue(id).backlog().due(now);
        schedule.make_runnable(id);
        schedule.reschedule(id);
    }

    /// Closes the breaker of a webhook: what made its attempts fail may be mended.
    pub(super) fn close(&self, id: WebhookId, tasks: &Tasks) {
        let Some(destination) = self.parts.registry.destination(id) else {
            return;
        };
        let (load, now) = (destination.load(), self.parts.clock.now());
        if load.health.read().breaker.is_open() {
            load.health.write().reset_breaker(now);
            tasks.save_breaker(id, Breaker::default(), now);
        }
    }

    /// Writes down what failed and has been followed by nothing for a while; `is_alone`: there is no other node.
    pub(super) fn settle_outage(&mut self, is_alone: bool, now: Timestamp, outbox: &mut Outbox) {
        if now < self.next_look {
            return;
        }
        self.next_look = now.plus(LOOK_BACK);
        for destination in self.parts.registry.destinations() {
            let change = destination.load().settle_outage(is_alone, now);
            outbox.note_outage(destination.webhook.id, change, now);
        }
    }

    /// Takes note of outages that other nodes wrote down, and of those that they saw end.
    fn take_outages(&self, outages: &[(WebhookId, Outage)], outbox: &Outbox) {
        // What this node has not written yet is not to be forgotten because it is not there.
        if outbox.has_outages() {
            return;
        }
        let lasting: HashMap<_, _> = outages.iter().map(|(id, outage)| (*id, outage)).collect();
        for destination in self.parts.registry.destinations() {
            destination
                .load()
                .note_outage(lasting.get(&destination.webhook.id).copied());
        }
    }

    /// Takes note of how the breakers of other nodes are.
    pub(super) fn take_others(
        &self,
        answer: Result<PeerHealth, StoreError>,
        schedule: &mut Schedule,
        outbox: &mut Outbox,
    ) {
        let PeerHealth { suspensions, outages } = match answer {
            Ok(read) => read,
            Err(error) => {
                warn!(%error, "how other nodes fare with receivers could not be read");
                return;
            }
        };
        self.take_outages(&outages, outbox);
        for record in suspensions
            .iter()
            .filter(|record| record.suspension.reason == SuspensionReason::Breaker)
        {
            let id = record.webhook_id;
            let Some(destination) = self.parts.registry.destination(id) else {
                continue;
            };
            if !destination.load().note_suspension(record) {
                continue;
            }
            let Some(queue) = schedule.existing_queue(id) else {
                continue;
            };
            if record.suspension.until.is_none() {
                outbox.release(queue.give_back_all());
            }
            schedule.reschedule(id);
            schedule.make_runnable(id);
        }
    }
}
