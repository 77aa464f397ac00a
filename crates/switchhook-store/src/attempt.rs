//! What lists show of attempts.

use std::time::Duration;

use switchhook_domain::id::DeliveryId;

/// The last finished attempt of a delivery, without what was sent and answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastAttempt {
    /// Whose it is.
    pub delivery_id: DeliveryId,
    /// Its number, from 1.
    pub number: u32,
    /// The answer's HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// How long it took.
    pub took: Duration,
}
