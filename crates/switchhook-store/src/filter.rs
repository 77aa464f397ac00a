//! Filters of lists of events and deliveries.
//!
//! Not every filter has an index. A page that has passed over some ten thousand rows ends there with what it has
//! found, even nothing, and says where the next one starts.

use switchhook_domain::attempt::Failure;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{EventId, ReplayId, WebhookId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::{Kind, Timestamp};

/// Filter for events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub kind: Option<Kind>,
    /// Only those of this call, message, agent or contact.
    pub order_key: Option<OrderKey>,
    /// Accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Accepted before this time.
    pub until: Option<Timestamp>,
}

/// Filter for deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only those of this event.
    pub event_id: Option<EventId>,
    /// Only those to this webhook.
    pub webhook_id: Option<WebhookId>,
    /// Only those that this replay made.
    pub replay_id: Option<ReplayId>,
    /// Only those in this state.
    pub state: Option<StateName>,
    /// Only those of which an attempt failed.
    pub has_failed: bool,
    /// Only those whose last failed attempt failed so.
    pub failure: Option<Failure>,
    pub kind: Option<Kind>,
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
}
