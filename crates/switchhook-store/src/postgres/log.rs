//! The log: the events that some websocket wanted, in the order of their commits.

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::id::CompanyId;

use crate::error::StoreError;
use crate::row::event::{self, event_columns};
use crate::websocket::{LogBounds, LogEntry, LogPosition};

/// Where the last event of the company's log stands.
pub(super) async fn end(
    connection: &mut PgConnection,
    company_id: CompanyId,
) -> Result<LogPosition, StoreError> {
    last_position(connection, company_id).await.map(LogPosition)
}

/// Where the last event of the company's log stands; 0 before the first.
pub(super) async fn last_position(
    connection: &mut PgConnection,
    company_id: CompanyId,
) -> Result<i64, StoreError> {
    let sql = "SELECT position FROM events WHERE company_id = $1 AND position IS NOT NULL ORDER BY position DESC LIMIT 1";
    let row = sqlx::query(sql)
        .bind(company_id.0)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(0))
}

/// The events after a place.
pub(super) async fn read(
    connection: &mut PgConnection,
    company_id: CompanyId,
    after: LogPosition,
    bounds: LogBounds,
) -> Result<Vec<LogEntry>, StoreError> {
    let rows = sqlx::query(AFTER)
        .bind(company_id.0)
        .bind(after.0)
        .bind(i64::from(bounds.events.max(1)))
        .bind(i64::try_from(bounds.bytes.max(1)).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        match event::read(row) {
            Ok(event) => entries.push(LogEntry {
                position: LogPosition(row.try_get("position")?),
                event,
            }),
            // One row that cannot be read must not stop whoever listens.
            Err(StoreError::Corrupt(why)) => {
                tracing::error!(why, "an event is left out of the log: it cannot be read");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

/// Counts the bytes where they are, so that no more of them travel than the reader wants.
const AFTER: &str = concat!(
    "SELECT ",
    event_columns!(),
    ", position FROM (SELECT *, sum(octet_length(body)) OVER (ORDER BY position) - octet_length(body) AS bytes_before \
     FROM (SELECT * FROM events WHERE company_id = $1 AND position > $2 AND position IS NOT NULL \
     ORDER BY position LIMIT $3) AS next) AS counted WHERE bytes_before < $4 ORDER BY position"
);
