//! Events: how they are found again. How they are kept: `record.rs`.

use bytes::Bytes;
use rusqlite::Connection;
use switchhook_domain::id::EventId;

use super::row::first;
use crate::error::StoreError;
use crate::row::Columns;

/// The bytes of an event.
pub(super) fn body(connection: &Connection, id: EventId) -> Result<Option<Bytes>, StoreError> {
    first(
        connection,
        "SELECT id, body FROM events WHERE id = ?",
        &[&id.0],
        |row| Ok(Bytes::copy_from_slice(Columns::of("events", row)?.bytes()?)),
    )
}
