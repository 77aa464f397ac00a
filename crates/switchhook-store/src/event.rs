//! Events on their way into the store, and as it shows them.

use std::time::Duration;

use bytes::Bytes;
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, SubscriptionId, WebhookId};
use switchhook_domain::order::{LONGEST_BLOCK, OrderKey};
use switchhook_domain::redaction::Hidden;
use switchhook_domain::retry::Failures;
use switchhook_domain::subscription::Revision;
use switchhook_domain::{Kind, Timestamp};

use crate::retention::PayloadRemoval;

/// An event to keep, with the decision where it goes.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id; its deliveries' ids are larger.
    pub id: EventId,
    pub company_id: CompanyId,
    pub kind: Kind,
    /// Its bytes as they came: UTF-8, one JSON object, or if its kind is unknown any JSON.
    pub body: Bytes,
    /// Parts of its bytes that can be hidden at all.
    pub concealable: Hidden,
    pub accepted_at: Timestamp,
    /// Key shared with the events that it must not overtake.
    pub order_key: Option<OrderKey>,
    /// Deviations from the schema, as in the first answer.
    pub warnings: Vec<String>,
    /// By which a repetition is known.
    pub idempotency: Option<Idempotency>,
    pub deliveries: Vec<NewDelivery>,
    /// Revision of the subscriptions that it was matched with.
    pub revision: Revision,
    /// True if it gets a position in the log: for a subscription with a websocket, or a company with a feed.
    pub is_logged: bool,
}

/// By which a repetition is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The client's key; unique in the company while it lasts.
    pub key: String,
    /// A key used before this time no longer counts.
    pub not_before: Timestamp,
}

/// A delivery to make with an event.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    pub id: DeliveryId,
    pub webhook_id: WebhookId,
    /// Subscriptions that asked for it.
    pub subscription_ids: Vec<SubscriptionId>,
    /// Parts to remove from the bytes before sending.
    pub hidden: Hidden,
    /// True if the order key counts for this webhook.
    pub is_ordered: bool,
    /// Until when this node claims it, if it can send it now.
    pub claim_until: Option<Timestamp>,
}

impl NewEvent {
    /// It as it is kept.
    pub(crate) fn as_record(&self) -> EventRecord {
        EventRecord {
            id: self.id,
            company_id: self.company_id,
            kind: self.kind,
            body: self.body.clone(),
            payload_removed: None,
            accepted_at: self.accepted_at,
            order_key: self.order_key.clone(),
            warnings: self.warnings.clone(),
            idempotency_key: self
                .idempotency
                .as_ref()
                .map(|idempotency| idempotency.key.clone()),
            revision: Some(self.revision),
        }
    }
}

impl NewDelivery {
    /// It as a delivery of `event` on which nothing was decided yet: due at once.
    pub(crate) fn unsent(&self, event: &NewEvent, ordinal: u32) -> Delivery {
        Delivery {
            id: self.id,
            event_id: event.id,
            ordinal,
            company_id: event.company_id,
            webhook_id: self.webhook_id,
            kind: event.kind,
            subscription_ids: self.subscription_ids.clone(),
            hidden: self.hidden,
            order_key: event.order_key.clone().filter(|_| self.is_ordered),
            state: DeliveryState::Pending {
                due_at: event.accepted_at,
            },
            attempt_number: 0,
            failures: Failures::default(),
            blocks_until: event.accepted_at.plus(LONGEST_BLOCK),
            note: None,
            origin: None,
            replay_id: None,
            suspended: Duration::ZERO,
            last_failure: None,
            resolved: None,
            created_at: event.accepted_at,
        }
    }
}

/// Result of recording a [`NewEvent`].
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    Kept,
    /// The same event had come with the same key; this is the first, with its original deliveries.
    Repeated {
        /// The event that is kept.
        event: EventRecord,
        /// Original deliveries.
        deliveries: Vec<Delivery>,
    },
    /// Another event had come with the same key. Nothing was kept.
    KeyReused,
}

/// Approximate size of a page of events: it ends with the event that reaches this, and the next page continues there.
pub const LARGEST_EVENT_PAGE: usize = 8 << 20;

/// The most bytes of an event that a list reads to say what is in it. Few have more: those with a long transcript.
pub const LARGEST_SMALL_EVENT: usize = 64 << 10;

/// Bound on the small events that a list reads, in bytes.
pub const LARGEST_SMALL_EVENTS: usize = 4 << 20;

/// All that is kept of an event but its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventHead {
    pub id: EventId,
    pub kind: Kind,
    /// Size of its bytes; 0 if they were removed.
    pub body_bytes: usize,
    /// Since when and why its bytes are gone, if they are.
    pub payload_removed: Option<PayloadRemoval>,
    pub accepted_at: Timestamp,
    /// Key shared with the events that it must not overtake.
    pub order_key: Option<OrderKey>,
    /// Deviations from the schema.
    pub warnings: Vec<String>,
    /// The client's idempotency key.
    pub idempotency_key: Option<String>,
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    pub id: EventId,
    pub company_id: CompanyId,
    pub kind: Kind,
    /// Its bytes as they came; empty if they were removed.
    pub body: Bytes,
    /// Since when and why its bytes are gone, if they are.
    pub payload_removed: Option<PayloadRemoval>,
    pub accepted_at: Timestamp,
    /// Key shared with the events that it must not overtake.
    pub order_key: Option<OrderKey>,
    /// Deviations from the schema.
    pub warnings: Vec<String>,
    /// The client's idempotency key.
    pub idempotency_key: Option<String>,
    /// Revision of the subscriptions that it was matched with; `None` if it is older than the versions.
    pub revision: Option<Revision>,
}

impl From<EventRecord> for EventHead {
    fn from(event: EventRecord) -> Self {
        Self {
            id: event.id,
            kind: event.kind,
            body_bytes: event.body.len(),
            payload_removed: event.payload_removed,
            accepted_at: event.accepted_at,
            order_key: event.order_key,
            warnings: event.warnings,
            idempotency_key: event.idempotency_key,
        }
    }
}
