//! Versions: what a subscription was from one change to the next.
//!
//! Owns how they are counted and what one says of a moment in the past. That is how "why was this event not sent?" is
//! answered long afterwards (`matching/explain.rs`), without a word kept with the event about those it passed over.

use switchhook_protocol::{Timestamp, spelled_enum};

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

spelled_enum! {
    /// What a version began with.
    pub enum VersionChange: "change of a subscription" {
        /// It was there when versions began to be kept.
        CarriedOver = "carried_over",
        /// It was made.
        Created = "created",
        /// Somebody changed it.
        Updated = "updated",
        WebhookDeleted = "webhook_deleted",
        WebsocketDeleted = "websocket_deleted",
        Deleted = "deleted",
    }
}

/// How a subscription stood at a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It did not exist yet.
    NotYet,
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
