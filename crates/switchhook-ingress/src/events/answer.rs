//! Answers to sent events, as the API writes and its clients read them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use switchhook_domain::Kind;
use switchhook_domain::id::{DeliveryId, SubscriptionId, WebhookId};
use switchhook_node::ingest::AcceptedDelivery;
use utoipa::ToSchema;

use crate::error::ErrorBody;
use crate::id::IdText;
use crate::words;

/// An accepted event.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AcceptedEvent<'a> {
    pub id: IdText,
    #[schema(schema_with = words::kind)]
    pub kind: Kind,
    /// True if an event with the same `Idempotency-Key` was accepted before; the answer is that of the first one.
    pub duplicate: bool,
    /// Deviations from its schema: a JSON pointer and the mistake of each.
    #[schema(value_type = Vec<String>)]
    pub warnings: Cow<'a, [String]>,
    #[schema(value_type = Vec<AcceptedDeliveryAnswer>)]
    pub deliveries: Deliveries<'a>,
}

/// A delivery that an event makes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AcceptedDeliveryAnswer {
    pub id: IdText,
    pub webhook_id: IdText,
    pub subscription_ids: Vec<IdText>,
}

/// Deliveries, serialized one after the other without a list in between.
#[derive(Debug, Deserialize)]
#[serde(from = "Vec<AcceptedDeliveryAnswer>")]
pub struct Deliveries<'a>(pub Cow<'a, [AcceptedDelivery]>);

impl From<Vec<AcceptedDeliveryAnswer>> for Deliveries<'_> {
    fn from(read: Vec<AcceptedDeliveryAnswer>) -> Self {
        let read = read.into_iter().map(|delivery| AcceptedDelivery {
            id: DeliveryId(delivery.id.0),
            webhook_id: WebhookId(delivery.webhook_id.0),
            subscription_ids: (delivery.subscription_ids.iter())
                .map(|id| SubscriptionId(id.0))
                .collect(),
        });
        Self(read.collect())
    }
}

impl Serialize for Deliveries<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|delivery| AcceptedDeliveryAnswer {
            id: IdText(delivery.id.0),
            webhook_id: IdText(delivery.webhook_id.0),
            subscription_ids: delivery.subscription_ids.iter().map(|id| IdText(id.0)).collect(),
        }))
    }
}

/// Counts of accepted and rejected lines.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchAnswer {
    /// Number of new events that are stored.
    pub accepted: u64,
    /// Number of events that had come before with the same key.
    pub duplicates: u64,
    /// The first {most-rejected} rejected lines.
    pub rejected: Vec<RejectedLineAnswer>,
    /// Number of all rejected lines.
    pub rejected_count: u64,
    /// The first {most-warned} stored lines that deviate from their schema, or look like another kind.
    pub warnings: Vec<WarnedLineAnswer>,
    /// Number of all such lines.
    pub warnings_count: u64,
}

/// Warnings about a line that is stored.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WarnedLineAnswer {
    /// Line number, from 1, blank lines counted.
    pub line: u64,
    /// Deviations from its schema.
    pub warnings: Vec<String>,
}

/// A rejected line.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RejectedLineAnswer {
    /// Line number, from 1, blank lines counted.
    pub line: u64,
    pub error: ErrorBody,
}
