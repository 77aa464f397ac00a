//! How to send to one webhook: everything that can be worked out before there is an event.

mod identity;
mod own_headers;
mod standard;

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use parking_lot::RwLock;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{AttemptRequest, HeaderRecord, OutcomeClass};
use switchhook_domain::breaker::{Breaker, Transition};
use switchhook_domain::credential::{MASK, is_credential, shown_url};
use switchhook_domain::outage::{Outage, Streak, StreakChange};
use switchhook_domain::quiet::QuietHours;
use switchhook_domain::suspension::{Suspension, SuspensionReason, suspended_time};
use switchhook_domain::template::{Template, TemplateError};
use switchhook_domain::webhook::{Authentication, DeliveryDefaults, Webhook};
use switchhook_protocol::{Signer, headers};
use switchhook_store::SuspensionRecord;

use switchhook_http::address::Address;

pub use self::identity::TlsIdentity;
use self::own_headers::add_places;
pub use self::own_headers::{EventHeaders, KEY, add_key};
use self::standard::SIGNATURE;
pub use self::standard::{StandardSigner, Unwanted, told};
use crate::delivery::Sent;

/// How we introduce ourselves.
const OUR_NAME: &str = concat!("Switchhook/", env!("CARGO_PKG_VERSION"));

/// A webhook, ready to be sent to.
#[derive(Debug)]
pub struct Destination {
    /// The webhook.
    pub webhook: Webhook,
    /// Where its URL leads, or why it leads nowhere.
    pub address: Result<Address, String>,
    /// Signs its deliveries, if they are JWTs.
    pub signer: Option<Signer>,
    /// Signs its deliveries beside the body, if it wants that.
    pub standard: Option<StandardSigner>,
    /// Makes the bodies of its deliveries, if it has one.
    pub template: Option<Result<Template, TemplateError>>,
    /// Makes the headers that it wants from each event, if it wants any.
    pub event_headers: EventHeaders,
    /// When it is sent nothing, if there is such a time.
    pub quiet_hours: Option<QuietHours>,
    /// What it has of its own of TLS, or why that cannot be used.
    pub identity: Result<Option<TlsIdentity>, String>,
    /// What its connections are kept under: they are shared by all webhooks of an origin, unless it has something of its own.
    pub connections: Arc<str>,
    /// The headers that every attempt has.
    pub headers: HeaderMap,
    /// What is kept of its requests.
    pub record: AttemptRequest,
    /// The credentials that every attempt sends, if those are always the same.
    pub(crate) sent: OnceLock<Sent>,
    load: Arc<Load>,
}

/// How many of a webhook's deliveries are in this node's memory, and how many may be. Shared by who accepts events
/// (asks) and by the engine (decides); outlives changes of the webhook.
#[derive(Debug)]
pub struct Load {
    /// How many are handed over now.
    pub handed_over: AtomicU32,
    /// How many bytes those have.
    pub bytes: AtomicUsize,
    /// How many deliveries may be.
    pub allowance: AtomicU32,
    /// When it was suspended lately, and whether its breaker is open.
    pub health: RwLock<Health>,
}

/// What is known of how sending to a webhook went.
#[derive(Debug, Default)]
pub struct Health {
    /// When it was paused or its breaker was open, oldest first.
    pub suspensions: Vec<Suspension>,
    /// How its breaker is.
    pub breaker: Breaker,
    /// The attempts that failed since the last success.
    streak: Streak,
    /// Whether somebody asked to have it tried now: the next success lets everything go that waits.
    is_retry_asked: bool,
    /// When this node last sent to it with success.
    succeeded_at: Option<Timestamp>,
}

/// What the end of an attempt did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// To the breaker.
    pub transition: Transition,
    /// To the outage.
    pub outage: StreakChange,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            handed_over: AtomicU32::new(0),
            bytes: AtomicUsize::new(0),
            allowance: AtomicU32::new(INITIAL_ALLOWANCE),
            health: RwLock::default(),
        }
    }
}

/// How many suspensions of a webhook are remembered.
const MOST_SUSPENSIONS: usize = 256;

/// What a webhook may have in memory before the engine knows it.
const INITIAL_ALLOWANCE: u32 = 256;

impl Health {
    /// Notes how an attempt ended; `has_breaker`: whether failures open the webhook's breaker.
    pub fn note(&mut self, class: OutcomeClass, has_breaker: bool, now: Timestamp) -> Noted {
        let mut transition = match has_breaker {
            true => self.note_breaker(class, now),
            false => Transition::None,
        };
        if class.is_success() {
            self.succeeded_at = self.succeeded_at.max(Some(now));
            if std::mem::take(&mut self.is_retry_asked) {
                transition = Transition::Recovered;
            }
        }
        let outage = self.streak.note(class, self.breaker.is_open(), now);
        Noted { transition, outage }
    }

    fn note_breaker(&mut self, class: OutcomeClass, now: Timestamp) -> Transition {
        let was_open = self.breaker.is_open();
        let transition = self.breaker.note(class, now);
        match self.breaker {
            Breaker::Open { since, .. } if !was_open => self.open(SuspensionReason::Breaker, since),
            Breaker::Closed { .. } if was_open => self.close(SuspensionReason::Breaker, now),
            _ => {}
        }
        transition
    }

    /// Somebody wants it tried now: an open breaker lets one attempt through at once.
    pub fn ask_to_retry(&mut self, now: Timestamp) {
        self.is_retry_asked = true;
        self.breaker.probe_at_once(now);
    }

    /// What made its attempts fail may be mended: its breaker, if it is open, is closed.
    pub fn give_another_chance(&mut self, now: Timestamp) {
        if self.breaker.is_open() {
            self.breaker = Breaker::default();
            self.close(SuspensionReason::Breaker, now);
        }
    }

    fn open(&mut self, reason: SuspensionReason, from: Timestamp) {
        if self.suspensions.len() >= MOST_SUSPENSIONS {
            self.suspensions.remove(0);
        }
        self.suspensions.push(Suspension {
            reason,
            from,
            until: None,
        });
    }

    fn close(&mut self, reason: SuspensionReason, until: Timestamp) {
        for suspension in self
            .suspensions
            .iter_mut()
            .filter(|suspension| suspension.reason == reason && suspension.until.is_none())
        {
            suspension.until = Some(until);
        }
    }
}

impl Load {
    /// Takes note of a suspension of an earlier life.
    pub(crate) fn remember(&self, record: &SuspensionRecord) {
        let mut health = self.health.write();
        if !health.suspensions.contains(&record.suspension) {
            health.suspensions.push(record.suspension);
        }
        if let Some(breaker) = record.breaker() {
            health.breaker = breaker;
        }
    }

    /// Takes note of how the breaker of another node is, and answers whether that changes anything here.
    ///
    /// One that opened counts unless this node has had a success since; its probes need not be made twice. One that closed
    /// after this one opened says that the receiver works again.
    pub(crate) fn hear(&self, record: &SuspensionRecord) -> bool {
        let mut health = self.health.write();
        match (record.suspension.until, health.breaker, record.breaker()) {
            (None, Breaker::Closed { .. }, Some(theirs)) => {
                let is_news = health.succeeded_at.is_none_or(|at| at < record.suspension.from);
                if is_news {
                    health.breaker = theirs;
                    health.open(SuspensionReason::Breaker, record.suspension.from);
                }
                is_news
            }
            (None, ours @ Breaker::Open { .. }, Some(theirs)) if theirs.not_before() > ours.not_before() => {
                health.breaker = theirs;
                true
            }
            (Some(until), Breaker::Open { since, .. }, _)
                if record.suspension.reason == SuspensionReason::Breaker && since <= until =>
            {
                health.breaker = Breaker::default();
                health.close(SuspensionReason::Breaker, until);
                true
            }
            _ => false,
        }
    }

    /// Takes note of the outage that lasts, or that none does, as the store knows it.
    pub(crate) fn hear_outage(&self, lasting: Option<&Outage>) {
        let is_news = lasting.is_some() || self.health.read().streak.is_outage();
        if is_news {
            self.health.write().streak.hear(lasting);
        }
    }

    /// Takes note that the webhook was paused or resumed.
    pub(crate) fn pause_changed(&self, before: Option<Timestamp>, webhook: &Webhook) {
        match (before, webhook.paused_at) {
            (None, Some(since)) => self.health.write().open(SuspensionReason::Paused, since),
            (Some(_), None) => self
                .health
                .write()
                .close(SuspensionReason::Paused, webhook.updated_at),
            _ => {}
        }
    }

    /// Whether one more delivery may be handed over.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.handed_over.load(Ordering::Relaxed) < self.allowance.load(Ordering::Relaxed)
    }
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
        let template = settings.template.as_deref();
        let template = template.map(|text| Template::parse(text, settings.content_type.as_deref()));
        let event_headers = EventHeaders::of(settings);
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
            template,
            event_headers,
            quiet_hours,
            connections,
            identity,
            headers,
            record,
            sent: OnceLock::new(),
            load,
        }
    }

    /// What this node has of it in memory.
    #[must_use]
    pub fn load(&self) -> Arc<Load> {
        Arc::clone(&self.load)
    }

    /// Whether one more delivery may be handed over to the engine.
    #[must_use]
    pub fn has_room(&self, now: Timestamp) -> bool {
        self.load.has_room() && !self.is_suspended(now)
    }

    /// Whether its owner lets it be sent to: it is not paused, and it is none of its quiet hours.
    #[must_use]
    pub fn may_be_sent_to(&self, now: Timestamp) -> bool {
        self.webhook.paused_at.is_none() && self.quiet_until(now).is_none()
    }

    /// Whether nothing is sent to it for now: it may not be, or its breaker is open.
    #[must_use]
    pub fn is_suspended(&self, now: Timestamp) -> bool {
        !self.may_be_sent_to(now) || self.breaker().is_open()
    }

    /// Whether every attempt sends the same credentials.
    pub(crate) fn credentials_stand(&self) -> bool {
        let has_token = matches!(self.webhook.settings.auth.0, Some(Authentication::Oauth2 { .. }));
        self.event_headers.is_empty() && self.standard.is_none() && !has_token
    }

    /// When its quiet hours end, if it is one of them.
    #[must_use]
    pub fn quiet_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.quiet_hours.as_ref()?.end_at(now)
    }

    /// How its breaker is, as this node knows it.
    #[must_use]
    pub fn breaker(&self) -> Breaker {
        self.load.health.read().breaker
    }

    /// How long of the time from `start` to `end` it was suspended.
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

    /// How long of the time from `since` to `now` something could have been sent to it.
    #[must_use]
    pub fn waited(&self, since: Timestamp, now: Timestamp) -> Duration {
        now.since(since).saturating_sub(self.suspended_time(since, now))
    }

    /// Whether deliveries with the same order key go one after the other.
    #[must_use]
    pub fn is_ordered(&self, defaults: &DeliveryDefaults) -> bool {
        self.webhook.settings.ordered(defaults)
    }

    /// How long an attempt may take, connection included.
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

/// The `Authorization` that a webhook always has.
fn authorization(auth: Option<&Authentication>) -> Option<HeaderValue> {
    let text = match auth? {
        Authentication::Bearer { token } => format!("Bearer {token}"),
        Authentication::Basic { username, password } => {
            format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
        }
        Authentication::Oauth2 { .. } | Authentication::Mtls { .. } => return None,
    };
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What is kept of the requests to a webhook: credentials are left out.
fn record(webhook: &Webhook, headers: &HeaderMap, has_signature: bool) -> AttemptRequest {
    let shown = headers
        .iter()
        .filter(|(name, _)| *name != HOST)
        .map(|(name, value)| {
            let text = if value.is_sensitive() {
                MASK.into()
            } else {
                String::from_utf8_lossy(value.as_bytes())
            };
            (sent_name(name), text)
        });
    // It differs with each attempt, and can be made again by whoever has the secret.
    let signature = has_signature.then(|| (sent_name(&SIGNATURE), MASK.into()));
    let has_token = matches!(webhook.settings.auth.0, Some(Authentication::Oauth2 { .. }));
    let token = has_token.then(|| (sent_name(&AUTHORIZATION), MASK.into()));
    let shown = shown.chain(signature).chain(token);
    AttemptRequest {
        url: shown_url(&webhook.hook_url).into(),
        headers: HeaderRecord::of(shown),
    }
}

/// A header's name as it is sent over HTTP/1.1, each word with a capital: some receivers compare letter by letter.
#[must_use]
pub fn sent_name(name: &HeaderName) -> String {
    let mut sent = String::with_capacity(name.as_str().len());
    for letter in name.as_str().chars() {
        let is_first = sent.is_empty() || sent.ends_with('-');
        sent.push(if is_first {
            letter.to_ascii_uppercase()
        } else {
            letter
        });
    }
    sent
}

fn standing_headers(webhook: &Webhook, address: Option<&Address>) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(10 + webhook.settings.headers.len());
    for (name, value) in &webhook.settings.headers {
        if let (Ok(name), Ok(mut value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            value.set_sensitive(is_credential(name.as_str()));
            map.insert(name, value);
        }
    }
    add_places(&mut map, &webhook.settings);
    // Some frameworks refuse, or answer with a page, who does not say what he takes.
    map.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    let content_type = match (webhook.sends_jwt(), &webhook.settings.jwt_content_type) {
        (false, _) => webhook
            .settings
            .content_type
            .as_deref()
            .unwrap_or(headers::CONTENT_TYPE_JSON),
        (true, Some(own)) => own,
        (true, None) => headers::CONTENT_TYPE_JWT,
    };
    let fallback = HeaderValue::from_static(headers::CONTENT_TYPE_JWT);
    map.insert(
        CONTENT_TYPE,
        HeaderValue::from_str(content_type).unwrap_or(fallback),
    );
    map.insert(USER_AGENT, HeaderValue::from_static(OUR_NAME));
    if let Some(address) = address {
        map.insert(HOST, address.host_header.clone());
        if let Some(authorization) = &address.authorization {
            map.entry(AUTHORIZATION).or_insert_with(|| authorization.clone());
        }
    }
    if let Some(authorization) = authorization(webhook.settings.auth.0.as_ref()) {
        map.insert(AUTHORIZATION, authorization);
    }
    map
}

#[cfg(test)]
mod tests {
    use switchhook_domain::id::WebhookId;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// What another node tells of its breaker.
    fn theirs(from: i64, until: Option<i64>, probe: i64) -> SuspensionRecord {
        SuspensionRecord {
            webhook_id: WebhookId(1),
            suspension: Suspension {
                reason: SuspensionReason::Breaker,
                from: at(from),
                until: until.map(at),
            },
            probe_at: Some(at(probe)),
            failures: 10,
        }
    }

    #[test]
    fn a_breaker_that_opened_elsewhere_counts_unless_sending_went_well_since() {
        let load = Load::default();
        assert!(load.hear(&theirs(100, None, 105)));
        assert_eq!(load.health.read().breaker.not_before(), Some(at(105)));
        assert!(load.hear(&theirs(100, None, 110)), "the other node has probed");
        assert!(!load.hear(&theirs(100, None, 105)), "which this one knows");
        assert!(load.hear(&theirs(100, Some(120), 110)));
        assert!(!load.health.read().breaker.is_open());
        assert_eq!(
            suspended_time(&load.health.read().suspensions, at(0), at(200)),
            Duration::from_secs(20)
        );
        load.health.write().note(OutcomeClass::Accepted, true, at(130));
        assert!(!load.hear(&theirs(125, None, 140)), "it went well after that");
    }

    #[test]
    fn what_another_breaker_did_before_this_one_opened_says_nothing() {
        let load = Load::default();
        for _ in 0..10 {
            load.health.write().note(OutcomeClass::Failed, true, at(100));
        }
        assert!(!load.hear(&theirs(50, Some(90), 60)));
        assert!(load.health.read().breaker.is_open());
    }

    #[test]
    fn names_of_headers_are_sent_with_capitals() {
        for (name, expected) in [
            ("switchhook-event-id", "Switchhook-Event-Id"),
            ("x--api-key", "X--Api-Key"),
            ("etag", "Etag"),
        ] {
            assert_eq!(sent_name(&HeaderName::from_static(name)), expected);
        }
    }
}
