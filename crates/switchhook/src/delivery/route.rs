//! How to send to one webhook: everything that can be worked out before there is an event.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use http::uri::Scheme;
use parking_lot::RwLock;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{AttemptRequest, HeaderRecord, OutcomeClass};
use switchhook_domain::breaker::{Breaker, Turn};
use switchhook_domain::credential::{is_credential, shown_url};
use switchhook_domain::hold::{Hold, HoldReason, held_time};
use switchhook_domain::webhook::{DeliveryDefaults, Webhook};
use switchhook_protocol::{Signer, headers};
use switchhook_store::HoldRecord;
use url::{Host, Url};

use super::outbound::basic_authorization;

/// How we introduce ourselves.
const OUR_NAME: &str = concat!("Switchhook/", env!("CARGO_PKG_VERSION"));

/// A webhook, ready to be sent to.
#[derive(Debug)]
pub struct Route {
    /// The webhook.
    pub webhook: Webhook,
    /// Where its URL leads, or why it leads nowhere.
    pub endpoint: Result<Endpoint, String>,
    /// Signs its deliveries, if it has a secret.
    pub signer: Option<Signer>,
    /// The headers that every attempt has.
    pub headers: HeaderMap,
    /// What is kept of its requests.
    pub record: AttemptRequest,
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
    /// When it was held lately, and whether its breaker is open.
    pub health: RwLock<Health>,
}

/// What is known of how sending to a webhook went.
#[derive(Debug, Default)]
pub struct Health {
    /// When it was paused or its breaker was open, oldest first.
    pub holds: Vec<Hold>,
    /// How its breaker is.
    pub breaker: Breaker,
    /// When this node last sent to it with success.
    succeeded_at: Option<Timestamp>,
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

/// How many holds of a webhook are remembered.
const MOST_HOLDS: usize = 256;

/// What a webhook may have in memory before the engine knows it.
const INITIAL_ALLOWANCE: u32 = 256;

impl Health {
    /// Notes how an attempt ended.
    pub fn note(&mut self, class: OutcomeClass, now: Timestamp) -> Turn {
        if class == OutcomeClass::Accepted {
            self.succeeded_at = self.succeeded_at.max(Some(now));
        }
        let was_open = self.breaker.is_open();
        let turn = self.breaker.note(class, now);
        match self.breaker {
            Breaker::Open { since, .. } if !was_open => self.open(HoldReason::Breaker, since),
            Breaker::Closed { .. } if was_open => self.close(HoldReason::Breaker, now),
            _ => {}
        }
        turn
    }

    fn open(&mut self, reason: HoldReason, from: Timestamp) {
        if self.holds.len() >= MOST_HOLDS {
            self.holds.remove(0);
        }
        self.holds.push(Hold {
            reason,
            from,
            until: None,
        });
    }

    fn close(&mut self, reason: HoldReason, until: Timestamp) {
        for hold in self
            .holds
            .iter_mut()
            .filter(|hold| hold.reason == reason && hold.until.is_none())
        {
            hold.until = Some(until);
        }
    }
}

impl Load {
    /// Takes note of a hold of an earlier life.
    pub(crate) fn remember(&self, record: &HoldRecord) {
        let mut health = self.health.write();
        if !health.holds.contains(&record.hold) {
            health.holds.push(record.hold);
        }
        if let Some(breaker) = record.breaker() {
            health.breaker = breaker;
        }
    }

    /// Takes note of how the breaker of another node is, and answers whether that changes anything here.
    ///
    /// One that opened counts unless this node has had a success since; its probes need not be made twice. One that closed
    /// after this one opened says that the receiver works again.
    pub(crate) fn hear(&self, record: &HoldRecord) -> bool {
        let mut health = self.health.write();
        match (record.hold.until, health.breaker, record.breaker()) {
            (None, Breaker::Closed { .. }, Some(theirs)) => {
                let is_news = health.succeeded_at.is_none_or(|at| at < record.hold.from);
                if is_news {
                    health.breaker = theirs;
                    health.open(HoldReason::Breaker, record.hold.from);
                }
                is_news
            }
            (None, ours @ Breaker::Open { .. }, Some(theirs)) if theirs.not_before() > ours.not_before() => {
                health.breaker = theirs;
                true
            }
            (Some(until), Breaker::Open { since, .. }, _)
                if record.hold.reason == HoldReason::Breaker && since <= until =>
            {
                health.breaker = Breaker::default();
                health.close(HoldReason::Breaker, until);
                true
            }
            _ => false,
        }
    }

    /// Takes note that the webhook was paused or resumed.
    pub(crate) fn pause_changed(&self, before: Option<Timestamp>, webhook: &Webhook) {
        match (before, webhook.paused_at) {
            (None, Some(since)) => self.health.write().open(HoldReason::Paused, since),
            (Some(_), None) => self.health.write().close(HoldReason::Paused, webhook.updated_at),
            _ => {}
        }
    }

    /// Whether one more delivery may be handed over.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.handed_over.load(Ordering::Relaxed) < self.allowance.load(Ordering::Relaxed)
    }
}

/// The server behind a URL, and the path on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `https` rather than `http`.
    pub is_tls: bool,
    /// The host as the URL names it.
    pub host: Host<String>,
    /// The port.
    pub port: u16,
    /// Scheme, host and port: what connections are shared by.
    pub origin: Arc<str>,
    /// Path and query, as they are.
    pub path: http::Uri,
    /// The `Host` header.
    pub host_header: HeaderValue,
    /// User name and password of the URL as `Authorization`.
    pub authorization: Option<HeaderValue>,
}

impl Endpoint {
    /// The whole URL.
    #[must_use]
    pub fn absolute(&self) -> http::Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if self.is_tls { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = self.host_header.as_bytes().try_into().ok();
        parts.path_and_query = self.path.path_and_query().cloned();
        http::Uri::from_parts(parts).unwrap_or_else(|_| self.path.clone())
    }

    /// Takes a URL apart.
    ///
    /// # Errors
    /// If it is no `http` or `https` URL with a host, in words for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text);
        // What is wrong is told to others too.
        let text = shown_url(text);
        let url = url.map_err(|error| format!("{text} is no URL: {error}"))?;
        let is_tls = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(format!("{text}: the scheme must be https or http, not {other}")),
        };
        let host = url
            .host()
            .ok_or_else(|| format!("{text} names no host"))?
            .to_owned();
        let port = url
            .port_or_known_default()
            .expect("http and https have a default port");
        if port == 0 {
            return Err(format!(
                "{text}: nothing can be reached at port 0; name the receiver's port"
            ));
        }
        let origin = format!("{}://{host}:{port}", url.scheme());
        let authority = url
            .port()
            .map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        let path_and_query = url.query().map_or_else(
            || url.path().to_owned(),
            |query| format!("{}?{query}", url.path()),
        );
        let unusable = |what: &str| format!("{text}: the {what} cannot be put into a request");
        Ok(Self {
            is_tls,
            host,
            port,
            origin: origin.into(),
            path: path_and_query.parse().map_err(|_| unusable("path"))?,
            host_header: HeaderValue::from_str(&authority).map_err(|_| unusable("host"))?,
            authorization: basic_authorization(&url),
        })
    }
}

impl Route {
    /// Prepares a webhook. `load` is what this node already has of it in memory.
    #[must_use]
    pub fn new(webhook: Webhook, load: Arc<Load>) -> Self {
        let endpoint = Endpoint::parse(&webhook.hook_url);
        let signer = webhook
            .secret
            .as_ref()
            .map(|secret| match webhook.settings.announce_kid {
                true => Signer::with_key_id(secret.expose()),
                false => Signer::new(secret.expose()),
            });
        let headers = standing_headers(&webhook, endpoint.as_ref().ok());
        let record = record(&webhook, &headers);
        Self {
            webhook,
            endpoint,
            signer,
            headers,
            record,
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
    pub fn has_room(&self) -> bool {
        self.webhook.paused_at.is_none() && self.load.has_room() && !self.load.health.read().breaker.is_open()
    }

    /// How long of the time from `start` to `end` it was held.
    #[must_use]
    pub fn held_time(&self, start: Timestamp, end: Timestamp) -> Duration {
        if start >= end {
            Duration::ZERO
        } else {
            held_time(&self.load.health.read().holds, start, end)
        }
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

/// What is kept of the requests to a webhook: credentials are left out.
fn record(webhook: &Webhook, headers: &HeaderMap) -> AttemptRequest {
    let shown = headers
        .iter()
        .filter(|(name, _)| *name != HOST)
        .map(|(name, value)| {
            let text = if value.is_sensitive() {
                "***".into()
            } else {
                String::from_utf8_lossy(value.as_bytes())
            };
            (sent_name(name), text)
        });
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

fn standing_headers(webhook: &Webhook, endpoint: Option<&Endpoint>) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(10 + webhook.settings.headers.len());
    for (name, value) in &webhook.settings.headers {
        if let (Ok(name), Ok(mut value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            value.set_sensitive(is_credential(name.as_str()));
            map.insert(name, value);
        }
    }
    // Some frameworks refuse, or answer with a page, who does not say what he takes.
    map.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    let content_type = match (&webhook.secret, &webhook.settings.jwt_content_type) {
        (None, _) => headers::CONTENT_TYPE_JSON,
        (Some(_), Some(own)) => own,
        (Some(_), None) => headers::CONTENT_TYPE_JWT,
    };
    let fallback = HeaderValue::from_static(headers::CONTENT_TYPE_JWT);
    map.insert(
        CONTENT_TYPE,
        HeaderValue::from_str(content_type).unwrap_or(fallback),
    );
    map.insert(USER_AGENT, HeaderValue::from_static(OUR_NAME));
    if let Some(endpoint) = endpoint {
        map.insert(HOST, endpoint.host_header.clone());
        if let Some(authorization) = &endpoint.authorization {
            map.entry(AUTHORIZATION).or_insert_with(|| authorization.clone());
        }
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
    fn theirs(from: i64, until: Option<i64>, probe: i64) -> HoldRecord {
        HoldRecord {
            webhook_id: WebhookId(1),
            hold: Hold {
                reason: HoldReason::Breaker,
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
            held_time(&load.health.read().holds, at(0), at(200)),
            Duration::from_secs(20)
        );
        load.health.write().note(OutcomeClass::Accepted, at(130));
        assert!(!load.hear(&theirs(125, None, 140)), "it went well after that");
    }

    #[test]
    fn what_another_breaker_did_before_this_one_opened_says_nothing() {
        let load = Load::default();
        for _ in 0..10 {
            load.health.write().note(OutcomeClass::Failed, at(100));
        }
        assert!(!load.hear(&theirs(50, Some(90), 60)));
        assert!(load.health.read().breaker.is_open());
    }

    #[test]
    fn the_query_string_stays_intact() {
        let endpoint = Endpoint::parse("https://example.com/hook?token=a%20b&x=1#fragment").unwrap();
        assert_eq!(endpoint.path.to_string(), "/hook?token=a%20b&x=1");
        assert_eq!(endpoint.absolute(), "https://example.com/hook?token=a%20b&x=1");
        assert_eq!(endpoint.host_header, "example.com");
        assert_eq!(&*endpoint.origin, "https://example.com:443");
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

    #[test]
    fn a_user_name_becomes_an_authorization() {
        let endpoint = Endpoint::parse("http://ann:secret@127.0.0.1:8080/").unwrap();
        assert_eq!(endpoint.host_header, "127.0.0.1:8080");
        assert_eq!(endpoint.authorization.unwrap(), "Basic YW5uOnNlY3JldA==");
    }

    #[test]
    fn what_is_no_web_address_is_refused_in_words() {
        for (text, part) in [
            ("ftp://example.com", "scheme"),
            ("nonsense", "no URL"),
            ("https://", "no URL"),
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
