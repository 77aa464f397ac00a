//! What is no longer kept: which events and payloads may go, and what removing them came to.

use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, EventId};
use switchhook_domain::phone_number::PhoneNumber;
use switchhook_protocol::spelled_enum;

/// How much room a store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreSize {
    /// What is in use, in bytes. Room that was freed and will be used again does not count.
    pub used: u64,
    /// What the file takes, without its log.
    pub file: u64,
    /// What the disk has left; `None` where that is not known.
    pub disk_left: Option<u64>,
}

/// Some of the oldest events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemovalSlice {
    /// Only events after this one; `None` begins with the oldest.
    pub after: Option<EventId>,
    /// Only events accepted, and their deliveries ended, before this time.
    pub before: Timestamp,
    /// How many events at the most are removed.
    pub limit: u32,
    /// About how many bytes of payload at the most; one event goes in any case.
    pub bytes: u64,
}

/// What removing events came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many events, with their idempotency keys.
    pub events: u64,
    /// How many deliveries of theirs.
    pub deliveries: u64,
    /// How many attempts of those.
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
    /// How many events at the most are looked at.
    pub limit: u32,
}

/// What dropping payloads came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DroppedPayloads {
    /// How many payloads.
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
    /// How many events at the most are looked at.
    pub limit: u32,
    /// Whether something is done, or only counted.
    pub extent: ErasureExtent,
}

/// Whether an erasure is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErasureExtent {
    Erase,
    /// What it would do is counted.
    Count,
}

/// What an erasure came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// How many events were looked at.
    pub examined: u64,
    /// How many the number occurred in: their payloads are gone.
    pub events: u64,
    /// How many deliveries were pending and are cancelled.
    pub cancelled: u64,
    /// From how many attempts something was taken out: the receiver's answer, or a record of the request.
    pub attempts: u64,
    /// The event to go on after; `None` after the last one.
    pub next: Option<EventId>,
}

/// Since when and why an event has no payload any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadRemoval {
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: RemovalReason,
}

spelled_enum! {
    /// Why an event has no payload any more.
    pub enum RemovalReason: "reason for a removal" {
        /// It was delivered, and its company keeps no payloads.
        Delivered = "delivered",
        /// Somebody asked for it.
        Erased = "erased",
    }
}
