//! Notifications: what became of those that were written down by `notices.rs`.

use rusqlite::Connection;
use switchhook_domain::id::CompanyId;

use super::list::{Listing, all};
use crate::error::StoreError;
use crate::notification::NotificationRecord;
use crate::page::{Page, PageRequest};
use crate::row::notification::{notification_columns, progress_columns, read, read_progress};

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
