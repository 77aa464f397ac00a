//! What is known of deliveries that wait: how many there are, and what each is waiting for.

use switchhook_domain::id::DeliveryId;

/// The deliveries of a webhook that are pending.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many, counted up to a bound.
    pub count: u32,
    /// The oldest of those that were counted.
    pub oldest: Option<DeliveryId>,
}

/// What a pending delivery is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Which.
    pub delivery_id: DeliveryId,
    /// Whether a node has it, to attempt it.
    pub is_claimed: bool,
    /// The first of those that it must not overtake, if it waits for them.
    pub behind: Option<DeliveryId>,
}
