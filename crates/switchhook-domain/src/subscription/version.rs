//! Versions: what a subscription was from one change to the next.
//!
//! Owns how they are counted and what one says of a moment in the past. That is how "why was this event not sent?" is
//! answered long afterwards (`matching/explain.rs`), without a word kept with the event about those it passed over.

use switchhook_protocol::{Timestamp, spelled_enum};

use super::Subscription;

/// Number of changes to subscriptions so far, in the order of the commits.
///
/// An event keeps the revision that it was matched with. So matching and a later explanation agree, however close a
/// change came to an event, and whatever the clocks say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub i64);

/// State of a subscription from one change to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionVersion {
    /// The change that it began with.
    pub revision: Revision,
    pub change: VersionChange,
    /// The subscription; if it was deleted, what it was last.
    pub subscription: Subscription,
    /// Time of its beginning.
    pub from_at: Timestamp,
    /// Time of the next change.
    pub until_at: Option<Timestamp>,
}

spelled_enum! {
    /// Change with which a version begins.
    pub enum VersionChange: "change of a subscription" {
        /// It was there when versions began to be kept.
        CarriedOver = "carried_over",
        Created = "created",
        Updated = "updated",
        WebhookDeleted = "webhook_deleted",
        WebsocketDeleted = "websocket_deleted",
        Deleted = "deleted",
    }
}

/// Existence of a subscription at a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateAtRevision {
    /// It did not exist yet.
    NotYet,
    Existed,
    /// It did not exist any more.
    Gone,
}

impl SubscriptionVersion {
    /// Existence at `revision`, if this is its last version up to that, or else its first of all.
    #[must_use]
    pub fn standing_at(&self, revision: Revision) -> StateAtRevision {
        match self.change {
            _ if self.revision > revision => StateAtRevision::NotYet,
            VersionChange::Deleted => StateAtRevision::Gone,
            _ => StateAtRevision::Existed,
        }
    }
}
