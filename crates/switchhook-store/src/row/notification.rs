//! Notifications, channels, and how far one is on its way to the other, as rows.

use switchhook_domain::id::{CompanyId, NotificationId};
use switchhook_domain::notification::{Newest, News, Notification, Progress, Recipient};

use super::{Columns, Row};
use crate::error::StoreError;

/// What [`read`] reads, in its order.
macro_rules! notification_columns {
    () => {
        "id, company_id, kind, at, count, data, due_at, handed_out_at"
    };
}
pub(crate) use notification_columns;

/// What [`read_progress`] reads, in its order.
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
    let news = News::from_kept(kind, data).map_err(|error| columns.corrupt(format_args!("data: {error}")))?;
    Ok(Notification {
        id: NotificationId(columns.id()),
        company_id: company_id.map(CompanyId),
        at,
        count,
        news,
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
pub(crate) fn read_newest(row: &Row<'_>) -> Result<Newest, StoreError> {
    let mut columns = Columns::of("notifications", row)?;
    Ok(match columns.maybe_time()? {
        Some(at) => Newest::HandedOut(at),
        None => Newest::Open(NotificationId(columns.id())),
    })
}
