//! Notifications: what became of those that were written down by `notices.rs`.

use sqlx::postgres::PgConnection;
use switchhook_domain::id::CompanyId;

use super::list::{Listing, all};
use crate::error::StoreError;
use crate::notification::NotificationRecord;
use crate::page::{Page, PageRequest};
use crate::row::notification::{notification_columns, progress_columns, read, read_progress};

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
