//! A hold of a webhook as a row.

use switchhook_domain::hold::Hold;
use switchhook_domain::id::WebhookId;

use super::{Columns, Row};
use crate::error::StoreError;
use crate::registry::HoldRecord;

/// What [`read`] reads, in its order, of the holds `h`.
macro_rules! hold_columns {
    () => {
        "h.webhook_id, h.reason, h.from_at, h.until_at, h.probe_at, h.failures"
    };
}
pub(crate) use hold_columns;

pub(crate) fn read(row: &Row<'_>) -> Result<HoldRecord, StoreError> {
    let mut columns = Columns::of("webhook_holds", row)?;
    let webhook_id = WebhookId(columns.id());
    let hold = Hold {
        reason: columns.word()?,
        from: columns.time()?,
        until: columns.maybe_time()?,
    };
    let (probe_at, failures) = (columns.maybe_time()?, columns.read::<Option<u32>>()?);
    Ok(HoldRecord {
        webhook_id,
        hold,
        probe_at,
        failures: failures.unwrap_or(0),
    })
}
