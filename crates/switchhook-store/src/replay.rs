//! Replays on their way into the store, and what it tells whoever runs them.

use switchhook_domain::Timestamp;
use switchhook_domain::id::{DeliveryId, EventId, ReplayId};
use switchhook_domain::replay::{Candidate, PlannedDelivery, Replay};
use switchhook_domain::webhook::Webhook;

/// A replay to keep.
#[derive(Debug, Clone)]
pub struct NewReplay {
    pub replay: Replay,
    /// The webhook that exists for it only, if it goes to an address of its own.
    pub webhook: Option<Webhook>,
    /// Limit on the company's running replays, including this one.
    pub most_running: u32,
}

/// Range of a scan for events that a replay selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// The last event that was looked at.
    pub after: EventId,
    /// Bound on the events examined.
    pub most_scanned: u32,
    /// Bound on the events selected.
    pub most_selected: u32,
}

/// Events that a replay selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The events, oldest first, with their deliveries.
    pub candidates: Vec<Candidate>,
    /// Number of events examined.
    pub scanned: u32,
    /// The first event looked at.
    pub first: Option<EventId>,
    /// The last event looked at: where the next scan goes on.
    pub cursor: EventId,
    /// True if nothing follows.
    pub is_last: bool,
}

/// A step of a replay: what it makes, and how far that takes it.
#[derive(Debug, Clone)]
pub struct ReplayStep {
    pub id: ReplayId,
    /// Cursor before the step. If the replay is elsewhere by now, nothing is done.
    pub from: EventId,
    /// The last event that it has now looked at.
    pub to: EventId,
    /// True for the last step.
    pub is_last: bool,
    /// Number of events examined.
    pub scanned: u32,
    /// Number of deliveries that could not be made.
    pub skipped: u32,
    /// Deliveries to make.
    pub deliveries: Vec<ReplayDelivery>,
    /// Earliest due time of its next delivery.
    pub next_due_at: Timestamp,
    pub now: Timestamp,
}

/// A delivery that a replay makes.
#[derive(Debug, Clone)]
pub struct ReplayDelivery {
    pub id: DeliveryId,
    pub planned: PlannedDelivery,
    pub due_at: Timestamp,
}

/// End of a replay that was not cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayEnd {
    /// It made all its deliveries, and each has ended.
    Finished,
    /// It cannot go on, for this reason.
    Failed(String),
}
