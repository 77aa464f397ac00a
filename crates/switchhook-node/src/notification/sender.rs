//! Sends one message to one recipient, once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use switchhook_domain::attempt::AttemptOutcome;
use switchhook_domain::credential::shown_text;
use switchhook_domain::id::WebhookId;
use switchhook_domain::notification::{Channel, ChannelType};
use switchhook_domain::webhook::Webhook;
use switchhook_protocol::headers;

use super::command::Command;
use super::mail::Mailer;
use super::message::Message;
use super::{NotificationSettings, SendError};
use crate::delivery::transport::{Post, PostResult, Transport};
use crate::destination::{Destination, Load};

/// Characters of an answer quoted in an error.
const SHOWN_OF_ANSWER: usize = 200;

/// Time limit of a POST.
const TIMEOUT_MS: u32 = 10_000;

pub struct Sender {
    transport: Arc<dyn Transport>,
    mailer: Option<Mailer>,
    command: Option<Command>,
}

impl Sender {
    /// One that sends as the operator decided. POSTs go the way of all deliveries.
    ///
    /// # Errors
    /// If mail cannot be sent with these settings.
    pub fn new(
        settings: &NotificationSettings,
        transport: Arc<dyn Transport>,
        outbound: &switchhook_http::proxy::Outbound,
    ) -> anyhow::Result<Self> {
        let mailer = settings.mail.as_ref().map(|mail| Mailer::new(mail, outbound));
        Ok(Self {
            transport,
            mailer: mailer.transpose()?,
            command: Command::of(&settings.command),
        })
    }

    #[must_use]
    pub const fn has_mail(&self) -> bool {
        self.mailer.is_some()
    }

    /// True if the operator configured a command.
    #[must_use]
    pub const fn has_command(&self) -> bool {
        self.command.is_some()
    }

    /// Sends a message to a channel.
    ///
    /// # Errors
    /// If it did not arrive.
    pub async fn send(&self, message: &Message, channel: &Channel) -> Result<(), SendError> {
        match channel.channel_type {
            ChannelType::Email => match &self.mailer {
                Some(mailer) => mailer.send(message, channel).await,
                None => Err(SendError::because(
                    "the server has no --notify-email-host any more",
                )),
            },
            _ => self.post(message, channel).await,
        }
    }

    /// Runs the operator's command with a message.
    ///
    /// # Errors
    /// If it did not end well.
    pub async fn run_command(&self, message: &Message) -> Result<(), SendError> {
        match &self.command {
            Some(command) => command.run(message).await,
            None => Err(SendError::because("the server has no --notify-exec any more")),
        }
    }

    async fn post(&self, message: &Message, channel: &Channel) -> Result<(), SendError> {
        let destination = destination(channel);
        let json = message.body(channel.channel_type).to_string();
        let body = match &destination.signer {
            Some(signer) => signer.sign(json.as_bytes()),
            None => json,
        };
        let mut own_headers = Vec::new();
        if channel.channel_type == ChannelType::Webhook {
            own_headers.push((
                const { HeaderName::from_static(headers::NOTIFICATION_KIND) },
                HeaderValue::from_static(message.kind),
            ));
        }
        let post = Post {
            destination: Arc::new(destination),
            own_headers,
            body: Bytes::from(body),
        };
        judge(self.transport.post(post).await)
    }
}

/// A channel as the way to a receiver.
fn destination(channel: &Channel) -> Destination {
    let mut webhook = Webhook::new(
        WebhookId(channel.id.0),
        channel.company_id,
        channel.destination.expose(),
        channel.created_at,
    )
    .with_secret(channel.secret.clone());
    webhook.settings.timeout_ms = Some(TIMEOUT_MS);
    Destination::new(webhook, Arc::new(Load::default()))
}

fn judge(posted: PostResult) -> Result<(), SendError> {
    match posted.outcome {
        AttemptOutcome::Answered {
            status: 200..=299, ..
        } => Ok(()),
        AttemptOutcome::Answered { status, retry_after } => {
            let body = posted.answer.map(|answer| answer.body_head).unwrap_or_default();
            let head: String = String::from_utf8_lossy(&body)
                .chars()
                .take(SHOWN_OF_ANSWER)
                .collect();
            let head = shown_text(head.trim()).into_owned();
            let colon = if head.is_empty() { "" } else { ": " };
            Err(SendError {
                why: format!("it was answered {status}{colon}{head}"),
                retry_at: retry_after,
            })
        }
        AttemptOutcome::Unanswered { reason, detail } => {
            let reason = reason.as_str().replace('_', " ");
            Err(SendError::because(format!(
                "it was not answered ({reason}): {}",
                shown_text(&detail)
            )))
        }
        AttemptOutcome::Lost => Err(SendError::because("it was not answered")),
    }
}

/// For how long a claim lasts: longer than any way of sending takes.
pub(super) const LONGEST: Duration = Duration::from_secs(120);
