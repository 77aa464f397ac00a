//! Answers about events, as the API writes and its clients read them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use switchhook_domain::{Kind, Timestamp};
use switchhook_ingress::events::{AcceptedEvent, BatchAnswer};
use switchhook_node::mask::Mask;
use switchhook_node::summary::Summary;
use switchhook_store::EventHead;
use utoipa::ToSchema;

use crate::api::deliveries::answer::ListedDelivery;
use switchhook_ingress::id::IdText;
use switchhook_ingress::words;

/// Answer to sent events.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "each is written by itself; together they are in the document"
)]
pub(crate) enum SendAnswer<'a> {
    /// Answer to one event.
    One(AcceptedEvent<'a>),
    /// Answer to lines.
    Many(BatchAnswer),
}

/// An event, without its bytes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct EventSummary {
    pub id: IdText,
    #[schema(schema_with = words::kept_kind)]
    pub kind: Kind,
    /// Time of acceptance, in unix milliseconds.
    #[schema(value_type = i64)]
    pub accepted_at: Timestamp,
    /// The call, message, agent or contact that it is about.
    #[schema(required, example = "call:4513924407164928")]
    pub order_key: Option<String>,
    /// Summary of the event and its participants; masked if the server masks. Never the text of a message. Null if there is no payload any
    /// more; lists and explanations do not read events larger than {largest-summed-up} for it.
    #[schema(required, example = "hangup, Ann → Support")]
    pub summary: Option<String>,
    /// Size in bytes.
    pub size: usize,
    /// Deviations from the schema.
    pub warnings: Vec<String>,
    /// The key that its sender gave it.
    #[schema(required)]
    pub idempotency_key: Option<String>,
    /// Time and reason of the payload's removal; absent if there is a payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub payload_removed: Option<PayloadRemovalAnswer>,
}

/// Removal of an event's payload.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PayloadRemovalAnswer {
    /// Time of the removal, in unix milliseconds.
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
    /// Deliveries of the event, newest first, at most {most-deliveries} of them.
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
