//! Outages: times in which every attempt to send to a webhook failed.

use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{Failure, FailureReason};
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::notification::Notice;
use switchhook_domain::outage::Outage;

use super::notices;
use crate::error::StoreError;
use crate::outage::{FailingWebhookRow, MOST_KEPT, OutageWrite, failing_columns};
use crate::row::outage::{outage_columns, read};
use crate::sql::{Sql, SqlTransaction, all, first, values};

/// Writes down what became of outages.
pub(super) async fn write(sql: &mut dyn SqlTransaction, writes: &[OutageWrite]) -> Result<(), StoreError> {
    let mut told = Vec::new();
    for write in writes {
        let notice = match write {
            OutageWrite::Fails { webhook_id, outage } => fails(sql, *webhook_id, outage).await?,
            OutageWrite::Ended { webhook_id, at } => end(sql, *webhook_id, *at).await?,
        };
        told.extend(notice);
    }
    // Subjects are locked in the order of their names; what is told of one stays in its order.
    told.sort_by_key(|notice| notice.payload.subject());
    for notice in &told {
        notices::add(sql, notice).await?;
    }
    Ok(())
}

/// An outage begins or goes on: its attempts are added to those that are known. Nodes that find out at once wait for each other
/// at the webhook's row.
async fn fails(
    sql: &mut dyn SqlTransaction,
    webhook_id: WebhookId,
    outage: &Outage,
) -> Result<Option<Notice>, StoreError> {
    let Some(webhook) = locked(sql, webhook_id).await? else {
        return Ok(None);
    };
    let last = &outage.last;
    let (status, reason) = last.failure.map_or((None, None), Failure::parts);
    for statement in [GO_ON, BEGIN] {
        let values = values![
            webhook_id.0,
            outage.attempts,
            last.at,
            last.delivery_id.0,
            last.attempt_number,
            status,
            reason.map(FailureReason::as_str),
            outage.since,
        ];
        if sql.execute(statement, values).await? > 0 {
            return Ok((statement == BEGIN).then(|| webhook.began(outage)).flatten());
        }
    }
    Ok(None)
}

/// The webhook, with its row locked.
async fn locked(sql: &mut dyn Sql, id: WebhookId) -> Result<Option<FailingWebhookRow>, StoreError> {
    first(sql, LOCK, values![id.0], FailingWebhookRow::read).await
}

const LOCK: &str = concat!(
    "SELECT ",
    failing_columns!(),
    " FROM webhooks WHERE id = ?1 AND deleted_at IS NULL FOR UPDATE"
);

const GO_ON: &str = "UPDATE webhook_outages SET attempts = attempts + ?2, last_at = ?3, last_delivery_id = ?4, \
     last_attempt = ?5, last_status = ?6, last_reason = ?7, since_at = CASE WHEN since_at < ?8 THEN since_at ELSE ?8 END \
     WHERE webhook_id = ?1 AND until_at IS NULL";

/// One that is written down as over and had the same beginning goes on.
const BEGIN: &str = "INSERT INTO webhook_outages AS o (webhook_id, attempts, last_at, last_delivery_id, last_attempt, last_status, \
     last_reason, since_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (webhook_id, since_at) DO UPDATE SET \
     until_at = NULL, attempts = o.attempts + excluded.attempts, last_at = excluded.last_at, \
     last_delivery_id = excluded.last_delivery_id, last_attempt = excluded.last_attempt, \
     last_status = excluded.last_status, last_reason = excluded.last_reason";

/// The outage is over, if there is one; the oldest of many are forgotten.
async fn end(
    sql: &mut dyn SqlTransaction,
    webhook_id: WebhookId,
    now: Timestamp,
) -> Result<Option<Notice>, StoreError> {
    let webhook = locked(sql, webhook_id).await?;
    let Some((_, outage)) = first(sql, LASTS, values![webhook_id.0], read).await? else {
        return Ok(None);
    };
    sql.execute(END, values![now, webhook_id.0]).await?;
    sql.execute(FORGET, values![webhook_id.0, MOST_KEPT]).await?;
    Ok(webhook.and_then(|webhook| webhook.ended(&outage, now)))
}

const LASTS: &str = concat!(
    "SELECT ",
    outage_columns!(),
    " FROM webhook_outages o WHERE o.webhook_id = ?1 AND o.until_at IS NULL"
);

const END: &str = "UPDATE webhook_outages SET until_at = ?1 WHERE webhook_id = ?2 AND until_at IS NULL";

const FORGET: &str = "DELETE FROM webhook_outages WHERE webhook_id = ?1 AND since_at <= (SELECT since_at FROM webhook_outages \
     WHERE webhook_id = ?1 ORDER BY since_at DESC LIMIT 1 OFFSET ?2)";

/// The outages that last, by webhook.
pub(super) async fn lasting(
    sql: &mut dyn Sql,
    company_id: Option<CompanyId>,
) -> Result<Vec<(WebhookId, Outage)>, StoreError> {
    all(sql, LASTING, values![company_id.map(|id| id.0)], read).await
}

const LASTING: &str = concat!(
    "SELECT ",
    outage_columns!(),
    " FROM webhook_outages o INDEXED BY webhook_outages_lasting JOIN webhooks w ON w.id = o.webhook_id \
     WHERE o.until_at IS NULL AND w.deleted_at IS NULL AND (?1 IS NULL OR w.company_id = ?1) ORDER BY o.webhook_id"
);

/// A webhook's outages, newest first.
pub(super) async fn of(
    sql: &mut dyn Sql,
    webhook_id: WebhookId,
    most: u32,
) -> Result<Vec<Outage>, StoreError> {
    let outages = all(sql, OF, values![webhook_id.0, most], read).await?;
    Ok(outages.into_iter().map(|(_, outage)| outage).collect())
}

pub(crate) const OF: &str = concat!(
    "SELECT ",
    outage_columns!(),
    " FROM webhook_outages o WHERE o.webhook_id = ?1 ORDER BY o.since_at DESC LIMIT ?2"
);
