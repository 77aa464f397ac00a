//! About the store itself: the largest id, and whether anything can be kept now.

use rusqlite::Connection;

use super::transaction::Transaction;
use crate::error::StoreError;

pub(super) const LAST_ID: &str = "SELECT max(
       (SELECT coalesce(max(id), 0) FROM api_keys),
       (SELECT coalesce(max(id), 0) FROM webhooks),
       (SELECT coalesce(max(id), 0) FROM websockets),
       (SELECT coalesce(max(id), 0) FROM notification_channels),
       (SELECT coalesce(max(id), 0) FROM sources),
       (SELECT coalesce(max(id), 0) FROM source_refusals),
       (SELECT coalesce(max(id), 0) FROM subscriptions),
       (SELECT coalesce(max(id), 0) FROM events),
       (SELECT coalesce(max(id), 0) FROM replays),
       (SELECT coalesce(max(id), 0) FROM deliveries))";

pub(super) fn last_id(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection
        .prepare_cached(LAST_ID)?
        .query_row([], |row| row.get(0))?)
}

/// Writes a page, as an event would.
pub(super) fn write_page(transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
    transaction
        .prepare("INSERT INTO checks (filler) VALUES (zeroblob(4096))")?
        .execute([])?;
    Ok(())
}

/// Takes it back, in a commit of its own: what is undone before the commit would prove nothing.
pub(super) fn take_back_page(transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
    transaction.prepare("DELETE FROM checks")?.execute([])?;
    Ok(())
}
