//! Versions: what a subscription was from one change to the next.
//!
//! Owns how they are counted and what one says of a moment in the past. That is how "why was this event not sent?" is
//! answered long afterwards (`matching/explain.rs`), without a word kept with the event about those it passed over.

use std::fmt;
use std::str::FromStr;

use switchhook_protocol::Timestamp;

use super::Subscription;

/// How many changes of subscriptions there had been: each change has the next one, in the order of the commits.
///
/// An event keeps the revision that it was matched with. Clocks have no say in it: what was decided and what is told
/// of it later agree, however close a change came to an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub i64);

/// What a subscription was from one change to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionVersion {
    /// The change that it began with.
    pub revision: Revision,
    /// What kind of change that was.
    pub change: VersionChange,
    /// The subscription; if it was deleted, what it was last.
    pub subscription: Subscription,
    /// When it began, by the clock.
    pub from_at: Timestamp,
    /// When the next one began.
    pub until_at: Option<Timestamp>,
}

/// What a version began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionChange {
    /// It was there when versions began to be kept.
    CarriedOver,
    /// It was made.
    Created,
    /// Somebody changed it.
    Updated,
    /// Its webhook was deleted.
    WebhookDeleted,
    /// Its websocket was deleted.
    WebsocketDeleted,
    /// It was deleted.
    Deleted,
}

/// How a subscription stood at a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It did not exist yet.
    NotYet,
    /// It existed.
    Existed,
    /// It did not exist any more.
    Gone,
}

impl SubscriptionVersion {
    /// How the subscription stood at `revision`, if this is its last version until then, or else its first of all.
    #[must_use]
    pub fn standing_at(&self, revision: Revision) -> Standing {
        match self.change {
            _ if self.revision > revision => Standing::NotYet,
            VersionChange::Deleted => Standing::Gone,
            _ => Standing::Existed,
        }
    }
}

impl VersionChange {
    /// Every change there is.
    pub const ALL: [Self; 6] = [
        Self::CarriedOver,
        Self::Created,
        Self::Updated,
        Self::WebhookDeleted,
        Self::WebsocketDeleted,
        Self::Deleted,
    ];

    /// The change's name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CarriedOver => "carried_over",
            Self::Created => "created",
            Self::Updated => "updated",
            Self::WebhookDeleted => "webhook_deleted",
            Self::WebsocketDeleted => "websocket_deleted",
            Self::Deleted => "deleted",
        }
    }
}

/// A name that is no change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown change `{0}`")]
pub struct UnknownChange(pub String);

impl FromStr for VersionChange {
    type Err = UnknownChange;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|change| change.as_str() == text);
        found.ok_or_else(|| UnknownChange(text.to_owned()))
    }
}

impl fmt::Display for VersionChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
