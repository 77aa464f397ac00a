//! The log: the events that some websocket wanted, in the order of their commits.

use switchhook_domain::id::CompanyId;

use crate::error::StoreError;
use crate::row::event::{self, event_columns};
use crate::sql::{Sql, all, first, readable, values};
use crate::websocket::{LogBounds, LogEntry, LogPosition};

/// Position of the last event in the company's log; 0 before the first.
pub(crate) async fn end(sql: &mut dyn Sql, company_id: CompanyId) -> Result<LogPosition, StoreError> {
    let last = first(sql, END, values![company_id.0], |row| row.get(0)).await?;
    Ok(LogPosition(last.unwrap_or(0)))
}

pub(crate) const END: &str = "SELECT position FROM events INDEXED BY events_by_position \
     WHERE company_id = ? AND position IS NOT NULL ORDER BY position DESC LIMIT 1";

/// The events after a place. Their bytes are counted where they are, so that no more of them travel than the reader wants.
pub(super) async fn read(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    after: LogPosition,
    bounds: LogBounds,
) -> Result<Vec<LogEntry>, StoreError> {
    let sizes = values![company_id.0, after.0, bounds.events.max(1)];
    let sizes = all(sql, SIZES, sizes, |row| {
        Ok((row.get::<i64>(0)?, row.get::<usize>(1)?))
    });
    let (mut last, mut bytes) = (after.0, 0);
    for (position, size) in sizes.await? {
        last = position;
        bytes += size;
        if bytes >= bounds.bytes {
            break;
        }
    }
    readable(sql, BETWEEN, values![company_id.0, after.0, last], |row| {
        Ok(LogEntry {
            position: LogPosition(row.get(POSITION)?),
            event: event::read(row)?,
        })
    })
    .await
}

pub(crate) const SIZES: &str = "SELECT position, CAST(octet_length(body) AS BIGINT) FROM events \
     INDEXED BY events_by_position \
     WHERE company_id = ? AND position > ? AND position IS NOT NULL ORDER BY position LIMIT ?";

pub(crate) const BETWEEN: &str = concat!(
    "SELECT ",
    event_columns!(),
    ", position FROM events INDEXED BY events_by_position \
     WHERE company_id = ? AND position > ? AND position <= ? AND position IS NOT NULL ORDER BY position"
);

/// Index of the column behind the event's own.
const POSITION: usize = 11;
