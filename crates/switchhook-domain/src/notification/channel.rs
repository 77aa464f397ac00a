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

/// How many channels a company may have.
pub const MOST_CHANNELS: u32 = 20;

/// How many mailboxes a channel may have.
pub const MOST_RECIPIENTS: usize = 10;

/// Where notifications go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub id: ChannelId,
    pub company_id: CompanyId,
    pub channel_type: ChannelType,
    /// A URL, which with chats is a credential; or mailboxes, separated by commas.
    pub destination: Secret,
    /// What notifications are signed with.
    pub secret: Option<Secret>,
    /// What it is told of.
    pub kinds: Vec<NotificationKind>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A change to a channel: what is `None` stays, `Some(None)` clears.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelChange {
    /// Another destination.
    pub destination: Option<Secret>,
    /// Another secret, or none any more.
    pub secret: Option<Option<Secret>>,
    /// What it is told of from now on.
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
