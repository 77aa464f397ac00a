//! Notifications: what became of those that were written down by `notices.rs`.

use std::collections::HashMap;

use sqlx::postgres::PgConnection;
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

pub(super) async fn list(
    connection: &mut PgConnection,
    company_id: CompanyId,
    page: PageRequest,
) -> Result<Page<NotificationRecord>, StoreError> {
    let sql = concat!(
        "SELECT ",
        notification_columns!(),
        " FROM notifications WHERE coalesce(company_id, 1) = $1"
    );
    let page = Listing::new(sql)
        .with(company_id.0)
        .newest_first(page)
        .page(connection, read, |notification| notification.id.0)
        .await?;
    let ids: Vec<i64> = page.items.iter().map(|notification| notification.id.0).collect();
    let mut progress = all(connection, sqlx::query(PROGRESS).bind(ids), read_progress)
        .await?
        .into_iter()
        .peekable();
    let records = page.items.into_iter().map(|notification| {
        let own = std::iter::from_fn(|| progress.next_if(|(id, _)| *id == notification.id));
        NotificationRecord {
            progress: own.map(|(_, progress)| progress).collect(),
            notification,
        }
    });
    Ok(Page {
        items: records.collect(),
        next: page.next,
    })
}

const PROGRESS: &str = concat!(
    "SELECT ",
    progress_columns!(),
    " FROM notification_progress WHERE notification_id = ANY($1) ORDER BY notification_id DESC, channel_id"
);

/// Whether something is to be handed out, or is due to these recipients.
pub(super) async fn are_due(
    connection: &mut PgConnection,
    claim: NotificationClaim,
) -> Result<bool, StoreError> {
    let (least, most) = channel_ids(claim.recipients);
    let sql = "SELECT (EXISTS (SELECT FROM notifications WHERE handed_out_at IS NULL AND due_at <= $1) OR EXISTS \
               (SELECT FROM notification_progress WHERE due_at <= $1 AND channel_id BETWEEN $2 AND $3))::int::bigint";
    let query = sqlx::query(sql)
        .bind(claim.now.as_millis())
        .bind(least)
        .bind(most);
    let is_due = first(connection, query, |row| row.get::<bool>(0)).await?;
    Ok(is_due.unwrap_or_default())
}

/// Hands out what is to be said, and claims what is due. What another node is about to hand out or claim is passed by.
pub(super) async fn claim(
    transaction: &mut Transaction<'_>,
    claim: NotificationClaim,
    sealing: &Sealing,
) -> Result<Vec<ClaimedNotification>, StoreError> {
    let connection = &mut *transaction.connection;
    let now = claim.now.as_millis();
    sqlx::query(HAND_OUT)
        .bind(now)
        .bind(i64::from(claim.most))
        .bind(claim.has_command)
        .execute(&mut *connection)
        .await?;
    let (least, most) = channel_ids(claim.recipients);
    let query = sqlx::query(CLAIM)
        .bind(now)
        .bind(least)
        .bind(most)
        .bind(i64::from(claim.most))
        .bind(claim.until.as_millis());
    let claimed = all(connection, query, read_claimed).await?;
    whole(connection, claimed, sealing).await
}

/// To those of the company's channels that want its kind, and to the operator's command.
const HAND_OUT: &str = "WITH out AS (UPDATE notifications SET handed_out_at = $1 WHERE id IN \
     (SELECT id FROM notifications WHERE handed_out_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT $2 \
     FOR UPDATE SKIP LOCKED) RETURNING id, company_id, kind) \
     INSERT INTO notification_progress (notification_id, channel_id, attempts, due_at) \
     SELECT out.id, channel.id, 0, $1 FROM out JOIN notification_channels AS channel \
     ON channel.company_id = coalesce(out.company_id, 1) AND strpos(channel.kinds, '\"' || out.kind || '\"') > 0 \
     UNION ALL SELECT out.id, 0, 0, $1 FROM out WHERE $3";

const CLAIM: &str = "UPDATE notification_progress AS one SET due_at = $5, attempts = one.attempts + 1 FROM \
     (SELECT notification_id, channel_id FROM notification_progress \
     WHERE due_at <= $1 AND channel_id BETWEEN $2 AND $3 ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED) AS due \
     WHERE one.notification_id = due.notification_id AND one.channel_id = due.channel_id \
     RETURNING one.notification_id, one.channel_id, one.attempts";

/// Claimed notifications with all that is needed to send them.
async fn whole(
    connection: &mut PgConnection,
    claimed: Vec<Claimed>,
    sealing: &Sealing,
) -> Result<Vec<ClaimedNotification>, StoreError> {
    if claimed.is_empty() {
        return Ok(Vec::new());
    }
    let ids = |id_of: fn(&Claimed) -> i64| claimed.iter().map(id_of).collect::<Vec<_>>();
    let query = sqlx::query(SOME).bind(ids(|one| one.notification_id));
    let notifications = all(connection, query, read).await?;
    let notifications: HashMap<_, _> = notifications.into_iter().map(|one| (one.id.0, one)).collect();
    let channels = channels::find_any(connection, ids(|one| one.channel_id), sealing).await?;
    let channels: HashMap<_, _> = channels.into_iter().map(|one| (one.id.0, one)).collect();
    let whole = claimed.iter().filter_map(|one| {
        let channel = match one.channel_id {
            0 => None,
            id => Some(channels.get(&id)?.clone()),
        };
        Some(ClaimedNotification {
            notification: notifications.get(&one.notification_id)?.clone(),
            channel,
            attempts: one.attempts,
        })
    });
    Ok(whole.collect())
}

const SOME: &str = concat!(
    "SELECT ",
    notification_columns!(),
    " FROM notifications WHERE id = ANY($1)"
);

/// Keeps what came of an attempt, unless another one began meanwhile.
pub(super) async fn finish(
    transaction: &mut Transaction<'_>,
    finished: &FinishedNotification,
) -> Result<(), StoreError> {
    let sql = "UPDATE notification_progress SET due_at = $1, sent_at = $2, error = $3 \
               WHERE notification_id = $4 AND channel_id = $5 AND attempts = $6 AND due_at IS NOT NULL";
    sqlx::query(sql)
        .bind(finished.due_at.map(Timestamp::as_millis))
        .bind(finished.sent_at.map(Timestamp::as_millis))
        .bind(finished.error.as_ref().map(|error| error.replace('\0', "")))
        .bind(finished.notification_id.0)
        .bind(finished.recipient.as_number())
        .bind(i64::from(finished.attempts))
        .execute(&mut *transaction.connection)
        .await?;
    Ok(())
}

/// Removes the oldest notifications, of those before `before`; answers how many.
pub(super) async fn forget_old(
    transaction: &mut Transaction<'_>,
    before: Timestamp,
    most: u32,
) -> Result<u32, StoreError> {
    let sql = "WITH old AS (DELETE FROM notifications WHERE id IN \
               (SELECT id FROM notifications WHERE id < $1 ORDER BY id LIMIT $2) RETURNING id), \
               progress AS (DELETE FROM notification_progress WHERE notification_id IN (SELECT id FROM old)) \
               SELECT count(*) FROM old";
    let query = sqlx::query(sql).bind(first_id_at(before)).bind(i64::from(most));
    let removed = first(&mut *transaction.connection, query, |row| row.get(0)).await?;
    Ok(removed.unwrap_or_default())
}
