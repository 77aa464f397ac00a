//! Stored facts for explaining an event.

use switchhook_domain::delivery::Delivery;
use switchhook_domain::subscription::{Revision, SubscriptionVersion};

use crate::event::EventRecord;
use crate::page::Page;

/// An event, where it went, and some of the company's subscriptions as they stood when it was matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    pub event: EventRecord,
    /// Revision that it was matched with; for an event older than the versions, the first known one.
    pub revision: Revision,
    /// The deliveries that were made with it, in their order.
    pub deliveries: Vec<Delivery>,
    /// For each subscription its last version until that revision, or else its first; by the subscription's id.
    pub versions: Page<SubscriptionVersion>,
}
