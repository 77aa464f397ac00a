//! Notifications on their way: what the store has to say goes to channels and to the operator's command.
//!
//! What is said and when is the domain's; that it is written down with the change that causes it is the store's. Here is who
//! carries it: `delivery.rs` takes what is due, `sender.rs` sends it in the form of `message.rs`, by `mail.rs` or `command.rs`
//! where that is no POST; `watch.rs` looks for what nobody's change would tell.

pub mod command;
mod delivery;
mod mail;
mod message;
mod sender;
pub mod watch;

use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::clock::Clock;
use switchhook_domain::secret::Secret;
use switchhook_protocol::spelled_enum;
use switchhook_store::Store;

use crate::registry::Registry;

pub use mail::is_mailbox;
pub use message::Message;
pub use sender::Sender;
pub use watch::{LastEvents, WatchState};

/// Notifications to people when something goes wrong.
pub struct Notifications {
    pub store: Arc<dyn Store>,
    /// Webhooks that the watch checks.
    pub registry: Arc<Registry>,
    pub clock: Arc<dyn Clock>,
    /// Sends messages.
    pub sender: Sender,
    /// Last event of each source.
    pub last_events: LastEvents,
    /// After how long without an event a source counts as silent, if it ever does.
    pub source_silent: Option<Duration>,
}

/// Operator's settings for notifications.
#[derive(Debug, Clone, Default)]
pub struct NotificationSettings {
    /// A program and its arguments, run for each notification.
    pub command: Vec<String>,
    /// Mail server; `None` if no e-mail is sent.
    pub mail: Option<MailSettings>,
    /// After how long without an event a source counts as silent, if it ever does.
    pub source_silent: Option<Duration>,
}

/// Mail server and sender.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// The name or address of the server that takes it.
    pub host: String,
    /// Its port, if it is not the usual one.
    pub port: Option<u16>,
    /// Encryption of the connection.
    pub tls: MailTls,
    /// User name and password.
    pub credentials: Option<(String, Secret)>,
    /// Sender of the mails.
    pub from: String,
}

spelled_enum! {
    /// Encryption of the connection to a mail server.
    #[derive(Default)]
    pub enum MailTls: "kind of TLS" {
        /// It begins in the clear and must be secured at once.
        #[default]
        StartTls = "starttls",
        /// It is secure from the start.
        Implicit = "implicit",
        /// It is not: for a server on this machine.
        Without = "none",
    }
}

impl MailTls {
    /// The port at which mail servers take it.
    #[must_use]
    pub const fn usual_port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Implicit => 465,
            Self::Without => 25,
        }
    }
}

/// A message did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct SendError {
    /// In words for a person.
    pub why: String,
    /// Time at which the receiver asked to be tried again.
    pub retry_at: Option<Timestamp>,
}

impl SendError {
    fn because(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            retry_at: None,
        }
    }
}

/// Sends and watches for as long as it is polled.
pub async fn run(notifications: Arc<Notifications>) {
    tokio::join!(delivery::run(&notifications), watch::run(&notifications));
}
