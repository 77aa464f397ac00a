//! Suspensions: since when and why webhooks are not sent to.

use switchhook_domain::Timestamp;
use switchhook_domain::breaker::Breaker;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::suspension::SuspensionReason;

use crate::error::StoreError;
use crate::registry::SuspensionRecord;
use crate::row::suspension::{read, suspension_columns};
use crate::sql::{Sql, SqlTransaction, all, values};

/// Writes down that a webhook was paused, or is no longer.
pub(super) async fn pause_changed(
    sql: &mut dyn SqlTransaction,
    webhook_id: WebhookId,
    before: Option<Timestamp>,
    after: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    match (before, after) {
        (None, Some(since)) => open(sql, webhook_id, SuspensionReason::Paused, since, None).await,
        (Some(_), None) => close(sql, webhook_id, SuspensionReason::Paused, now).await,
        _ => Ok(()),
    }
}

/// Writes down how a webhook's breaker is.
pub(super) async fn save_breaker(
    sql: &mut dyn SqlTransaction,
    webhook_id: WebhookId,
    breaker: &Breaker,
    now: Timestamp,
) -> Result<(), StoreError> {
    match *breaker {
        Breaker::Closed { .. } => close(sql, webhook_id, SuspensionReason::Breaker, now).await,
        Breaker::Open {
            since,
            probe_at,
            failures,
        } => {
            let probe = Some((probe_at, failures));
            open(sql, webhook_id, SuspensionReason::Breaker, since, probe).await
        }
    }
}

async fn open(
    sql: &mut dyn SqlTransaction,
    webhook_id: WebhookId,
    reason: SuspensionReason,
    from: Timestamp,
    probe: Option<(Timestamp, u32)>,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO webhook_holds (webhook_id, reason, from_at, probe_at, failures) VALUES (?, ?, ?, ?, ?) \
                  ON CONFLICT (webhook_id, reason, from_at) \
                  DO UPDATE SET probe_at = excluded.probe_at, failures = excluded.failures, until_at = NULL";
    let (probe_at, failures) = probe.unzip();
    let values = values![webhook_id.0, reason.as_str(), from, probe_at, failures];
    sql.execute(insert, values).await?;
    Ok(())
}

async fn close(
    sql: &mut dyn SqlTransaction,
    webhook_id: WebhookId,
    reason: SuspensionReason,
    now: Timestamp,
) -> Result<(), StoreError> {
    let update =
        "UPDATE webhook_holds SET until_at = ? WHERE webhook_id = ? AND reason = ? AND until_at IS NULL";
    sql.execute(update, values![now, webhook_id.0, reason.as_str()])
        .await?;
    Ok(())
}

/// The suspensions that last, or ended after `since`.
pub(super) async fn list(
    sql: &mut dyn Sql,
    company_id: Option<CompanyId>,
    since: Timestamp,
) -> Result<Vec<SuspensionRecord>, StoreError> {
    let select = concat!(
        "SELECT ",
        suspension_columns!(),
        " FROM webhook_holds h JOIN webhooks w ON w.id = h.webhook_id \
         WHERE w.deleted_at IS NULL AND (?1 IS NULL OR w.company_id = ?1) \
         AND (h.until_at IS NULL OR h.until_at > ?2) ORDER BY h.webhook_id, h.from_at"
    );
    all(sql, select, values![company_id.map(|id| id.0), since], read).await
}
