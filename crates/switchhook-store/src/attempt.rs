//! What lists show of attempts, and what is searched of them.

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
    /// What came of it.
    pub class: OutcomeClass,
    /// The answer's HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// How long it took.
    pub took: Duration,
}

/// What is said of why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    pub delivery_id: DeliveryId,
    /// Why no answer came.
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
    /// Where to go on; `None` after the last delivery.
    pub next: Option<i64>,
}
