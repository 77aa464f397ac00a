//! Notifications: what is asked of the outbox, and what it answers.

use switchhook_domain::notification::{Notification, Progress};

/// A notification, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct NotificationRecord {
    /// The notification.
    pub notification: Notification,
    /// How far it is on its way to each of its recipients, by their ids. Empty until it is handed out, and afterwards if nobody
    /// wanted it.
    pub progress: Vec<Progress>,
}
