//! Attempts as lists show them and searches read them.

use std::collections::BTreeMap;
use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::attempt::{FailureReason, OutcomeClass};
use switchhook_domain::id::DeliveryId;

/// The last finished attempt of a delivery, without what was sent and answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastAttempt {
    pub delivery_id: DeliveryId,
    /// Its number, from 1.
    pub number: u32,
    pub class: OutcomeClass,
    /// The answer's HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Duration of the attempt.
    pub took: Duration,
}

/// Searchable parts of a failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    pub delivery_id: DeliveryId,
    /// Reason for which no answer came.
    pub reason: Option<FailureReason>,
    /// See [`Attempt::detail`](switchhook_domain::attempt::Attempt::detail).
    pub detail: Option<String>,
    /// The head of the answer's body.
    pub answer_head: Vec<u8>,
}

/// The failed attempts at some deliveries that follow each other in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempts {
    /// The deliveries, with the kinds of their events.
    pub deliveries: BTreeMap<DeliveryId, Kind>,
    /// In any order.
    pub attempts: Vec<FailedAttempt>,
    /// Cursor of the next page; `None` after the last delivery.
    pub next: Option<i64>,
}
