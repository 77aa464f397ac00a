//! State of a pending delivery.

use switchhook_domain::id::DeliveryId;

/// Progress of a pending delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryProgress {
    pub delivery_id: DeliveryId,
    /// True if a node has claimed it.
    pub is_claimed: bool,
    /// The first of those that it must not overtake, if it waits for them.
    pub behind: Option<DeliveryId>,
}
