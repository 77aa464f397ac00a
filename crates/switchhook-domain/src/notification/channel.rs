//! Channels: where notifications go.

use switchhook_protocol::{Timestamp, spelled_enum};

use super::NotificationKind;
use crate::id::{ChannelId, CompanyId};
use crate::secret::Secret;

spelled_enum! {
    pub enum ChannelType: "type of channel" {
        /// A URL that takes a JSON object, signed if there is a secret.
        Webhook = "webhook",
        /// An incoming webhook of Slack.
        Slack = "slack",
        /// A workflow of Microsoft Teams.
        Teams = "teams",
        /// A webhook of Discord.
        Discord = "discord",
        /// Mailboxes.
        Email = "email",
    }
}

/// Limit on the channels of a company.
pub const MOST_CHANNELS: u32 = 20;

/// Limit on the mailboxes of a channel.
pub const MOST_RECIPIENTS: usize = 10;

/// Destination of notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub id: ChannelId,
    pub company_id: CompanyId,
    pub channel_type: ChannelType,
    /// A URL, which with chats is a credential; or mailboxes, separated by commas.
    pub destination: Secret,
    /// Secret that signs notifications.
    pub secret: Option<Secret>,
    /// Kinds that it gets.
    pub kinds: Vec<NotificationKind>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A change to a channel: what is `None` stays, `Some(None)` clears.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelChange {
    /// New destination.
    pub destination: Option<Secret>,
    /// Another secret, or none any more.
    pub secret: Option<Option<Secret>>,
    /// New kinds.
    pub kinds: Option<Vec<NotificationKind>>,
}

impl Channel {
    /// The channel with `change` made at `now`.
    #[must_use]
    pub fn changed(mut self, change: ChannelChange, now: Timestamp) -> Self {
        self.destination = change.destination.unwrap_or(self.destination);
        self.secret = change.secret.unwrap_or(self.secret);
        self.kinds = change.kinds.unwrap_or(self.kinds);
        self.updated_at = now;
        self
    }

    /// The mailboxes of an e-mail channel.
    pub fn mailboxes(&self) -> impl Iterator<Item = &str> {
        self.destination.expose().split(',').map(str::trim)
    }
}
