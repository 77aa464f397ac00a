//! A suspension of a webhook as a row.

use switchhook_domain::id::WebhookId;
use switchhook_domain::suspension::Suspension;

use super::{Columns, Row};
use crate::error::StoreError;
use crate::registry::SuspensionRecord;

/// Columns for [`read`], of the suspensions `h`.
macro_rules! suspension_columns {
    () => {
        "h.webhook_id, h.reason, h.from_at, h.until_at, h.probe_at, h.failures"
    };
}
pub(crate) use suspension_columns;

pub(crate) fn read(row: &Row<'_>) -> Result<SuspensionRecord, StoreError> {
    let mut columns = Columns::of("webhook_holds", row)?;
    let webhook_id = WebhookId(columns.id());
    let suspension = Suspension {
        reason: columns.word()?,
        from: columns.time()?,
        until: columns.maybe_time()?,
    };
    let (probe_at, failures) = (columns.maybe_time()?, columns.read::<Option<u32>>()?);
    Ok(SuspensionRecord {
        webhook_id,
        suspension,
        probe_at,
        failures: failures.unwrap_or(0),
    })
}
