//! Notifications: what people are told when something goes wrong, and when it is right again.
//!
//! Owns the kinds, when one is said and when it is held back, and what becomes of it. What each says is
//! `notification/payload.rs`; where they go is `notification/channel.rs`.

mod channel;
mod payload;

use std::time::Duration;

use switchhook_protocol::{Timestamp, spelled_enum};

use crate::id::{ChannelId, CompanyId, NotificationId};

pub use channel::{Channel, ChannelChange, ChannelType, MOST_CHANNELS, MOST_RECIPIENTS};
pub use payload::{
    ExpiringKey, FailingWebhook, GivenUpDelivery, LateServer, NotificationPayload, RefusingSource,
    SilentSource, SuspectStore, WebhookInfo,
};

spelled_enum! {
    /// Kind of a notification.
    pub enum NotificationKind: "kind of notification" {
        /// A webhook's receiver fails again and again.
        WebhookFailing = "webhook.failing",
        /// The receiver works again.
        WebhookRecovered = "webhook.recovered",
        /// A webhook was disabled, because its receiver had failed for too long or asked for it.
        WebhookDisabled = "webhook.disabled",
        /// Deliveries were given up.
        DeliveryExhausted = "delivery.exhausted",
        /// A source refused what came in.
        SourceRefusing = "source.refusing",
        /// Nothing comes in by a source any more.
        SourceSilent = "source.silent",
        /// The server sends later than it should.
        ServerLate = "server.late",
        /// The store cannot be written, or is about to be full.
        StoreTrouble = "store.trouble",
        /// A key is about to expire.
        KeyExpiring = "key.expiring",
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// Time for which people may be left with an outdated notification: that a webhook works again, while it fails.
pub const WRONG_FOR: Duration = MINUTE.saturating_mul(5);

impl NotificationKind {
    /// Kinds of a channel for a list, or that it has all of them.
    #[must_use]
    pub fn list_of(kinds: &[Self]) -> String {
        if Self::ALL.iter().all(|kind| kinds.contains(kind)) {
            return "everything".to_owned();
        }
        let names: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
        names.join(", ")
    }

    /// For how long after one notification nothing more is said of the same subject. What happens meanwhile is counted
    /// and said together afterwards. `None`: a subject is said once.
    #[must_use]
    pub const fn quiet_time(self) -> Option<Duration> {
        Some(match self {
            Self::SourceSilent | Self::KeyExpiring => return None,
            Self::WebhookDisabled => Duration::ZERO,
            Self::WebhookFailing
            | Self::WebhookRecovered
            | Self::DeliveryExhausted
            | Self::ServerLate
            | Self::StoreTrouble => MINUTE.saturating_mul(15),
            Self::SourceRefusing => MINUTE.saturating_mul(60),
        })
    }

    /// The kind that takes this one back. If one is still to be said when the other happens, neither is.
    #[must_use]
    pub const fn opposite(self) -> Option<Self> {
        match self {
            Self::WebhookFailing => Some(Self::WebhookRecovered),
            Self::WebhookRecovered => Some(Self::WebhookFailing),
            _ => None,
        }
    }

    /// True if it concerns the whole server, and so only its operator.
    #[must_use]
    pub const fn is_the_operators(self) -> bool {
        matches!(self, Self::ServerLate | Self::StoreTrouble)
    }
}

/// Something that people should be told of, as whoever finds it says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Company; `None` for the operator of the server.
    pub company_id: Option<CompanyId>,
    /// Time of the event.
    pub at: Timestamp,
    /// Number of times it happened.
    pub count: u32,
    pub payload: NotificationPayload,
}

impl Notice {
    /// Something that happened once.
    #[must_use]
    pub const fn new(company_id: Option<CompanyId>, at: Timestamp, payload: NotificationPayload) -> Self {
        Self {
            company_id,
            at,
            count: 1,
            payload,
        }
    }

    /// Something that happened so many times.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self { count, ..self }
    }
}

/// The newest notification of the same kind and subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatestNotification {
    /// It is not handed to the channels yet.
    Open(NotificationId),
    /// It was handed out then.
    HandedOut(Timestamp),
}

/// Treatment of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// It counts with one that is still to be said.
    Joins(NotificationId),
    /// It becomes a notification, to be handed to the channels then.
    New { due_at: Timestamp },
    /// Neither it nor the one that it takes back is said.
    Cancels(NotificationId),
    /// It was said, and is not said again.
    Known,
}

/// Decides what becomes of a notice, given the newest notifications of its subject: of its kind, and of the opposite kind.
#[must_use]
pub fn placement(
    kind: NotificationKind,
    newest: Option<LatestNotification>,
    opposite: Option<LatestNotification>,
    now: Timestamp,
) -> Placement {
    match (opposite, newest) {
        (Some(LatestNotification::Open(id)), _) => Placement::Cancels(id),
        (_, Some(LatestNotification::Open(id))) => Placement::Joins(id),
        (_, Some(LatestNotification::HandedOut(at))) => match kind.quiet_time() {
            Some(quiet) => {
                let mut quiet_until = at.plus(quiet);
                if let Some(LatestNotification::HandedOut(taken_back_at)) = opposite
                    && taken_back_at > at
                {
                    quiet_until = quiet_until.min(taken_back_at.plus(WRONG_FOR));
                }
                Placement::New {
                    due_at: now.max(quiet_until),
                }
            }
            None => Placement::Known,
        },
        (_, None) => Placement::New { due_at: now },
    }
}

/// A notification as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    pub id: NotificationId,
    /// Company; `None` for the operator of the server.
    pub company_id: Option<CompanyId>,
    /// Time of the first occurrence.
    pub at: Timestamp,
    /// Number of occurrences until it is handed out.
    pub count: u32,
    /// Data of the last occurrence.
    pub payload: NotificationPayload,
    /// Time of handing it to the channels.
    pub due_at: Timestamp,
    /// Since when it is; it no longer grows.
    pub handed_out_at: Option<Timestamp>,
}

impl Notification {
    /// Text for people.
    #[must_use]
    pub fn text(&self) -> String {
        self.payload.text(self.at, self.count)
    }
}

/// Recipient of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recipient {
    Channel(ChannelId),
    /// The command that the server runs for its operator.
    Command,
}

impl Recipient {
    /// As it is kept: a channel's id, 0 for the command.
    #[must_use]
    pub const fn as_number(self) -> i64 {
        match self {
            Self::Channel(id) => id.0,
            Self::Command => 0,
        }
    }

    /// Inverse of [`Recipient::as_number`].
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Command,
            id => Self::Channel(ChannelId(id)),
        }
    }
}

/// Progress of a notification at one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub recipient: Recipient,
    /// Number of tries.
    pub attempts: u32,
    /// Time of the next try; `None` if there is none.
    pub due_at: Option<Timestamp>,
    /// Time of arrival.
    pub sent_at: Option<Timestamp>,
    /// Error of the last try.
    pub error: Option<String>,
}

spelled_enum! {
    /// State of a notification at one recipient.
    pub enum SendState: "state of a notification" {
        /// There is a next try.
        Waiting = "waiting",
        /// It arrived.
        Sent = "sent",
        /// It was given up.
        Failed = "failed",
    }
}

impl Progress {
    #[must_use]
    pub const fn state(&self) -> SendState {
        match (self.sent_at, self.due_at) {
            (Some(_), _) => SendState::Sent,
            (None, Some(_)) => SendState::Waiting,
            (None, None) => SendState::Failed,
        }
    }
}

/// Bound on the tries for one recipient, including the first.
pub const MOST_ATTEMPTS: u32 = 12;

/// Pause after this number of failed tries; `None` if it is given up.
///
/// Ten seconds, doubled each time up to an hour: some three and a half hours altogether.
#[must_use]
pub fn delay_after(attempts: u32) -> Option<Duration> {
    if attempts >= MOST_ATTEMPTS {
        return None;
    }
    let doubled = 10_u64.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    Some(Duration::from_secs(doubled.min(3_600)))
}

#[cfg(test)]
mod tests;
