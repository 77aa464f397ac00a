//! What sending events answers, as the API shows it, and as whoever asks it reads it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use switchhook_domain::Kind;
use switchhook_domain::id::{DeliveryId, SubscriptionId, WebhookId};
use switchhook_node::ingest::AcceptedDelivery;
use utoipa::ToSchema;

use crate::error::ErrorBody;
use crate::id::IdText;
use crate::words;

/// An event that is kept.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AcceptedEvent<'a> {
    pub id: IdText,
    #[schema(schema_with = words::kind)]
    pub kind: Kind,
    /// Whether it had been accepted before with the same `Idempotency-Key`; then this is the first answer.
    pub duplicate: bool,
    /// Where it deviates from its schema: a JSON pointer and what is wrong there.
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

/// Written as they are, one after the other, without a list in between.
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

/// What became of many events.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchAnswer {
    /// How many events are kept that were not before.
    pub accepted: u64,
    /// How many had come before with the same key.
    pub duplicates: u64,
    /// The first {most-rejected} lines that are not kept.
    pub rejected: Vec<RejectedLineAnswer>,
    /// How many are not kept in all.
    pub rejected_count: u64,
    /// The first {most-warned} lines that are kept and deviate from their schema, or look like another kind.
    pub warnings: Vec<WarnedLineAnswer>,
    /// How many such lines there are in all.
    pub warnings_count: u64,
}

/// A line that is kept, and what is said of it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WarnedLineAnswer {
    /// Its number, from 1, blank lines counted.
    pub line: u64,
    /// Where it deviates from its schema.
    pub warnings: Vec<String>,
}

/// A line that is not kept.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RejectedLineAnswer {
    /// Its number, from 1, blank lines counted.
    pub line: u64,
    pub error: ErrorBody,
}
