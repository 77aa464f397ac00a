//! Events: how they are found again. How they are kept: `record.rs`.

use std::collections::{HashMap, HashSet};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use switchhook_domain::id::EventId;

use crate::error::StoreError;

/// The bytes of events.
pub(super) async fn bodies(
    connection: &mut PgConnection,
    ids: Vec<i64>,
) -> Result<HashMap<EventId, bytes::Bytes>, StoreError> {
    let rows = sqlx::query("SELECT id, body FROM events WHERE id = ANY($1)")
        .bind(ids)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let body: &str = row.try_get(1)?;
            Ok((
                EventId(row.try_get(0)?),
                bytes::Bytes::copy_from_slice(body.as_bytes()),
            ))
        })
        .collect()
}

/// Locks events, so that nobody removes them or their payloads until the commit, and nobody else makes deliveries of them.
/// Answers which still have their payloads.
pub(super) async fn lock_with_payload(
    connection: &mut PgConnection,
    ids: &[i64],
) -> Result<HashSet<EventId>, StoreError> {
    let sql = "SELECT id, payload_removed_at FROM events WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";
    let rows = sqlx::query(sql).bind(ids).fetch_all(connection).await?;
    let mut with_payload = HashSet::new();
    for row in &rows {
        if row.try_get::<Option<i64>, _>(1)?.is_none() {
            with_payload.insert(EventId(row.try_get(0)?));
        }
    }
    Ok(with_payload)
}
