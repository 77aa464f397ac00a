//! The log as whoever listens at a websocket, or polls a feed, reads it.

use switchhook_domain::Timestamp;
use switchhook_domain::id::CompanyId;

use crate::event::EventRecord;

/// A place in a company's log: grows in the order in which events are committed, as their ids do not when several are
/// accepted at once. So nothing ever appears behind a place that a reader has passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition(pub i64);

/// How much of the log is read at once. At least one event is, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBounds {
    /// How many events at the most.
    pub events: u32,
    /// No further event once they have this many bytes.
    pub bytes: usize,
}

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Where it stands.
    pub position: LogPosition,
    pub event: EventRecord,
}

/// A reader of the log whose place is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    pub company_id: CompanyId,
    /// Its name, unique in the company.
    pub name: String,
    /// What it has acknowledged: everything up to here.
    pub position: LogPosition,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last moved.
    pub updated_at: Timestamp,
}

/// Where a consumer is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewPlace {
    /// On to here, unless it is further already.
    Acknowledged(LogPosition),
    /// Here, back too.
    Sought(LogPosition),
}
