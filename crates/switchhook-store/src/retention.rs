//! Types of retention and erasure: slices of events, and the results of removing them.

use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, EventId};
use switchhook_domain::phone_number::PhoneNumber;
use switchhook_protocol::spelled_enum;

/// Size of a store, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreSize {
    /// Space in use. Freed space that will be reused does not count.
    pub used: u64,
    /// Size of the file, without its log.
    pub file: u64,
    /// Free space on the disk; `None` where it is unknown.
    pub disk_left: Option<u64>,
}

/// Some of the oldest events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemovalSlice {
    /// Only events after this one; `None` begins with the oldest.
    pub after: Option<EventId>,
    /// Only events accepted, and their deliveries ended, before this time.
    pub before: Timestamp,
    /// Bound on the events removed.
    pub limit: u32,
    /// About how many bytes of payload at the most; one event goes in any case.
    pub bytes: u64,
}

/// Result of removing events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Number of events, with their idempotency keys.
    pub events: u64,
    /// Number of their deliveries.
    pub deliveries: u64,
    /// Number of the attempts at those.
    pub attempts: u64,
    /// The event to go on after; `None` if there are no more that old.
    pub next: Option<EventId>,
}

/// Some events of a company whose payloads go once they are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadSlice {
    pub company_id: CompanyId,
    /// Only events after this one; `None` begins with the oldest.
    pub after: Option<EventId>,
    /// Bound on the events examined.
    pub limit: u32,
}

/// Result of dropping payloads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DroppedPayloads {
    pub payloads: u64,
    /// The event to go on after; `None` after the last one.
    pub next: Option<EventId>,
}

/// Some events of a company in which a number is looked for.
#[derive(Debug, Clone)]
pub struct ErasureSlice {
    pub company_id: CompanyId,
    pub number: PhoneNumber,
    /// Only events after this one; `None` begins with the oldest.
    pub after: Option<EventId>,
    /// Bound on the events examined.
    pub limit: u32,
    /// True if data is changed, and not only counted.
    pub extent: ErasureExtent,
}

/// True if an erasure changes data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErasureExtent {
    Erase,
    /// Only counts what it would do.
    Count,
}

/// Result of an erasure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Number of events examined.
    pub examined: u64,
    /// Number of events that contained the number: their payloads are removed.
    pub events: u64,
    /// Number of pending deliveries that are cancelled.
    pub cancelled: u64,
    /// From how many attempts something was taken out: the receiver's answer, or a record of the request.
    pub attempts: u64,
    /// The event to go on after; `None` after the last one.
    pub next: Option<EventId>,
}

/// Since when and why an event has no payload any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadRemoval {
    pub at: Timestamp,
    pub reason: RemovalReason,
}

spelled_enum! {
    /// Reason for which an event has no payload any more.
    pub enum RemovalReason: "reason for a removal" {
        /// It was delivered, and its company keeps no payloads.
        Delivered = "delivered",
        /// Somebody asked for it.
        Erased = "erased",
    }
}
