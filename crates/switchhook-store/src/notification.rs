//! Notifications: what is asked of the outbox, and what it answers.

use switchhook_domain::Timestamp;
use switchhook_domain::id::NotificationId;
use switchhook_domain::notification::{Channel, Notification, Progress, Recipient};

/// A notification, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct NotificationRecord {
    pub notification: Notification,
    /// How far it is on its way to each of its recipients, by their ids. Empty until it is handed out, and afterwards if nobody
    /// wanted it.
    pub progress: Vec<Progress>,
}

/// Which recipients somebody sends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipients {
    Channels,
    /// The operator's command.
    Command,
}

/// A request for notifications that are due.
#[derive(Debug, Clone, Copy)]
pub struct NotificationClaim {
    /// To whom they are to be sent.
    pub recipients: Recipients,
    /// Whether there is an operator's command that is to get each.
    pub has_command: bool,
    /// Due by then.
    pub now: Timestamp,
    /// Until when nobody else gets them.
    pub until: Timestamp,
    /// How many at the most.
    pub most: u32,
}

/// A notification to be sent to one recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedNotification {
    pub notification: Notification,
    /// The channel it goes to; `None`: the operator's command.
    pub channel: Option<Channel>,
    /// How many times it was tried, this time included.
    pub attempts: u32,
}

/// What came of sending a notification to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedNotification {
    pub notification_id: NotificationId,
    /// To whom.
    pub recipient: Recipient,
    /// The number of the attempt: of one that was claimed again meanwhile, nothing is kept.
    pub attempts: u32,
    /// When it arrived.
    pub sent_at: Option<Timestamp>,
    /// Why it did not.
    pub error: Option<String>,
    /// When it is tried again, if it is.
    pub due_at: Option<Timestamp>,
}

impl ClaimedNotification {
    /// To whom it goes.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        let channel = self.channel.as_ref();
        channel.map_or(Recipient::Command, |channel| Recipient::Channel(channel.id))
    }
}
