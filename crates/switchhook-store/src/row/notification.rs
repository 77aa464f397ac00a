//! Notifications, and how far each is on its way, as rows.

use switchhook_domain::id::{CompanyId, NotificationId};
use switchhook_domain::notification::{
    LatestNotification, Notification, NotificationPayload, Progress, Recipient,
};

use super::{Columns, Row};
use crate::error::StoreError;
use crate::notification::Recipients;

/// Columns for [`read`].
macro_rules! notification_columns {
    () => {
        "id, company_id, kind, at, count, data, due_at, handed_out_at"
    };
}
pub(crate) use notification_columns;

/// Columns for [`read_progress`].
macro_rules! progress_columns {
    () => {
        "notification_id, channel_id, attempts, due_at, sent_at, error"
    };
}
pub(crate) use progress_columns;

pub(crate) fn read(row: &Row<'_>) -> Result<Notification, StoreError> {
    let mut columns = Columns::of("notifications", row)?;
    let company_id: Option<i64> = columns.read()?;
    let kind = columns.word()?;
    let (at, count) = (columns.time()?, columns.read()?);
    let data = columns.text()?;
    let payload = NotificationPayload::from_kept(kind, data)
        .map_err(|error| columns.corrupt(format_args!("data: {error}")))?;
    Ok(Notification {
        id: NotificationId(columns.id()),
        company_id: company_id.map(CompanyId),
        at,
        count,
        payload,
        due_at: columns.time()?,
        handed_out_at: columns.maybe_time()?,
    })
}

/// Of which notification, and how far it is.
pub(crate) fn read_progress(row: &Row<'_>) -> Result<(NotificationId, Progress), StoreError> {
    let mut columns = Columns::of("notification_progress", row)?;
    let progress = Progress {
        recipient: Recipient::from_number(columns.read()?),
        attempts: columns.read()?,
        due_at: columns.maybe_time()?,
        sent_at: columns.maybe_time()?,
        error: columns.read()?,
    };
    Ok((NotificationId(columns.id()), progress))
}

/// The newest of a kind and subject, given as a row of its id and when it was handed out.
pub(crate) fn read_newest(row: &Row<'_>) -> Result<LatestNotification, StoreError> {
    let mut columns = Columns::of("notifications", row)?;
    Ok(match columns.maybe_time()? {
        Some(at) => LatestNotification::HandedOut(at),
        None => LatestNotification::Open(NotificationId(columns.id())),
    })
}

/// Claimed notification of one recipient, and the number of tries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NotificationClaimRow {
    pub(crate) notification_id: i64,
    pub(crate) channel_id: i64,
    pub(crate) attempts: u32,
}

pub(crate) fn read_claimed(row: &Row<'_>) -> Result<NotificationClaimRow, StoreError> {
    let mut columns = Columns::of("notification_progress", row)?;
    Ok(NotificationClaimRow {
        notification_id: columns.id(),
        channel_id: columns.read()?,
        attempts: columns.read()?,
    })
}

/// The smallest channel id and the largest that belong to these recipients: 0 is the command.
pub(crate) const fn channel_ids(recipients: Recipients) -> (i64, i64) {
    match recipients {
        Recipients::Channels => (1, i64::MAX),
        Recipients::Command => (0, 0),
    }
}

/// Error of a notification whose channel was deleted before it was sent.
pub(crate) const CHANNEL_DELETED: &str = "the channel was deleted";
