//! A webhook as a row.

use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::webhook::Webhook;

use super::{Cells, Row, secret};
use crate::error::StoreError;
use crate::sealing::Sealing;

/// What [`read`] reads, in its order.
macro_rules! webhook_columns {
    () => {
        "id, company_id, hook_url, secret, old_secrets, settings, paused_at, disabled_at, created_at, updated_at"
    };
}
pub(crate) use webhook_columns;

pub(crate) fn read(row: &Row<'_>, sealing: &Sealing) -> Result<Webhook, StoreError> {
    let mut cells = Cells::of("webhooks", row)?;
    let id = WebhookId(cells.id());
    Ok(Webhook {
        id,
        company_id: CompanyId(cells.read()?),
        hook_url: cells.read()?,
        secret: secret::read(&mut cells, id, sealing)?,
        old_secrets: secret::read_old(&mut cells, id, sealing)?,
        settings: cells.json()?,
        paused_at: cells.maybe_time()?,
        disabled_at: cells.maybe_time()?,
        created_at: cells.time()?,
        updated_at: cells.time()?,
    })
}

/// What the webhook sets for itself, as text.
pub(crate) fn settings(webhook: &Webhook) -> Result<String, StoreError> {
    serde_json::to_string(&webhook.settings)
        .map_err(|error| StoreError::Conflict(format!("the webhook's settings cannot be kept: {error}")))
}

/// Two webhooks of a company would have the same address.
pub(crate) fn refuse_second(other: Option<i64>) -> Result<(), StoreError> {
    match other {
        None => Ok(()),
        Some(other) => Err(StoreError::Conflict(format!(
            "webhook {other} already has this hook_url: use that one, or change or delete it first"
        ))),
    }
}
