//! Notifications: what became of those that were written down by `notices.rs`.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, first_id_at};

use super::channels;
use super::list::{Listing, all, first};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::notification::{ClaimedNotification, FinishedNotification, NotificationClaim, NotificationRecord};
use crate::page::{Page, PageRequest};
use crate::row::notification::{
    Claimed, channel_ids, notification_columns, progress_columns, read, read_claimed, read_progress,
};
use crate::sealing::Sealing;

pub(super) fn list(
    connection: &Connection,
    company_id: CompanyId,
    page: PageRequest,
) -> Result<Page<NotificationRecord>, StoreError> {
    let page = listing(company_id)
        .newest_first(page)
        .page(connection, read, |notification| notification.id.0)?;
    let records = page.items.into_iter().map(|notification| {
        let progress = all(connection, PROGRESS, &[&notification.id.0], read_progress)?;
        Ok(NotificationRecord {
            notification,
            progress: progress.into_iter().map(|(_, progress)| progress).collect(),
        })
    });
    Ok(Page {
        items: records.collect::<Result<_, StoreError>>()?,
        next: page.next,
    })
}

pub(super) fn listing(company_id: CompanyId) -> Listing {
    Listing::new(
        notification_columns!(),
        "FROM notifications WHERE coalesce(company_id, 1) = ?",
    )
    .with(company_id.0)
}

pub(super) const PROGRESS: &str = concat!(
    "SELECT ",
    progress_columns!(),
    " FROM notification_progress WHERE notification_id = ? ORDER BY channel_id"
);

/// Whether something is to be handed out, or is due to these recipients.
pub(super) fn are_due(connection: &Connection, claim: &NotificationClaim) -> Result<bool, StoreError> {
    let now = claim.now.as_millis();
    let (least, most) = channel_ids(claim.recipients);
    let to_hand_out = first(connection, TO_HAND_OUT, &[&now, &1], |_| Ok(()))?;
    let due = first(connection, DUE, &[&now, &least, &most, &1], |_| Ok(()))?;
    Ok(to_hand_out.or(due).is_some())
}

pub(super) const TO_HAND_OUT: &str =
    "SELECT id FROM notifications WHERE handed_out_at IS NULL AND due_at <= ? ORDER BY due_at LIMIT ?";

pub(super) const DUE: &str = "SELECT notification_id, channel_id, attempts FROM notification_progress \
     WHERE due_at <= ? AND channel_id BETWEEN ? AND ? ORDER BY due_at LIMIT ?";

/// Hands out what is to be said, and claims what is due.
pub(super) fn claim(
    transaction: &mut Transaction<'_>,
    claim: &NotificationClaim,
    sealing: &Sealing,
) -> Result<Vec<ClaimedNotification>, StoreError> {
    let connection = transaction.connection;
    let now = claim.now.as_millis();
    let to_hand_out = all(connection, TO_HAND_OUT, &[&now, &claim.most], |row| {
        row.get::<i64>(0)
    })?;
    for id in to_hand_out {
        hand_out(transaction, id, claim)?;
    }
    let (least, most) = channel_ids(claim.recipients);
    let due = all(connection, DUE, &[&now, &least, &most, &claim.most], read_claimed)?;
    let mut claimed = Vec::new();
    for one in due {
        transaction.prepare(CLAIM)?.execute(params![
            claim.until.as_millis(),
            one.notification_id,
            one.channel_id
        ])?;
        claimed.extend(whole(connection, one, sealing)?);
    }
    Ok(claimed)
}

const CLAIM: &str = "UPDATE notification_progress SET due_at = ?, attempts = attempts + 1 \
     WHERE notification_id = ? AND channel_id = ?";

fn hand_out(transaction: &Transaction<'_>, id: i64, claim: &NotificationClaim) -> Result<(), StoreError> {
    let now = claim.now.as_millis();
    transaction
        .prepare("UPDATE notifications SET handed_out_at = ? WHERE id = ?")?
        .execute([now, id])?;
    transaction.prepare(TO_CHANNELS)?.execute([now, id])?;
    if claim.has_command {
        let sql = "INSERT INTO notification_progress (notification_id, channel_id, attempts, due_at) VALUES (?, 0, 0, ?)";
        transaction.prepare(sql)?.execute([id, now])?;
    }
    Ok(())
}

/// To those of the company's channels that want its kind.
pub(super) const TO_CHANNELS: &str = "INSERT INTO notification_progress (notification_id, channel_id, attempts, due_at) \
     SELECT n.id, c.id, 0, ?1 FROM notifications n \
     CROSS JOIN notification_channels c INDEXED BY notification_channels_by_company \
     ON c.company_id = coalesce(n.company_id, 1) WHERE n.id = ?2 AND instr(c.kinds, '\"' || n.kind || '\"') > 0";

/// A claimed notification with all that is needed to send it.
fn whole(
    connection: &Connection,
    claimed: Claimed,
    sealing: &Sealing,
) -> Result<Option<ClaimedNotification>, StoreError> {
    let Some(notification) = first(connection, ONE, &[&claimed.notification_id], read)? else {
        return Ok(None);
    };
    let channel = match claimed.channel_id {
        0 => None,
        id => Some(channels::find_any(connection, id, sealing)?),
    };
    let attempts = claimed.attempts + 1;
    Ok(match channel {
        Some(None) => None,
        channel => Some(ClaimedNotification {
            notification,
            channel: channel.flatten(),
            attempts,
        }),
    })
}

const ONE: &str = concat!(
    "SELECT ",
    notification_columns!(),
    " FROM notifications WHERE id = ?"
);

/// Keeps what came of an attempt, unless another one began meanwhile.
pub(super) fn finish(
    transaction: &mut Transaction<'_>,
    finished: &FinishedNotification,
) -> Result<(), StoreError> {
    let sql = "UPDATE notification_progress SET due_at = ?, sent_at = ?, error = ? \
               WHERE notification_id = ? AND channel_id = ? AND attempts = ? AND due_at IS NOT NULL";
    transaction.prepare(sql)?.execute(params![
        finished.due_at.map(Timestamp::as_millis),
        finished.sent_at.map(Timestamp::as_millis),
        finished.error,
        finished.notification_id.0,
        finished.recipient.as_number(),
        finished.attempts,
    ])?;
    Ok(())
}

/// Removes the oldest notifications, of those before `before`; answers how many.
pub(super) fn forget_old(
    transaction: &mut Transaction<'_>,
    before: Timestamp,
    most: u32,
) -> Result<u32, StoreError> {
    let ids = all(
        transaction.connection,
        OLD,
        &[&first_id_at(before), &most],
        |row| row.get::<i64>(0),
    )?;
    for id in &ids {
        for sql in [
            "DELETE FROM notification_progress WHERE notification_id = ?",
            "DELETE FROM notifications WHERE id = ?",
        ] {
            transaction.prepare(sql)?.execute([id])?;
        }
    }
    Ok(u32::try_from(ids.len()).unwrap_or(u32::MAX))
}

pub(super) const OLD: &str = "SELECT id FROM notifications WHERE id < ? ORDER BY id LIMIT ?";
