//! Outages: times in which every attempt to send to a webhook failed.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::FailureReason;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::outage::Outage;

use super::list::{all, first};
use super::notices;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::outage::{Failing, MOST_KEPT, OutageWrite, failing_columns};
use crate::row::outage::{outage_columns, read};

/// Writes down what became of outages.
pub(super) fn write(transaction: &Transaction<'_>, writes: &[OutageWrite]) -> Result<(), StoreError> {
    for write in writes {
        match write {
            OutageWrite::Fails { webhook_id, outage } => fails(transaction, *webhook_id, outage)?,
            OutageWrite::Ended { webhook_id, at } => end(transaction, *webhook_id, *at)?,
        }
    }
    Ok(())
}

/// An outage begins or goes on: its attempts are added to those that are known.
fn fails(transaction: &Transaction<'_>, webhook_id: WebhookId, outage: &Outage) -> Result<(), StoreError> {
    let Some(webhook) = webhook(transaction.connection, webhook_id)? else {
        return Ok(());
    };
    let last = &outage.last;
    let (status, reason) = (last.status, last.reason.map(FailureReason::as_str));
    let goes_on = transaction.prepare(GO_ON)?.execute(params![
        outage.attempts,
        last.at.as_millis(),
        last.delivery_id.0,
        last.attempt_number,
        status,
        reason,
        webhook_id.0,
    ])?;
    if goes_on == 0 {
        transaction.prepare(BEGIN)?.execute(params![
            webhook_id.0,
            outage.since.as_millis(),
            outage.attempts,
            last.at.as_millis(),
            last.delivery_id.0,
            last.attempt_number,
            status,
            reason,
        ])?;
        if let Some(notice) = webhook.began(outage) {
            notices::add(transaction, &notice)?;
        }
    }
    Ok(())
}

fn webhook(connection: &Connection, id: WebhookId) -> Result<Option<Failing>, StoreError> {
    first(connection, WEBHOOK, &[&id.0], Failing::read)
}

const WEBHOOK: &str = concat!(
    "SELECT ",
    failing_columns!(),
    " FROM webhooks WHERE id = ? AND deleted_at IS NULL"
);

const GO_ON: &str = "UPDATE webhook_outages SET attempts = attempts + ?, last_at = ?, last_delivery_id = ?, \
     last_attempt = ?, last_status = ?, last_reason = ? WHERE webhook_id = ? AND until_at IS NULL";

/// One that is written down as over and had the same beginning goes on.
const BEGIN: &str = "INSERT INTO webhook_outages (webhook_id, since_at, attempts, last_at, last_delivery_id, last_attempt, \
     last_status, last_reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET until_at = NULL, \
     attempts = attempts + excluded.attempts, last_at = excluded.last_at, last_delivery_id = excluded.last_delivery_id, \
     last_attempt = excluded.last_attempt, last_status = excluded.last_status, last_reason = excluded.last_reason";

/// The outage is over, if there is one; the oldest of many are forgotten.
fn end(transaction: &Transaction<'_>, webhook_id: WebhookId, now: Timestamp) -> Result<(), StoreError> {
    let Some((_, outage)) = first(transaction.connection, LASTS, &[&webhook_id.0], read)? else {
        return Ok(());
    };
    transaction
        .prepare(END)?
        .execute(params![now.as_millis(), webhook_id.0])?;
    transaction
        .prepare(FORGET)?
        .execute(params![webhook_id.0, webhook_id.0, MOST_KEPT])?;
    let webhook = webhook(transaction.connection, webhook_id)?;
    if let Some(notice) = webhook.and_then(|webhook| webhook.ended(&outage, now)) {
        notices::add(transaction, &notice)?;
    }
    Ok(())
}

const LASTS: &str = concat!(
    "SELECT ",
    outage_columns!(),
    " FROM webhook_outages o WHERE o.webhook_id = ? AND o.until_at IS NULL"
);

const END: &str = "UPDATE webhook_outages SET until_at = ? WHERE webhook_id = ? AND until_at IS NULL";

const FORGET: &str = "DELETE FROM webhook_outages WHERE webhook_id = ? AND since_at <= (SELECT since_at FROM webhook_outages \
     WHERE webhook_id = ? ORDER BY since_at DESC LIMIT 1 OFFSET ?)";

/// The outages that last, by webhook.
pub(super) fn lasting(
    connection: &Connection,
    company_id: Option<CompanyId>,
) -> Result<Vec<(WebhookId, Outage)>, StoreError> {
    all(connection, LASTING, &[&company_id.map(|id| id.0)], read)
}

pub(super) const LASTING: &str = concat!(
    "SELECT ",
    outage_columns!(),
    " FROM webhook_outages o INDEXED BY webhook_outages_lasting JOIN webhooks w ON w.id = o.webhook_id \
     WHERE o.until_at IS NULL AND w.deleted_at IS NULL AND (?1 IS NULL OR w.company_id = ?1) ORDER BY o.webhook_id"
);

/// A webhook's outages, newest first.
pub(super) fn of(
    connection: &Connection,
    webhook_id: WebhookId,
    most: u32,
) -> Result<Vec<Outage>, StoreError> {
    let outages = all(connection, OF, &[&webhook_id.0, &most], read)?;
    Ok(outages.into_iter().map(|(_, outage)| outage).collect())
}

pub(super) const OF: &str = concat!(
    "SELECT ",
    outage_columns!(),
    " FROM webhook_outages o WHERE o.webhook_id = ? ORDER BY o.since_at DESC LIMIT ?"
);
