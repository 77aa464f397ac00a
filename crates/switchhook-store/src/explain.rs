//! What the store knows of an event that somebody wants explained.

use switchhook_domain::delivery::Delivery;
use switchhook_domain::subscription::{Revision, SubscriptionVersion};

use crate::event::EventRecord;
use crate::page::Page;

/// An event, where it went, and some of the company's subscriptions as they stood when it was matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    pub event: EventRecord,
    /// Which subscriptions it was matched with; for an event older than the versions, the first ones that are known.
    pub revision: Revision,
    /// The deliveries that were made with it, in their order.
    pub deliveries: Vec<Delivery>,
    /// For each subscription its last version until that revision, or else its first; by the subscription's id.
    pub versions: Page<SubscriptionVersion>,
}
