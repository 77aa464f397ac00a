//! Looks for what no change tells: keys that are about to expire, sources by which nothing comes, a server that sends late,
//! a store that cannot be written.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use switchhook_domain::credential::shown_text;
use switchhook_domain::id::{CompanyId, SourceId, WebhookId};
use switchhook_domain::notification::{ExpiringKey, LateServer, Notice, NotificationPayload, SuspectStore};
use switchhook_store::{StoreError, WaitingDelivery, all_pages};
use tracing::{error, info, warn};

use super::Notifications;
use super::message::Message;
use crate::destination::Destination;

/// Interval of checking that the store can be written.
const CHECK_EVERY: Duration = Duration::from_secs(15);

/// Number of those checks per check of everything else.
const LOOK_EVERY: u32 = 4;

/// Time before its expiry from which a key is reported.
pub const EXPIRES_WITHIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Time past its due time after which people are notified of a delivery. It is late before, as the doctor says.
pub const NOTIFIED_AFTER: Duration = Duration::from_secs(120);

/// Webhooks with waiting deliveries checked at a time; the next check continues there.
const WEBHOOKS: u32 = 500;

/// Bound on the subjects remembered as reported.
const MOST_TOLD: usize = 10_000;

/// Last event of each source, until it is written to the store.
#[derive(Debug, Default)]
pub struct LastEvents(Mutex<HashMap<SourceId, Timestamp>>);

impl LastEvents {
    /// An event came in.
    pub fn note(&self, source_id: SourceId, at: Timestamp) {
        self.0.lock().insert(source_id, at);
    }

    fn take(&self) -> Vec<(SourceId, Timestamp)> {
        self.0.lock().drain().collect()
    }
}

/// Watches for as long as it is polled.
pub(super) async fn run(notifications: &Notifications) {
    let mut watch = WatchState::new(notifications);
    let mut looks = 0_u32;
    loop {
        tokio::time::sleep(CHECK_EVERY).await;
        watch.look_at_store().await;
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(LOOK_EVERY)
            && let Err(error) = watch.look().await
        {
            warn!(%error, "due notifications could not be looked up; the next try is in a minute");
        }
    }
}

/// State kept from one check to the next.
pub struct WatchState<'n> {
    parts: &'n Notifications,
    /// Problem of the store, and since when.
    trouble: Option<(Timestamp, String)>,
    /// Up to which webhook it was looked for late deliveries, and which of them is late for longest.
    looked_to: Option<WebhookId>,
    latest: Option<WaitingDelivery>,
    is_late: bool,
    /// Reported subjects, so that not every check writes a notice.
    told: BTreeSet<String>,
}

impl<'n> WatchState<'n> {
    /// Nothing was seen yet.
    #[must_use]
    pub const fn new(parts: &'n Notifications) -> Self {
        Self {
            parts,
            trouble: None,
            looked_to: None,
            latest: None,
            is_late: false,
            told: BTreeSet::new(),
        }
    }

    /// Looks whether the store can be written. What cannot be written down is told to the operator's command at once, and to
    /// everybody else when it can be.
    pub async fn look_at_store(&mut self) {
        let checked = self.parts.store.check().await;
        let now = self.parts.clock.now();
        match (checked, self.trouble.take()) {
            (Ok(()), None) => {}
            (Ok(()), Some((since, problem))) => {
                info!("the store can be written again");
                let payload = NotificationPayload::StoreTrouble(SuspectStore {
                    problem: problem.clone(),
                    since,
                    until: Some(now),
                });
                if self
                    .parts
                    .store
                    .add_notice(Notice::new(None, now, payload))
                    .await
                    .is_err()
                {
                    self.trouble = Some((since, problem));
                }
            }
            (Err(_), Some(trouble)) => self.trouble = Some(trouble),
            (Err(failed), None) => {
                error!(%failed, "the store cannot be written");
                let problem = shown_text(&failed.to_string()).into_owned();
                self.trouble = Some((now, problem.clone()));
                self.tell_command(problem, now).await;
            }
        }
    }

    async fn tell_command(&self, problem: String, now: Timestamp) {
        if !self.parts.sender.has_command() {
            return;
        }
        let payload = NotificationPayload::StoreTrouble(SuspectStore {
            problem,
            since: now,
            until: None,
        });
        let message = Message {
            id: String::new(),
            kind: payload.kind().as_str(),
            at: now,
            company_id: None,
            text: payload.text(now, 1),
            data: payload.data(),
        };
        if let Err(not_sent) = self.parts.sender.run_command(&message).await {
            warn!(%not_sent, kind = message.kind, "a notification was not sent");
        }
    }

    /// Looks for everything else.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn look(&mut self) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        self.look_at_sources(now).await?;
        self.look_at_keys(now).await?;
        self.look_at_lateness(now).await
    }

    async fn look_at_sources(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(silent) = self.parts.source_silent else {
            return Ok(());
        };
        let last = self.parts.last_events.take();
        if !last.is_empty() {
            self.parts.store.note_last_events(last).await?;
        }
        for (company_id, source) in self.parts.store.silent_sources(now.minus(silent)).await? {
            self.tell_once(company_id, NotificationPayload::SourceSilent(source), now)
                .await?;
        }
        Ok(())
    }

    async fn look_at_keys(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let soon = now.plus(EXPIRES_WITHIN);
        let keys = all_pages(|page| self.parts.store.list_keys(None, page)).await?;
        for key in keys.into_iter().filter(|key| key.is_valid_at(now)) {
            if let Some(expires_at) = key.expires_at.filter(|end| *end <= soon) {
                let payload = NotificationPayload::KeyExpiring(ExpiringKey {
                    key_id: key.id,
                    name: key.name,
                    expires_at,
                });
                self.tell_once(key.company_id, payload, now).await?;
            }
        }
        Ok(())
    }

    async fn tell_once(
        &mut self,
        company_id: CompanyId,
        payload: NotificationPayload,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let subject = payload.subject();
        if self.told.contains(&subject) {
            return Ok(());
        }
        let notice = Notice::new(Some(company_id), now, payload);
        self.parts.store.add_notice(notice).await?;
        if self.told.len() >= MOST_TOLD {
            // The store knows too what was told.
            self.told.clear();
        }
        self.told.insert(subject);
        Ok(())
    }

    /// Looks at some of the webhooks that wait, and judges once all were looked at.
    async fn look_at_lateness(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let page = self
            .parts
            .store
            .pending_webhooks(self.looked_to, WEBHOOKS)
            .await?;
        for pending in &page {
            let destination = self.parts.registry.destination(pending.webhook_id);
            if let Some(destination) = destination.filter(|destination| is_sent_to(destination, now)) {
                let waiting = self.parts.store.longest_waiting(pending.webhook_id).await?;
                let late = waiting.filter(|waiting| destination.waited(waiting.since, now) >= NOTIFIED_AFTER);
                self.latest = self
                    .latest
                    .into_iter()
                    .chain(late)
                    .min_by_key(|waiting| waiting.since);
            }
        }
        self.looked_to = page.last().map(|pending| pending.webhook_id);
        if page.len() == WEBHOOKS as usize {
            return Ok(());
        }
        self.looked_to = None;
        let latest = self.latest.take();
        let was_late = std::mem::replace(&mut self.is_late, latest.is_some());
        if let Some(waiting) = latest.filter(|_| !was_late) {
            let payload = NotificationPayload::ServerLate(LateServer {
                delivery_id: waiting.delivery_id,
                due_since: waiting.since,
            });
            self.parts
                .store
                .add_notice(Notice::new(None, now, payload))
                .await?;
        }
        Ok(())
    }
}

/// True if nothing holds its deliveries back: no pause, quiet hours, open breaker or rate limit.
fn is_sent_to(destination: &Destination, now: Timestamp) -> bool {
    !destination.is_suspended(now) && destination.webhook.settings.rate.is_none()
}
