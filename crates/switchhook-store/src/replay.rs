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
    /// How many replays of the company may run at once, this one included.
    pub most_running: u32,
}

/// Where to look for events that a replay selects, and how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// The last event that was looked at.
    pub after: EventId,
    /// How many events to look at, at the most.
    pub most_scanned: u32,
    /// How many selected ones to find, at the most.
    pub most_selected: u32,
}

/// Events that a replay selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The events, oldest first, with their deliveries.
    pub candidates: Vec<Candidate>,
    /// How many events were looked at.
    pub scanned: u32,
    /// The first event looked at.
    pub first: Option<EventId>,
    /// The last event looked at: where the next scan goes on.
    pub cursor: EventId,
    /// Whether there is nothing after it.
    pub is_last: bool,
}

/// A step of a replay: what it makes, and how far that takes it.
#[derive(Debug, Clone)]
pub struct ReplayStep {
    /// Which replay.
    pub id: ReplayId,
    /// Where it stood: if it stands elsewhere by now, nothing is done.
    pub from: EventId,
    /// The last event that it has now looked at.
    pub to: EventId,
    /// Whether that was the last one of all.
    pub is_last: bool,
    /// How many events it looked at.
    pub scanned: u32,
    /// How many deliveries it could not make.
    pub skipped: u32,
    /// What it makes.
    pub deliveries: Vec<ReplayDelivery>,
    /// When its next delivery is due at the earliest.
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

/// How a replay ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayEnd {
    /// It made all its deliveries, and each has ended.
    Finished,
    /// It cannot go on, for this reason.
    Failed(String),
}
