//! Destination of a webhook: everything about sending to it that can be prepared before there is an event.

mod headers;
mod identity;
mod load;
mod standard;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::HeaderMap;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::AttemptRequest;
use switchhook_domain::breaker::Breaker;
use switchhook_domain::quiet::QuietHours;
use switchhook_domain::suspension::suspended_time;
use switchhook_domain::webhook::{DeliveryDefaults, Webhook};
use switchhook_protocol::Signer;

use switchhook_http::address::Address;

pub(crate) use self::headers::headers_of;
pub use self::headers::{EventTemplates, complete_record, pieces_of};
use self::headers::{record, standing_headers};
pub use self::identity::TlsIdentity;
pub use self::load::{Health, HealthChange, Load};
pub use self::standard::{OptOut, StandardSigner};

/// A webhook, ready to be sent to.
#[derive(Debug)]
pub struct Destination {
    pub webhook: Webhook,
    /// Address of its URL, or the reason for which that is unusable.
    pub address: Result<Address, String>,
    /// Signs its deliveries, if they are JWTs.
    pub signer: Option<Signer>,
    /// Signs its deliveries beside the body, if it wants that.
    pub standard: Option<StandardSigner>,
    /// Templates of body and headers.
    pub templates: EventTemplates,
    /// Hours in which nothing is sent to it.
    pub quiet_hours: Option<QuietHours>,
    /// Its client certificate and authority, or the reason for which they are unusable.
    pub identity: Result<Option<TlsIdentity>, String>,
    /// Key of its pooled connections: shared by all webhooks of an origin, unless it has a TLS identity.
    pub connections: Arc<str>,
    /// The headers that every attempt has.
    pub headers: HeaderMap,
    /// Request as attempts store it.
    pub record: AttemptRequest,
    /// The credentials that every attempt sends, in all their spellings, once they are looked for.
    pub(crate) sent: OnceLock<Vec<String>>,
    load: Arc<Load>,
}

impl Destination {
    /// Prepares a webhook. `load` is what this node already has of it in memory.
    #[must_use]
    pub fn new(webhook: Webhook, load: Arc<Load>) -> Self {
        let address = Address::parse(&webhook.hook_url);
        let signer = webhook
            .secret
            .as_ref()
            .filter(|_| webhook.sends_jwt())
            .map(|secret| match webhook.settings.announce_kid {
                true => Signer::with_key_id(secret.expose()),
                false => Signer::new(secret.expose()),
            });
        let standard = StandardSigner::of(&webhook);
        let settings = &webhook.settings;
        let templates = EventTemplates::of(settings);
        let quiet_hours = settings.quiet_hours.as_deref();
        let quiet_hours = quiet_hours.and_then(|text| QuietHours::parse(text).ok());
        let identity = TlsIdentity::of(settings);
        let connections = connections(&webhook, address.as_ref().ok(), &identity);
        let headers = standing_headers(&webhook, address.as_ref().ok());
        let record = record(&webhook, &headers, standard.is_some());
        Self {
            webhook,
            address,
            signer,
            standard,
            templates,
            quiet_hours,
            connections,
            identity,
            headers,
            record,
            sent: OnceLock::new(),
            load,
        }
    }

    /// Its share of this node's memory, and its health.
    #[must_use]
    pub fn load(&self) -> Arc<Load> {
        Arc::clone(&self.load)
    }

    /// True if one more delivery may be handed to the engine.
    #[must_use]
    pub fn has_room(&self, now: Timestamp) -> bool {
        self.load.has_room() && !self.is_suspended(now)
    }

    /// True unless it is paused, disabled, or in its quiet hours.
    #[must_use]
    pub fn may_be_sent_to(&self, now: Timestamp) -> bool {
        !self.webhook.is_paused() && self.quiet_until(now).is_none()
    }

    /// True if nothing is sent to it now: it may not be, or its breaker is open.
    #[must_use]
    pub fn is_suspended(&self, now: Timestamp) -> bool {
        !self.may_be_sent_to(now) || self.breaker().is_open()
    }

    /// End of the quiet hours, if it is in them.
    #[must_use]
    pub fn quiet_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.quiet_hours.as_ref()?.end_at(now)
    }

    /// State of its breaker, as this node knows it.
    #[must_use]
    pub fn breaker(&self) -> Breaker {
        self.load.health.read().breaker
    }

    /// Part of the time from `start` to `end` in which it was suspended.
    #[must_use]
    pub fn suspended_time(&self, start: Timestamp, end: Timestamp) -> Duration {
        if start >= end {
            return Duration::ZERO;
        }
        let quiet = self.quiet_hours.as_ref();
        let quiet = quiet.map_or(Duration::ZERO, |hours| hours.within(start, end));
        // What is both is counted once, as good as that can be told: never more than the whole.
        let suspended = suspended_time(&self.load.health.read().suspensions, start, end);
        (suspended + quiet).min(end.since(start))
    }

    /// Part of the time from `since` to `now` in which it could have been sent to.
    #[must_use]
    pub fn waited(&self, since: Timestamp, now: Timestamp) -> Duration {
        now.since(since).saturating_sub(self.suspended_time(since, now))
    }

    /// True if deliveries with the same order key go one after the other.
    #[must_use]
    pub fn is_ordered(&self, defaults: &DeliveryDefaults) -> bool {
        self.webhook.settings.ordered(defaults)
    }

    /// Limit on an attempt, including the connection.
    #[must_use]
    pub fn timeout(&self, defaults: &DeliveryDefaults) -> Duration {
        self.webhook.settings.timeout(defaults)
    }
}

fn connections(
    webhook: &Webhook,
    address: Option<&Address>,
    identity: &Result<Option<TlsIdentity>, String>,
) -> Arc<str> {
    match (address, identity) {
        (Some(address), Ok(None)) => Arc::clone(&address.origin),
        // Another certificate is another identity: the webhook was changed then.
        _ => format!("webhook {} of {}", webhook.id, webhook.updated_at.as_millis()).into(),
    }
}
