//! Notifications: what is asked of the outbox, and what it answers.

use switchhook_domain::Timestamp;
use switchhook_domain::id::NotificationId;
use switchhook_domain::notification::{Channel, Notification, Progress, Recipient};

/// A notification, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct NotificationRecord {
    pub notification: Notification,
    /// Progress for each recipient, by id. Empty until it is handed out, and afterwards if no channel wants it.
    pub progress: Vec<Progress>,
}

/// Recipients that a sender serves.
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
    /// True if the operator has a command, which gets every notification.
    pub has_command: bool,
    /// Claims what is due by then.
    pub now: Timestamp,
    /// Until when nobody else gets them.
    pub until: Timestamp,
    /// Bound on the notifications.
    pub most: u32,
}

/// A notification to be sent to one recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedNotification {
    pub notification: Notification,
    /// The channel it goes to; `None`: the operator's command.
    pub channel: Option<Channel>,
    /// Number of tries, including this one.
    pub attempts: u32,
}

/// Result of sending a notification to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedNotification {
    pub notification_id: NotificationId,
    pub recipient: Recipient,
    /// The number of the attempt: of one that was claimed again meanwhile, nothing is kept.
    pub attempts: u32,
    /// Time of arrival.
    pub sent_at: Option<Timestamp>,
    /// Error of the last try.
    pub error: Option<String>,
    /// Time of the next try, if there is one.
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
