//! What a breaker's turns lead to: holding back when it opens, catching up when the receiver works again, and giving up
//! on a receiver that failed for days, if that is wanted.

use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::breaker::{Breaker, Transition};
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::suspension::SuspensionReason;
use switchhook_domain::webhook::WebhookChange;
use switchhook_store::{DeliveryFilter, PageRequest, Store, StoreError, SuspensionRecord};
use tokio::time::Instant;
use tracing::{info, warn};

use super::dispatch::{Dispatcher, News};

/// How many retries one commit makes due.
const SLICE: u32 = 1_000;

/// How often a node looks how the breakers of the others are.
const HEAR_EVERY: Duration = Duration::from_secs(2);

/// For how long it is told that a breaker has closed.
const TOLD_FOR: Duration = Duration::from_secs(60);

impl Dispatcher {
    /// Acts on what the end of an attempt did to a webhook's breaker.
    pub(super) fn take_transition(
        &mut self,
        id: WebhookId,
        transition: Transition,
        breaker: Breaker,
        now: Timestamp,
    ) {
        match transition {
            Transition::None => return,
            Transition::Opened => {
                if let Breaker::Open {
                    since,
                    probe_at,
                    failures,
                } = breaker
                    && since == now
                {
                    warn!(webhook_id = %id, failures, %probe_at, "breaker opened: the receiver fails again and again");
                }
                self.disable_if_hopeless(id, breaker, now);
                let back = self.lane(id).give_back_all();
                self.outbox.release(back);
            }
            Transition::Recovered => {
                info!(webhook_id = %id, "the receiver works again: waiting retries go now");
                self.make_retries_due(id, now);
            }
        }
        self.save_breaker(id, breaker, now);
        self.reschedule(id);
    }

    fn save_breaker(&self, id: WebhookId, breaker: Breaker, now: Timestamp) {
        let store = Arc::clone(&self.parts.store);
        self.spawn(async move {
            if let Err(error) = store.save_breaker(id, breaker, now).await {
                warn!(%error, webhook_id = %id, "how the breaker is could not be stored: a restart will not know it");
            }
        });
    }

    /// Pauses a webhook whose receiver has failed for longer than it may.
    fn disable_if_hopeless(&self, id: WebhookId, breaker: Breaker, now: Timestamp) {
        let (Breaker::Open { since, .. }, Some(destination)) = (breaker, self.parts.registry.destination(id))
        else {
            return;
        };
        let webhook = &destination.webhook;
        let patience = webhook.settings.disable_after(&self.parts.defaults);
        if webhook.paused_at.is_some() || patience.is_none_or(|patience| now.since(since) < patience) {
            return;
        }
        let (store, registry) = (Arc::clone(&self.parts.store), Arc::clone(&self.parts.registry));
        let company_id = webhook.company_id;
        let has_others = self.has_others();
        self.spawn(async move {
            // Another node may well reach what this one does not.
            if has_others && !matches!(delivered_since(&*store, company_id, id, since).await, Ok(false)) {
                return;
            }
            warn!(
                webhook_id = %id, failing_since = %since,
                "webhook disabled: no attempt succeeded for longer than it allows. Nothing is lost: resume it once the \
                 receiver works"
            );
            let change = WebhookChange {
                paused_at: Some(Some(now)),
                disabled: true,
                ..WebhookChange::default()
            };
            let disabled = store.update_webhook(company_id, id, change, now).await;
            if let Err(error) = disabled.and(registry.refresh(company_id).await) {
                warn!(%error, webhook_id = %id, "the webhook could not be disabled: tried again at the next probe");
            }
        });
    }

    /// Asks how the breakers of other nodes are, if there are any.
    pub(super) fn hear_of_holds(&mut self) {
        if !self.has_others() || Instant::now() < self.next_hearing {
            return;
        }
        self.next_hearing = Instant::now() + HEAR_EVERY;
        let (store, news) = (Arc::clone(&self.parts.store), self.news.clone());
        let since = self.parts.clock.now().minus(TOLD_FOR);
        self.spawn(async move {
            let answer = store.list_suspensions(None, since).await;
            let _ = news.send(News::Suspended(answer)).await;
        });
    }

    pub(super) fn take_suspensions(&mut self, answer: Result<Vec<SuspensionRecord>, StoreError>) {
        let suspended = match answer {
            Ok(suspended) => suspended,
            Err(error) => {
                warn!(%error, "how other nodes fare with receivers could not be read");
                return;
            }
        };
        for record in suspended
            .iter()
            .filter(|record| record.suspension.reason == SuspensionReason::Breaker)
        {
            let id = record.webhook_id;
            let Some(destination) = self.parts.registry.destination(id) else {
                continue;
            };
            if !destination.load().hear(record) || !self.lanes.contains_key(&id) {
                continue;
            }
            if record.suspension.until.is_none() {
                let back = self.lane(id).give_back_all();
                self.outbox.release(back);
            }
            self.reschedule(id);
            self.give_turn(id);
        }
    }

    fn make_retries_due(&self, id: WebhookId, now: Timestamp) {
        let (store, news) = (Arc::clone(&self.parts.store), self.news.clone());
        self.spawn(async move {
            let answer = store.make_retries_due(id, now, SLICE).await;
            let _ = news
                .send(News::MadeDue {
                    webhook_id: id,
                    answer,
                })
                .await;
        });
    }

    pub(super) fn take_made_due(&self, id: WebhookId, answer: &Result<usize, StoreError>) {
        match answer {
            Ok(made) if *made == SLICE as usize => self.make_retries_due(id, self.parts.clock.now()),
            Ok(_) => {}
            Err(error) => {
                warn!(%error, webhook_id = %id, "waiting retries could not be hurried: they go when due");
            }
        }
    }
}

/// Whether the last delivery that a webhook took came after `since`.
async fn delivered_since(
    store: &dyn Store,
    company_id: CompanyId,
    id: WebhookId,
    since: Timestamp,
) -> Result<bool, StoreError> {
    let filter = DeliveryFilter {
        webhook_id: Some(id),
        state: Some(StateName::Delivered),
        ..DeliveryFilter::default()
    };
    let mut page = PageRequest::first(1);
    loop {
        let read = store.list_deliveries(company_id, filter.clone(), page).await?;
        match (read.items.first(), read.next) {
            (Some(last), _) => return Ok(last.state.at() > since),
            (None, Some(next)) => page.after = Some(next),
            (None, None) => return Ok(false),
        }
    }
}
