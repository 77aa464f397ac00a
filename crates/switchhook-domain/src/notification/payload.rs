//! News: what a notification says, as data for programs and as a sentence for people.
//!
//! Neither holds a phone number, a message's text or a credential: whoever makes one passes URLs through
//! [`shown_url`](crate::credential::shown_url).

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use switchhook_protocol::Timestamp;

use super::NotificationKind;
use crate::attempt::{Failure, FailureReason};
use crate::credential::shown_url;
use crate::id::{DeliveryId, KeyId, SourceId, WebhookId};

/// Data of a notification. In JSON `{"kind": …, "data": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data")]
pub enum NotificationPayload {
    /// See [`NotificationKind::WebhookFailing`].
    #[serde(rename = "webhook.failing")]
    WebhookFailing(FailingWebhook),
    /// See [`NotificationKind::WebhookRecovered`]; how it had failed.
    #[serde(rename = "webhook.recovered")]
    WebhookRecovered(FailingWebhook),
    /// See [`NotificationKind::WebhookDisabled`].
    #[serde(rename = "webhook.disabled")]
    WebhookDisabled(WebhookInfo),
    /// See [`NotificationKind::DeliveryExhausted`].
    #[serde(rename = "delivery.exhausted")]
    DeliveryExhausted(GivenUpDelivery),
    /// See [`NotificationKind::SourceRefusing`].
    #[serde(rename = "source.refusing")]
    SourceRefusing(RefusingSource),
    /// See [`NotificationKind::SourceSilent`].
    #[serde(rename = "source.silent")]
    SourceSilent(SilentSource),
    /// See [`NotificationKind::ServerLate`].
    #[serde(rename = "server.late")]
    ServerLate(LateServer),
    /// See [`NotificationKind::StoreTrouble`].
    #[serde(rename = "store.trouble")]
    StoreTrouble(SuspectStore),
    /// See [`NotificationKind::KeyExpiring`].
    #[serde(rename = "key.expiring")]
    KeyExpiring(ExpiringKey),
}

/// A webhook, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookInfo {
    #[serde(with = "as_text")]
    pub webhook_id: WebhookId,
    /// Its address, without credentials.
    pub hook_url: String,
}

/// A webhook whose receiver fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingWebhook {
    #[serde(flatten)]
    pub webhook: WebhookInfo,
    /// Since when, in unix milliseconds.
    pub since: Timestamp,
    /// Number of consecutive failures.
    pub attempts: u32,
    /// Last failure.
    #[serde(flatten, with = "in_parts")]
    pub last: Option<Failure>,
}

/// Deliveries that were given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUpDelivery {
    #[serde(flatten)]
    pub webhook: WebhookInfo,
    /// The last of them.
    #[serde(with = "as_text")]
    pub delivery_id: DeliveryId,
    /// Failure of its last attempt.
    #[serde(flatten, with = "in_parts")]
    pub last: Option<Failure>,
}

/// A source that refused what came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusingSource {
    #[serde(with = "as_text")]
    pub source_id: SourceId,
    /// Display name.
    pub name: String,
    /// The HTTP status that was answered, the last time.
    pub status: u16,
}

/// A source by which nothing comes in any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilentSource {
    #[serde(with = "as_text")]
    pub source_id: SourceId,
    /// Display name.
    pub name: String,
    /// Time of its last event, in Unix milliseconds.
    pub last_event_at: Timestamp,
}

/// A server that sends later than it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateServer {
    /// The delivery that is due for longest.
    #[serde(with = "as_text")]
    pub delivery_id: DeliveryId,
    /// Since when it is, in unix milliseconds.
    pub due_since: Timestamp,
}

/// A store that does not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspectStore {
    /// Description of the problem.
    pub problem: String,
    /// Since when, in unix milliseconds.
    pub since: Timestamp,
    /// Until when, once it is over: nothing can be written down before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A key that is about to expire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiringKey {
    #[serde(with = "as_text")]
    pub key_id: KeyId,
    /// Display name.
    pub name: String,
    /// Time, in Unix milliseconds.
    pub expires_at: Timestamp,
}

impl WebhookInfo {
    /// A webhook with this address, whose credentials are left out.
    #[must_use]
    pub fn new(webhook_id: WebhookId, hook_url: &str) -> Self {
        Self {
            webhook_id,
            hook_url: shown_url(hook_url).into_owned(),
        }
    }

    /// "webhook 123 (https://…)".
    fn named(&self) -> String {
        format!("webhook {} ({})", self.webhook_id, self.hook_url)
    }
}

impl NotificationPayload {
    #[must_use]
    pub const fn kind(&self) -> NotificationKind {
        match self {
            Self::WebhookFailing(_) => NotificationKind::WebhookFailing,
            Self::WebhookRecovered(_) => NotificationKind::WebhookRecovered,
            Self::WebhookDisabled(_) => NotificationKind::WebhookDisabled,
            Self::DeliveryExhausted(_) => NotificationKind::DeliveryExhausted,
            Self::SourceRefusing(_) => NotificationKind::SourceRefusing,
            Self::SourceSilent(_) => NotificationKind::SourceSilent,
            Self::ServerLate(_) => NotificationKind::ServerLate,
            Self::StoreTrouble(_) => NotificationKind::StoreTrouble,
            Self::KeyExpiring(_) => NotificationKind::KeyExpiring,
        }
    }

    /// Subject, within a kind: notifications about one subject are joined and limited in frequency.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::WebhookFailing(payload) | Self::WebhookRecovered(payload) => {
                format!("webhook {}", payload.webhook.webhook_id)
            }
            Self::WebhookDisabled(webhook) => format!("webhook {}", webhook.webhook_id),
            Self::DeliveryExhausted(payload) => format!("webhook {}", payload.webhook.webhook_id),
            Self::SourceRefusing(payload) => format!("source {}", payload.source_id),
            // Each silence is said once.
            Self::SourceSilent(payload) => {
                format!("source {} since {}", payload.source_id, payload.last_event_at)
            }
            Self::KeyExpiring(payload) => format!("key {}", payload.key_id),
            Self::ServerLate(_) | Self::StoreTrouble(_) => "server".to_owned(),
        }
    }

    /// Data for programs.
    #[must_use]
    pub fn data(&self) -> Value {
        let mut whole = serde_json::to_value(self).expect("it has no keys but texts");
        whole["data"].take()
    }

    /// Inverse of [`NotificationPayload::kind`] and [`NotificationPayload::data`].
    ///
    /// # Errors
    /// If the data does not fit the kind.
    pub fn from_kept(kind: NotificationKind, data: &str) -> serde_json::Result<Self> {
        let data: Value = serde_json::from_str(data)?;
        serde_json::from_value(json!({"kind": kind, "data": data}))
    }

    /// Text for people about something that happened at `at`, or `count` times from then on.
    #[must_use]
    pub fn text(&self, at: Timestamp, count: u32) -> String {
        match self {
            Self::WebhookFailing(payload) => format!(
                "{} has failed since {}: {} in a row failed; at the last one the receiver {}.",
                capitalized(&payload.webhook.named()),
                time(payload.since),
                counted(payload.attempts, "attempt"),
                last_in_words(payload.last),
            ),
            Self::WebhookRecovered(payload) => format!(
                "{} works again. It had failed for {}, since {}: {} in a row failed; at the last one the receiver {}.",
                capitalized(&payload.webhook.named()),
                span(at.since(payload.since)),
                time(payload.since),
                counted(payload.attempts, "attempt"),
                last_in_words(payload.last),
            ),
            Self::WebhookDisabled(webhook) => format!(
                "{} was disabled, because its receiver had failed for too long or asked for it. Its deliveries wait: resume it once the \
                 receiver works again.",
                capitalized(&webhook.named()),
            ),
            Self::DeliveryExhausted(payload) if count == 1 => format!(
                "Delivery {} to {} was given up: at its last attempt the receiver {}. Redeliver it once the receiver works.",
                payload.delivery_id,
                payload.webhook.named(),
                last_in_words(payload.last),
            ),
            Self::DeliveryExhausted(payload) => format!(
                "{count} deliveries to {} were given up since {}. The last was delivery {}: at its last attempt the \
                 receiver {}. Send them again once it works: `switchhook dead-letters resend`.",
                payload.webhook.named(),
                time(at),
                payload.delivery_id,
                last_in_words(payload.last),
            ),
            Self::SourceRefusing(payload) if count == 1 => format!(
                "Source {} ({}) refused a request at {} with status {}. It is kept: see the source's refusals for the \
                 reason, and retry them.",
                payload.source_id,
                payload.name,
                time(at),
                payload.status,
            ),
            Self::SourceRefusing(payload) => format!(
                "Source {} ({}) refused {count} requests since {}, the last with status {}. They are kept: see the \
                 source's refusals for the reason, and retry them.",
                payload.source_id,
                payload.name,
                time(at),
                payload.status,
            ),
            Self::SourceSilent(payload) => format!(
                "Source {} ({}) has taken no event for {}, since {}. Check that the account still sends to it.",
                payload.source_id,
                payload.name,
                span(at.since(payload.last_event_at)),
                time(payload.last_event_at),
            ),
            Self::ServerLate(payload) => format!(
                "The server sends late: delivery {} has been due for {}, since {}. See `switchhook doctor`.",
                payload.delivery_id,
                span(at.since(payload.due_since)),
                time(payload.due_since),
            ),
            Self::StoreTrouble(payload) => match payload.until {
                None => format!(
                    "The store cannot be written since {}: {}. Nothing is accepted or sent until it can.",
                    time(payload.since),
                    payload.problem,
                ),
                Some(until) => format!(
                    "The store could not be written for {}, since {}: {}. It can again; nothing that was acknowledged is \
                     lost.",
                    span(until.since(payload.since)),
                    time(payload.since),
                    payload.problem,
                ),
            },
            Self::KeyExpiring(payload) => format!(
                "API key {} ({}) expires at {}. Make another one, and replace it before then.",
                payload.key_id,
                payload.name,
                time(payload.expires_at),
            ),
        }
    }
}

fn last_in_words(last: Option<Failure>) -> String {
    last.map_or_else(|| "did not answer".to_owned(), Failure::in_words)
}

/// `2026-11-30 12:04:05 UTC`.
fn time(at: Timestamp) -> String {
    let written = at.to_string();
    match written.split_once('T') {
        Some((day, time)) => format!("{day} {} UTC", &time[..time.len().min(8)]),
        None => written,
    }
}

/// A length of time in its two largest units: `3 h 20 min`.
fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

fn counted(count: u32, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Ids as programs in JavaScript read them without loss, and as the rest of the API shows them.
mod as_text {
    use super::{Deserialize, Deserializer, Display, FromStr, Serializer};

    pub(super) fn serialize<T: Display, S: Serializer>(id: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A failure as two members of which one is there.
mod in_parts {
    use super::{Deserialize, Deserializer, Failure, FailureReason, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Parts {
        /// The status that was answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_status: Option<u16>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_error: Option<FailureReason>,
    }

    #[expect(clippy::ref_option, reason = "serde gives it so")]
    pub(super) fn serialize<S: Serializer>(last: &Option<Failure>, serializer: S) -> Result<S::Ok, S::Error> {
        let (last_status, last_error) = last.map_or((None, None), Failure::parts);
        let parts = Parts {
            last_status,
            last_error,
        };
        parts.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Failure>, D::Error> {
        let parts = Parts::deserialize(deserializer)?;
        Ok(Failure::from_parts(parts.last_status, parts.last_error))
    }
}
