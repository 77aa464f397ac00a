//! An outage as a row.

use switchhook_domain::attempt::Failure;
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_domain::outage::{LastFailure, Outage};

use super::{Columns, Row};
use crate::error::StoreError;

/// Columns for [`read`].
macro_rules! outage_columns {
    () => {
        "o.webhook_id, o.since_at, o.until_at, o.attempts, o.last_at, o.last_delivery_id, o.last_attempt, o.last_status, \
         o.last_reason"
    };
}
pub(crate) use outage_columns;

pub(crate) fn read(row: &Row<'_>) -> Result<(WebhookId, Outage), StoreError> {
    let mut columns = Columns::of("webhook_outages", row)?;
    let webhook_id = WebhookId(columns.id());
    let outage = Outage {
        since: columns.time()?,
        until: columns.maybe_time()?,
        attempts: columns.read()?,
        last: LastFailure {
            at: columns.time()?,
            delivery_id: DeliveryId(columns.read()?),
            attempt_number: columns.read()?,
            failure: Failure::from_parts(columns.read()?, columns.maybe_word()?),
        },
    };
    Ok((webhook_id, outage))
}
