//! An event as a row.

use bytes::Bytes;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, EventId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::subscription::Revision;

use super::{Columns, Row};
use crate::error::StoreError;
use crate::event::{EventHead, EventRecord};
use crate::retention::PayloadRemoval;

/// Columns for [`read`].
macro_rules! event_columns {
    () => {
        "id, company_id, kind, accepted_at, order_key, idempotency_key, warnings, body, revision, \
         payload_removed_at, payload_removed_for"
    };
}
pub(crate) use event_columns;

/// Columns for [`read_head`]. Both databases know the length without reading the body.
macro_rules! event_head_columns {
    () => {
        "id, kind, accepted_at, order_key, idempotency_key, warnings, CAST(octet_length(body) AS BIGINT), \
         payload_removed_at, payload_removed_for"
    };
}
pub(crate) use event_head_columns;

pub(crate) fn read(row: &Row<'_>) -> Result<EventRecord, StoreError> {
    let mut columns = Columns::of("events", row)?;
    Ok(EventRecord {
        id: EventId(columns.id()),
        company_id: CompanyId(columns.read()?),
        kind: columns.kind()?,
        accepted_at: Timestamp::from_millis(columns.read()?),
        order_key: columns.maybe_text()?.map(OrderKey::new),
        idempotency_key: columns.read()?,
        warnings: columns.maybe_json()?.unwrap_or_default(),
        body: Bytes::copy_from_slice(columns.bytes()?),
        revision: columns.read::<Option<i64>>()?.map(Revision),
        payload_removed: read_removal(&mut columns)?,
    })
}

pub(crate) fn read_head(row: &Row<'_>) -> Result<EventHead, StoreError> {
    let mut columns = Columns::of("events", row)?;
    Ok(EventHead {
        id: EventId(columns.id()),
        kind: columns.kind()?,
        accepted_at: Timestamp::from_millis(columns.read()?),
        order_key: columns.maybe_text()?.map(OrderKey::new),
        idempotency_key: columns.read()?,
        warnings: columns.maybe_json()?.unwrap_or_default(),
        body_bytes: columns.read()?,
        payload_removed: read_removal(&mut columns)?,
    })
}

fn read_removal(columns: &mut Columns<'_>) -> Result<Option<PayloadRemoval>, StoreError> {
    let Some(at) = columns.maybe_time()? else {
        return Ok(None);
    };
    Ok(Some(PayloadRemoval {
        at,
        reason: columns.word()?,
    }))
}

/// Stored form of the deviations.
pub(crate) fn warnings(warnings: &[String]) -> Result<Option<String>, StoreError> {
    if warnings.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(warnings)
        .map(Some)
        .map_err(|error| StoreError::Conflict(format!("the event's warnings cannot be kept: {error}")))
}
