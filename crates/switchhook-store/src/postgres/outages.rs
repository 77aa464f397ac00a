//! Outages: times in which every attempt to send to a webhook failed.

use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::FailureReason;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::notification::Notice;
use switchhook_domain::outage::Outage;

use super::list::{all, first};
use super::notices;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::outage::{Failing, MOST_KEPT, OutageWrite, failing_columns};
use crate::row::outage::{outage_columns, read};

/// Writes down what became of outages.
pub(super) async fn write(
    transaction: &mut Transaction<'_>,
    writes: &[OutageWrite],
) -> Result<(), StoreError> {
    let mut told = Vec::new();
    for write in writes {
        let notice = match write {
            OutageWrite::Fails { webhook_id, outage } => fails(transaction, *webhook_id, outage).await?,
            OutageWrite::Ended { webhook_id, at } => end(transaction, *webhook_id, *at).await?,
        };
        told.extend(notice);
    }
    // Subjects are locked in the order of their names; what is told of one stays in its order.
    told.sort_by_key(|notice| notice.news.subject());
    for notice in &told {
        notices::add(transaction, notice).await?;
    }
    Ok(())
}

/// An outage begins or goes on: its attempts are added to those that are known. Nodes that find out at once wait for each other
/// at the webhook's row.
async fn fails(
    transaction: &mut Transaction<'_>,
    webhook_id: WebhookId,
    outage: &Outage,
) -> Result<Option<Notice>, StoreError> {
    let connection = &mut *transaction.connection;
    let Some(webhook) = locked(connection, webhook_id).await? else {
        return Ok(None);
    };
    let last = &outage.last;
    let (status, reason) = (last.status.map(i64::from), last.reason.map(FailureReason::as_str));
    for sql in [GO_ON, BEGIN] {
        let written = sqlx::query(sql)
            .bind(webhook_id.0)
            .bind(i64::from(outage.attempts))
            .bind(last.at.as_millis())
            .bind(last.delivery_id.0)
            .bind(i64::from(last.attempt_number))
            .bind(status)
            .bind(reason)
            .bind(outage.since.as_millis())
            .execute(&mut *connection)
            .await?;
        if written.rows_affected() > 0 {
            return Ok((sql == BEGIN).then(|| webhook.began(outage)).flatten());
        }
    }
    Ok(None)
}

/// The webhook, with its row locked.
async fn locked(connection: &mut PgConnection, id: WebhookId) -> Result<Option<Failing>, StoreError> {
    let query = sqlx::query(LOCK).bind(id.0);
    first(connection, query, Failing::read).await
}

const LOCK: &str = concat!(
    "SELECT ",
    failing_columns!(),
    " FROM webhooks WHERE id = $1 AND deleted_at IS NULL FOR UPDATE"
);

const GO_ON: &str = "UPDATE webhook_outages SET attempts = attempts + $2, last_at = $3, last_delivery_id = $4, \
     last_attempt = $5, last_status = $6, last_reason = $7, since_at = least(since_at, $8::bigint) \
     WHERE webhook_id = $1 AND until_at IS NULL";

/// One that is written down as over and had the same beginning goes on.
const BEGIN: &str = "INSERT INTO webhook_outages AS o (webhook_id, attempts, last_at, last_delivery_id, last_attempt, last_status, \
     last_reason, since_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (webhook_id, since_at) DO UPDATE SET \
     until_at = NULL, attempts = o.attempts + excluded.attempts, last_at = excluded.last_at, \
     last_delivery_id = excluded.last_delivery_id, last_attempt = excluded.last_attempt, \
     last_status = excluded.last_status, last_reason = excluded.last_reason";

/// The outage is over, if there is one; the oldest of many are forgotten.
async fn end(
    transaction: &mut Transaction<'_>,
    webhook_id: WebhookId,
    now: Timestamp,
) -> Result<Option<Notice>, StoreError> {
    let connection = &mut *transaction.connection;
    let webhook = locked(connection, webhook_id).await?;
    let query = sqlx::query(LASTS).bind(webhook_id.0);
    let Some((_, outage)) = first(connection, query, read).await? else {
        return Ok(None);
    };
    sqlx::query(END)
        .bind(now.as_millis())
        .bind(webhook_id.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query(FORGET)
        .bind(webhook_id.0)
        .bind(i64::from(MOST_KEPT))
        .execute(connection)
        .await?;
    Ok(webhook.and_then(|webhook| webhook.ended(&outage, now)))
}

const LASTS: &str = concat!(
    "SELECT ",
    outage_columns!(),
    " FROM webhook_outages o WHERE o.webhook_id = $1 AND o.until_at IS NULL"
);

const END: &str = "UPDATE webhook_outages SET until_at = $1 WHERE webhook_id = $2 AND until_at IS NULL";

const FORGET: &str = "DELETE FROM webhook_outages WHERE webhook_id = $1 AND since_at <= (SELECT since_at FROM webhook_outages \
     WHERE webhook_id = $1 ORDER BY since_at DESC LIMIT 1 OFFSET $2)";

/// The outages that last, by webhook.
pub(super) async fn lasting(
    connection: &mut PgConnection,
    company_id: Option<CompanyId>,
) -> Result<Vec<(WebhookId, Outage)>, StoreError> {
    let query = sqlx::query(LASTING).bind(company_id.map(|id| id.0));
    all(connection, query, read).await
}

const LASTING: &str = concat!(
    "SELECT ",
    outage_columns!(),
    " FROM webhook_outages o JOIN webhooks w ON w.id = o.webhook_id \
     WHERE o.until_at IS NULL AND w.deleted_at IS NULL AND ($1 IS NULL OR w.company_id = $1) ORDER BY o.webhook_id"
);

/// A webhook's outages, newest first.
pub(super) async fn of(
    connection: &mut PgConnection,
    webhook_id: WebhookId,
    most: u32,
) -> Result<Vec<Outage>, StoreError> {
    let query = sqlx::query(OF).bind(webhook_id.0).bind(i64::from(most));
    let outages = all(connection, query, read).await?;
    Ok(outages.into_iter().map(|(_, outage)| outage).collect())
}

const OF: &str = concat!(
    "SELECT ",
    outage_columns!(),
    " FROM webhook_outages o WHERE o.webhook_id = $1 ORDER BY o.since_at DESC LIMIT $2"
);
