//! Suspensions: since when and why webhooks are not sent to.

use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::breaker::Breaker;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::suspension::SuspensionReason;

use super::list::all;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::registry::SuspensionRecord;
use crate::row::suspension::{read, suspension_columns};

/// Writes down that a webhook was paused, or is no longer.
pub(super) async fn pause_changed(
    connection: &mut PgConnection,
    webhook_id: WebhookId,
    before: Option<Timestamp>,
    after: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    match (before, after) {
        (None, Some(since)) => open(connection, webhook_id, SuspensionReason::Paused, since, None).await,
        (Some(_), None) => close(connection, webhook_id, SuspensionReason::Paused, now).await,
        _ => Ok(()),
    }
}

/// Writes down how a webhook's breaker is.
pub(super) async fn save_breaker(
    transaction: &mut Transaction<'_>,
    webhook_id: WebhookId,
    breaker: &Breaker,
    now: Timestamp,
) -> Result<(), StoreError> {
    let connection = &mut *transaction.connection;
    match *breaker {
        Breaker::Closed { .. } => close(connection, webhook_id, SuspensionReason::Breaker, now).await,
        Breaker::Open {
            since,
            probe_at,
            failures,
        } => {
            let probe = Some((probe_at, failures));
            open(connection, webhook_id, SuspensionReason::Breaker, since, probe).await
        }
    }
}

async fn open(
    connection: &mut PgConnection,
    webhook_id: WebhookId,
    reason: SuspensionReason,
    from: Timestamp,
    probe: Option<(Timestamp, u32)>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO webhook_holds (webhook_id, reason, from_at, probe_at, failures) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (webhook_id, reason, from_at) \
               DO UPDATE SET probe_at = excluded.probe_at, failures = excluded.failures, until_at = NULL";
    sqlx::query(sql)
        .bind(webhook_id.0)
        .bind(reason.as_str())
        .bind(from.as_millis())
        .bind(probe.map(|(probe_at, _)| probe_at.as_millis()))
        .bind(probe.map(|(_, failures)| i64::from(failures)))
        .execute(connection)
        .await?;
    Ok(())
}

async fn close(
    connection: &mut PgConnection,
    webhook_id: WebhookId,
    reason: SuspensionReason,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql =
        "UPDATE webhook_holds SET until_at = $1 WHERE webhook_id = $2 AND reason = $3 AND until_at IS NULL";
    sqlx::query(sql)
        .bind(now.as_millis())
        .bind(webhook_id.0)
        .bind(reason.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// The suspensions that last, or ended after `since`.
pub(super) async fn list(
    connection: &mut PgConnection,
    company_id: Option<CompanyId>,
    since: Timestamp,
) -> Result<Vec<SuspensionRecord>, StoreError> {
    let sql = concat!(
        "SELECT ",
        suspension_columns!(),
        " FROM webhook_holds h JOIN webhooks w ON w.id = h.webhook_id \
         WHERE w.deleted_at IS NULL AND ($1 IS NULL OR w.company_id = $1) \
         AND (h.until_at IS NULL OR h.until_at > $2) ORDER BY h.webhook_id, h.from_at"
    );
    let query = sqlx::query(sql)
        .bind(company_id.map(|id| id.0))
        .bind(since.as_millis());
    all(connection, query, read).await
}
