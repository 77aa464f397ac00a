//! What a breaker's transitions lead to: going back to the store when it opens, catching up when the receiver works again,
//! and giving up on a receiver that failed for days, if that is wanted. What a breaker is, is the domain's.

use std::sync::Arc;

use switchhook_domain::Timestamp;
use switchhook_domain::breaker::{Breaker, Transition};
use switchhook_domain::id::WebhookId;
use switchhook_domain::suspension::SuspensionReason;
use switchhook_domain::webhook::DeliveryDefaults;
use switchhook_store::{StoreError, SuspensionRecord};
use tracing::{info, warn};

use super::EngineParts;
use super::outbox::Outbox;
use super::schedule::Schedule;
use super::tasks::Tasks;
use crate::registry::Registry;

/// Follows the breakers of all webhooks.
pub(super) struct Breakers {
    registry: Arc<Registry>,
    defaults: DeliveryDefaults,
}

impl Breakers {
    pub(super) fn new(parts: &EngineParts) -> Self {
        Self {
            registry: Arc::clone(&parts.registry),
            defaults: parts.defaults,
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
                    self.disable_if_hopeless(id, since, now, tasks);
                }
                outbox.release(schedule.queue(id).give_back_all());
            }
            Transition::Recovered => {
                info!(webhook_id = %id, "the receiver works again: waiting retries go now");
                tasks.hurry_retries(id, now);
            }
        }
        tasks.save_breaker(id, breaker, now);
        schedule.reschedule(id);
    }

    /// Pauses a webhook whose receiver has failed `since` then, which is longer than it may.
    fn disable_if_hopeless(&self, id: WebhookId, since: Timestamp, now: Timestamp, tasks: &Tasks) {
        let Some(destination) = self.registry.destination(id) else {
            return;
        };
        let webhook = &destination.webhook;
        let patience = webhook.settings.disable_after(&self.defaults);
        let is_hopeless = patience.is_some_and(|patience| now.since(since) >= patience);
        if webhook.paused_at.is_none() && is_hopeless {
            tasks.disable(webhook, since, now);
        }
    }

    /// Takes note of how the breakers of other nodes are.
    pub(super) fn take_others(
        &self,
        answer: Result<Vec<SuspensionRecord>, StoreError>,
        schedule: &mut Schedule,
        outbox: &mut Outbox,
    ) {
        let records = match answer {
            Ok(records) => records,
            Err(error) => {
                warn!(%error, "how other nodes fare with receivers could not be read");
                return;
            }
        };
        for record in records
            .iter()
            .filter(|record| record.suspension.reason == SuspensionReason::Breaker)
        {
            let id = record.webhook_id;
            let Some(destination) = self.registry.destination(id) else {
                continue;
            };
            if !destination.load().hear(record) {
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
