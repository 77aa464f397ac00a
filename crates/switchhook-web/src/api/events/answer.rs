//! Events and what sending them answers, as the API shows them, and as whoever asks it reads them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use switchhook_domain::id::{DeliveryId, SubscriptionId, WebhookId};
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::ingest::AcceptedDelivery;
use switchhook_node::mask::Mask;
use switchhook_node::summary::Summary;
use switchhook_store::EventHead;
use utoipa::ToSchema;

use crate::api::compat::IdText;
use crate::api::deliveries::answer::ListedDelivery;
use crate::api::error::ErrorBody;
use crate::api::words;

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

/// What sending answers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "each is written by itself; together they are in the document"
)]
pub(crate) enum SendAnswer<'a> {
    /// To one event.
    One(AcceptedEvent<'a>),
    /// To lines.
    Many(BatchAnswer),
}

/// What became of many events.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchAnswer {
    /// How many events are kept that were not before.
    pub accepted: u64,
    /// How many had come before with the same key.
    pub duplicates: u64,
    /// The first 100 lines that are not kept.
    pub rejected: Vec<RejectedLineAnswer>,
    /// How many are not kept in all.
    pub rejected_count: u64,
    /// The first 100 lines that are kept and deviate from their schema, or look like another kind.
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

/// An event, without its bytes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct EventSummary {
    pub id: IdText,
    #[schema(schema_with = words::kept_kind)]
    pub kind: Kind,
    /// When it was accepted, in unix milliseconds.
    #[schema(value_type = i64)]
    pub accepted_at: Timestamp,
    /// The call, message, agent or contact that it is about.
    #[schema(required, example = "call:4513924407164928")]
    pub order_key: Option<String>,
    /// What happened, and between whom; masked if the server masks. Never the text of a message. Null if there is no payload any
    /// more; lists and explanations do not read events larger than 64 KiB for it.
    #[schema(required, example = "hangup, Ann → Support")]
    pub summary: Option<String>,
    /// How many bytes it has.
    pub size: usize,
    /// Where it deviates from its schema.
    pub warnings: Vec<String>,
    /// The key that its sender gave it.
    #[schema(required)]
    pub idempotency_key: Option<String>,
    /// Since when and why there is no payload any more; absent if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub payload_removed: Option<PayloadRemovalAnswer>,
}

/// Since when and why an event has no payload any more.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PayloadRemovalAnswer {
    /// Since when, in unix milliseconds.
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// `delivered` (its company keeps none), or `erased` (somebody asked for it).
    #[schema(example = "erased")]
    pub reason: String,
}

/// An event with its bytes and its deliveries.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct EventAnswer<'a> {
    #[serde(flatten)]
    pub head: EventSummary,
    /// The event itself; null if it was removed.
    #[schema(value_type = Option<serde_json::Value>, required)]
    pub payload: Option<Cow<'a, RawValue>>,
    /// Its deliveries, newest first, at most 200 of them.
    pub deliveries: Vec<ListedDelivery>,
}

impl EventSummary {
    /// The event as it is shown.
    pub(crate) fn of(event: EventHead, summary: Option<&Summary>, mask: Mask) -> Self {
        Self {
            id: IdText(event.id.0),
            kind: event.kind,
            accepted_at: event.accepted_at,
            order_key: event.order_key.map(|key| mask.id(key.as_str()).into_owned()),
            summary: summary.map(Summary::in_a_line),
            size: event.body_bytes,
            // They may quote words and keys of the event.
            warnings: mask.all_loose(event.warnings),
            idempotency_key: event.idempotency_key.map(|key| mask.loose(&key).into_owned()),
            payload_removed: event.payload_removed.map(|removal| PayloadRemovalAnswer {
                at: removal.at,
                reason: removal.reason.as_str().to_owned(),
            }),
        }
    }
}
