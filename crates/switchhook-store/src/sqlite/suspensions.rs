//! Suspensions: since when and why webhooks are not sent to.

use rusqlite::{Connection, params};
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
pub(super) fn pause_changed(
    transaction: &Transaction<'_>,
    webhook_id: WebhookId,
    before: Option<Timestamp>,
    after: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    match (before, after) {
        (None, Some(since)) => open(transaction, webhook_id, SuspensionReason::Paused, since, None),
        (Some(_), None) => close(transaction, webhook_id, SuspensionReason::Paused, now),
        _ => Ok(()),
    }
}

/// Writes down how a webhook's breaker is.
pub(super) fn save_breaker(
    transaction: &Transaction<'_>,
    webhook_id: WebhookId,
    breaker: &Breaker,
    now: Timestamp,
) -> Result<(), StoreError> {
    match *breaker {
        Breaker::Closed { .. } => close(transaction, webhook_id, SuspensionReason::Breaker, now),
        Breaker::Open {
            since,
            probe_at,
            failures,
        } => open(
            transaction,
            webhook_id,
            SuspensionReason::Breaker,
            since,
            Some((probe_at, failures)),
        ),
    }
}

fn open(
    transaction: &Transaction<'_>,
    webhook_id: WebhookId,
    reason: SuspensionReason,
    from: Timestamp,
    probe: Option<(Timestamp, u32)>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO webhook_holds (webhook_id, reason, from_at, probe_at, failures) VALUES (?, ?, ?, ?, ?) \
               ON CONFLICT DO UPDATE SET probe_at = excluded.probe_at, failures = excluded.failures, until_at = NULL";
    transaction.prepare(sql)?.execute(params![
        webhook_id.0,
        reason.as_str(),
        from.as_millis(),
        probe.map(|(probe_at, _)| probe_at.as_millis()),
        probe.map(|(_, failures)| failures),
    ])?;
    Ok(())
}

fn close(
    transaction: &Transaction<'_>,
    webhook_id: WebhookId,
    reason: SuspensionReason,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql =
        "UPDATE webhook_holds SET until_at = ? WHERE webhook_id = ? AND reason = ? AND until_at IS NULL";
    transaction
        .prepare(sql)?
        .execute(params![now.as_millis(), webhook_id.0, reason.as_str()])?;
    Ok(())
}

/// The suspensions that last, or ended after `since`.
pub(super) fn list(
    connection: &Connection,
    company_id: Option<CompanyId>,
    since: Timestamp,
) -> Result<Vec<SuspensionRecord>, StoreError> {
    let sql = concat!(
        "SELECT ",
        suspension_columns!(),
        " FROM webhook_holds h JOIN webhooks w ON w.id = h.webhook_id \
         WHERE w.deleted_at IS NULL AND (?1 IS NULL OR w.company_id = ?1) \
         AND (h.until_at IS NULL OR h.until_at > ?2) ORDER BY h.webhook_id, h.from_at"
    );
    all(
        connection,
        sql,
        &[&company_id.map(|id| id.0), &since.as_millis()],
        read,
    )
}
