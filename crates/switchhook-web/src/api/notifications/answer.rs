//! Notifications and the channels they go to, as the API shows them, and as whoever asks it reads them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchhook_domain::Timestamp;
use switchhook_domain::credential::MASK;
use switchhook_domain::notification::{
    Channel, ChannelType, NotificationKind, Progress, Recipient, SendState,
};
use switchhook_node::notification::Message;
use switchhook_node::notifications::shown_destination;
use switchhook_store::NotificationRecord;
use utoipa::ToSchema;

use switchhook_ingress::id::IdText;
use switchhook_ingress::words;

/// A notification channel. Its secret is never shown, nor is what in a URL is a credential.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct NotificationChannel {
    pub id: IdText,
    #[serde(rename = "type")]
    #[schema(schema_with = words::channel_type)]
    pub channel_type: ChannelType,
    /// URL that it posts to; of a chat's URL only the host, because the rest is a credential. Absent for `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "https://hooks.slack.com/***")]
    pub url: Option<String>,
    /// The mailboxes; only for `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "ops@example.com")]
    pub to: Option<String>,
    /// `***` if it signs, else null.
    #[schema(required, example = "***")]
    pub secret: Option<String>,
    /// Kinds of notifications that it gets.
    #[schema(schema_with = words::notification_kinds)]
    pub kinds: Vec<NotificationKind>,
    /// Time of creation, in unix milliseconds.
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
}

impl NotificationChannel {
    pub(super) fn of(channel: &Channel) -> Self {
        let is_mail = channel.channel_type == ChannelType::Email;
        Self {
            id: IdText(channel.id.0),
            channel_type: channel.channel_type,
            url: shown_destination(channel),
            to: is_mail.then(|| channel.destination.expose().to_owned()),
            secret: channel.secret.as_ref().map(|_| MASK.to_owned()),
            kinds: channel.kinds.clone(),
            created_at: channel.created_at,
        }
    }
}

/// Result of a test.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct NotificationTest {
    /// True if it arrived.
    pub sent: bool,
    /// Reason for which it did not arrive.
    #[schema(required)]
    pub error: Option<String>,
}

/// Notification that was sent, or waits to be sent.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct NotificationAnswer {
    /// Notification's id, the same in every channel.
    #[schema(value_type = IdText)]
    pub id: String,
    #[schema(schema_with = words::notification_kind)]
    pub kind: String,
    /// Time of the first occurrence, in unix milliseconds.
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// Company; null if it is about the whole server.
    #[schema(required, value_type = Option<IdText>)]
    pub company_id: Option<String>,
    /// Text for people.
    pub text: String,
    /// Data for programs, which depends on the kind; `count` is the number of occurrences.
    #[schema(value_type = Object)]
    pub data: Value,
    /// Time at which it is handed to the channels, if it is held back now, in unix milliseconds.
    #[schema(required, value_type = Option<i64>)]
    pub held_until: Option<Timestamp>,
    /// Progress at each recipient; empty if no channel wanted it.
    pub sends: Vec<NotificationSend>,
}

/// Progress of a notification at one recipient.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct NotificationSend {
    /// The channel; null: the command of `--notify-exec`.
    #[schema(required)]
    pub channel_id: Option<IdText>,
    /// `waiting`, `sent` or `failed`.
    #[schema(schema_with = words::send_state)]
    pub state: SendState,
    /// Number of tries.
    pub attempts: u32,
    /// Time of arrival, in unix milliseconds.
    #[schema(required, value_type = Option<i64>)]
    pub sent_at: Option<Timestamp>,
    /// Time of the next try, in unix milliseconds.
    #[schema(required, value_type = Option<i64>)]
    pub next_attempt_at: Option<Timestamp>,
    /// Error of the last try.
    #[schema(required)]
    pub error: Option<String>,
}

impl NotificationAnswer {
    pub(super) fn of(record: NotificationRecord) -> Self {
        let NotificationRecord {
            notification,
            progress,
        } = record;
        let message = Message::of(&notification);
        Self {
            id: message.id,
            kind: message.kind.to_owned(),
            at: message.at,
            company_id: message.company_id.map(|id| id.to_string()),
            text: message.text,
            data: message.data,
            held_until: notification
                .handed_out_at
                .is_none()
                .then_some(notification.due_at),
            sends: progress.into_iter().map(NotificationSend::of).collect(),
        }
    }
}

impl NotificationSend {
    pub(super) fn of(progress: Progress) -> Self {
        Self {
            state: progress.state(),
            channel_id: match progress.recipient {
                Recipient::Channel(id) => Some(IdText(id.0)),
                Recipient::Command => None,
            },
            attempts: progress.attempts,
            sent_at: progress.sent_at,
            next_attempt_at: progress.due_at,
            error: progress.error,
        }
    }
}
