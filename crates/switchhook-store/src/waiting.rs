//! What is known of a delivery that waits.

use switchhook_domain::id::DeliveryId;

/// What a pending delivery is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub delivery_id: DeliveryId,
    /// Whether a node has it, to attempt it.
    pub is_claimed: bool,
    /// The first of those that it must not overtake, if it waits for them.
    pub behind: Option<DeliveryId>,
}
