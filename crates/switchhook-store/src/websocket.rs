//! The log as whoever listens at a websocket, or polls a feed, reads it.

use switchhook_domain::Timestamp;
use switchhook_domain::id::CompanyId;

use crate::event::EventRecord;

/// A place in a company's log: grows in the order in which events are committed, as their ids do not when several are
/// accepted at once. So nothing ever appears behind a place that a reader has passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition(pub i64);

/// Bounds on one read of the log. At least one event is read, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBounds {
    pub events: u32,
    /// No further event once they have this many bytes.
    pub bytes: usize,
}

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    pub position: LogPosition,
    pub event: EventRecord,
}

/// A reader of the log whose place is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    pub company_id: CompanyId,
    /// Its name, unique in the company.
    pub name: String,
    /// Acknowledged position: everything up to here is done.
    pub position: LogPosition,
    pub created_at: Timestamp,
    /// Time of the last move.
    pub updated_at: Timestamp,
}

/// New position of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerMove {
    /// On to here, unless it is further already.
    Acknowledged(LogPosition),
    /// Moves to this position, which may be earlier.
    Seeked(LogPosition),
}
