//! Notifications: what became of those that were written down by `notices.rs`.

use std::collections::HashMap;

use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, first_id_at};

use super::channels;
use crate::error::StoreError;
use crate::notification::{ClaimedNotification, FinishedNotification, NotificationClaim, NotificationRecord};
use crate::page::{Page, PageRequest};
use crate::row::notification::{
    NotificationClaimRow, channel_ids, notification_columns, progress_columns, read, read_claimed,
    read_progress,
};
use crate::sealing::Sealing;
use crate::sql::{Listing, Sql, SqlTransaction, all, first, values};

pub(super) async fn list(
    sql: &mut dyn Sql,
    company_id: CompanyId,
    page: PageRequest,
) -> Result<Page<NotificationRecord>, StoreError> {
    let listing = listing(company_id).newest_first(page);
    let page = listing.page(sql, read, |notification| notification.id.0).await?;
    let ids: Vec<i64> = page.items.iter().map(|notification| notification.id.0).collect();
    let mut progress = HashMap::<_, Vec<_>>::new();
    let mut found = all(sql, PROGRESS, values![ids], read_progress).await?;
    found.sort_by_key(|(_, one)| one.recipient.as_number());
    for (id, one) in found {
        progress.entry(id).or_default().push(one);
    }
    let records = page.items.into_iter().map(|notification| NotificationRecord {
        progress: progress.remove(&notification.id).unwrap_or_default(),
        notification,
    });
    Ok(Page {
        items: records.collect(),
        next: page.next,
    })
}

pub(crate) fn listing(company_id: CompanyId) -> Listing {
    Listing::new(notification_columns!(), "FROM notifications WHERE true")
        .along("coalesce(company_id, 1)", Some(company_id.0))
}

pub(crate) const PROGRESS: &str = concat!(
    "SELECT ",
    progress_columns!(),
    " FROM notification_progress WHERE notification_id = ANY(?)"
);

/// True if something is to be handed out, or due to these recipients.
pub(super) async fn are_due(sql: &mut dyn Sql, claim: &NotificationClaim) -> Result<bool, StoreError> {
    let (least, most) = channel_ids(claim.recipients);
    let to_hand_out = "SELECT id FROM notifications WHERE handed_out_at IS NULL AND due_at <= ? LIMIT 1";
    if first(sql, to_hand_out, values![claim.now], |_| Ok(()))
        .await?
        .is_some()
    {
        return Ok(true);
    }
    let due = "SELECT channel_id FROM notification_progress WHERE due_at <= ? AND channel_id BETWEEN ? AND ? LIMIT 1";
    let due = first(sql, due, values![claim.now, least, most], |_| Ok(())).await?;
    Ok(due.is_some())
}

/// Hands out what is to be said, and claims what is due. What another node is about to hand out or claim is passed by.
pub(super) async fn claim(
    sql: &mut dyn SqlTransaction,
    claim: &NotificationClaim,
    sealing: &Sealing,
) -> Result<Vec<ClaimedNotification>, StoreError> {
    hand_out(sql, claim).await?;
    let (least, most) = channel_ids(claim.recipients);
    let values = values![claim.now, least, most, claim.most];
    let claimed = all(sql, DUE, values, read_claimed).await?;
    for one in &claimed {
        let values = values![claim.until, one.notification_id, one.channel_id];
        sql.execute(CLAIM, values).await?;
    }
    whole(sql, claimed, sealing).await
}

pub(crate) const DUE: &str = "SELECT notification_id, channel_id, attempts FROM notification_progress \
     WHERE due_at <= ? AND channel_id BETWEEN ? AND ? ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED";

const CLAIM: &str = "UPDATE notification_progress SET due_at = ?, attempts = attempts + 1 \
     WHERE notification_id = ? AND channel_id = ?";

async fn hand_out(sql: &mut dyn SqlTransaction, claim: &NotificationClaim) -> Result<(), StoreError> {
    let ids: Vec<i64> = all(sql, TO_HAND_OUT, values![claim.now, claim.most], |row| row.get(0)).await?;
    if ids.is_empty() {
        return Ok(());
    }
    let update = "UPDATE notifications SET handed_out_at = ? WHERE id = ANY(?)";
    sql.execute(update, values![claim.now, &ids[..]]).await?;
    sql.execute(TO_CHANNELS, values![claim.now, &ids[..]]).await?;
    if claim.has_command {
        let insert = "INSERT INTO notification_progress (notification_id, channel_id, attempts, due_at) \
                      SELECT id, 0, 0, ? FROM notifications WHERE id = ANY(?)";
        sql.execute(insert, values![claim.now, &ids[..]]).await?;
    }
    Ok(())
}

pub(crate) const TO_HAND_OUT: &str = "SELECT id FROM notifications WHERE handed_out_at IS NULL AND due_at <= ? \
     ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED";

/// To those of the company's channels that want its kind.
pub(crate) const TO_CHANNELS: &str = "INSERT INTO notification_progress (notification_id, channel_id, attempts, due_at) \
     SELECT n.id, c.id, 0, ? FROM notifications n \
     CROSS JOIN notification_channels c INDEXED BY notification_channels_by_company \
     ON c.company_id = coalesce(n.company_id, 1) \
     WHERE n.id = ANY(?) AND replace(c.kinds, '\"' || n.kind || '\"', '') <> c.kinds";

/// Claimed notifications with all that is needed to send them.
async fn whole(
    sql: &mut dyn Sql,
    claimed: Vec<NotificationClaimRow>,
    sealing: &Sealing,
) -> Result<Vec<ClaimedNotification>, StoreError> {
    if claimed.is_empty() {
        return Ok(Vec::new());
    }
    let ids = |id_of: fn(&NotificationClaimRow) -> i64| claimed.iter().map(id_of).collect::<Vec<_>>();
    let notifications = all(sql, WITH_IDS, values![ids(|one| one.notification_id)], read).await?;
    let notifications: HashMap<_, _> = notifications.into_iter().map(|one| (one.id.0, one)).collect();
    let channels = channels::with_ids(sql, ids(|one| one.channel_id), sealing).await?;
    let channels: HashMap<_, _> = channels.into_iter().map(|one| (one.id.0, one)).collect();
    let whole = claimed.iter().filter_map(|one| {
        let channel = match one.channel_id {
            0 => None,
            id => Some(channels.get(&id)?.clone()),
        };
        Some(ClaimedNotification {
            notification: notifications.get(&one.notification_id)?.clone(),
            channel,
            attempts: one.attempts + 1,
        })
    });
    Ok(whole.collect())
}

const WITH_IDS: &str = concat!(
    "SELECT ",
    notification_columns!(),
    " FROM notifications WHERE id = ANY(?)"
);

/// Keeps what came of an attempt, unless another one began meanwhile.
pub(super) async fn finish(
    sql: &mut dyn SqlTransaction,
    finished: &FinishedNotification,
) -> Result<(), StoreError> {
    let update = "UPDATE notification_progress SET due_at = ?, sent_at = ?, error = ? \
                  WHERE notification_id = ? AND channel_id = ? AND attempts = ? AND due_at IS NOT NULL";
    let values = values![
        finished.due_at,
        finished.sent_at,
        finished.error.as_ref().map(|error| error.replace('\0', "")),
        finished.notification_id.0,
        finished.recipient.as_number(),
        finished.attempts,
    ];
    sql.execute(update, values).await?;
    Ok(())
}

/// Removes the oldest notifications, of those before `before`; answers how many.
pub(super) async fn forget_old(
    sql: &mut dyn SqlTransaction,
    before: Timestamp,
    most: u32,
) -> Result<u32, StoreError> {
    let old: Vec<i64> = all(sql, OLD, values![first_id_at(before), most], |row| row.get(0)).await?;
    let delete = "DELETE FROM notification_progress WHERE notification_id = ANY(?)";
    sql.execute(delete, values![&old[..]]).await?;
    let delete = "DELETE FROM notifications WHERE id = ANY(?)";
    sql.execute(delete, values![&old[..]]).await?;
    Ok(u32::try_from(old.len()).unwrap_or(u32::MAX))
}

pub(crate) const OLD: &str = "SELECT id FROM notifications WHERE id < ? ORDER BY id LIMIT ?";
