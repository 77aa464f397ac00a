//! The log: the events that some websocket wanted, in the order of their commits.

use rusqlite::Connection;
use switchhook_domain::id::CompanyId;

use super::list::first;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::event::NewEvent;
use crate::row::event::{self, event_columns};
use crate::websocket::{LogBounds, LogEntry, LogPosition};

/// Where the last event of the company's log stands.
pub(super) fn end(connection: &Connection, company_id: CompanyId) -> Result<LogPosition, StoreError> {
    let last = first(connection, END, &[&company_id.0], |row| row.get(0))?;
    Ok(LogPosition(last.unwrap_or(0)))
}

pub(super) const END: &str = "SELECT position FROM events INDEXED BY events_by_position \
     WHERE company_id = ? AND position IS NOT NULL ORDER BY position DESC LIMIT 1";

/// The place of an event that is being recorded: its own id, or after the last if others with larger ids were faster.
/// So places grow even when every event before was removed.
pub(super) fn next(transaction: &Transaction<'_>, event: &NewEvent) -> Result<Option<i64>, StoreError> {
    if !event.is_for_websockets {
        return Ok(None);
    }
    let end = end(transaction.connection, event.company_id)?;
    Ok(Some(event.id.0.max(end.0 + 1)))
}

/// The events after a place.
pub(super) fn read(
    connection: &Connection,
    company_id: CompanyId,
    after: LogPosition,
    bounds: LogBounds,
) -> Result<Vec<LogEntry>, StoreError> {
    let mut statement = connection.prepare_cached(AFTER)?;
    let mut rows = statement.query([company_id.0, after.0, bounds.events.max(1).into()])?;
    let mut entries = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let position = LogPosition(row.get("position")?);
        let event = match event::read(row) {
            // One row that cannot be read must not stop whoever listens.
            Err(StoreError::Corrupt(why)) => {
                tracing::error!(why, "an event is left out of the log: it cannot be read");
                continue;
            }
            event => event?,
        };
        bytes += event.body.len();
        entries.push(LogEntry { position, event });
        if bytes >= bounds.bytes {
            break;
        }
    }
    Ok(entries)
}

pub(super) const AFTER: &str = concat!(
    "SELECT ",
    event_columns!(),
    ", position FROM events INDEXED BY events_by_position \
     WHERE company_id = ? AND position > ? AND position IS NOT NULL ORDER BY position LIMIT ?"
);
