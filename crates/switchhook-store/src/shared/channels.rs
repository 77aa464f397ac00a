//! Channels: where notifications go. A channel's row is locked by whoever changes it.

use switchhook_domain::Timestamp;
use switchhook_domain::id::{ChannelId, CompanyId};
use switchhook_domain::notification::{Channel, ChannelChange};

use crate::error::StoreError;
use crate::row::channel::{channel_columns, kept_kinds, read};
use crate::row::notification::CHANNEL_DELETED;
use crate::row::secret;
use crate::sealing::Sealing;
use crate::sql::{Listing, Sql, SqlTransaction, all, first, values};

pub(super) async fn create(
    sql: &mut dyn SqlTransaction,
    channel: &Channel,
    sealing: &Sealing,
) -> Result<Channel, StoreError> {
    let insert = concat!(
        "INSERT INTO notification_channels (",
        channel_columns!(),
        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    );
    let values = values![
        channel.id.0,
        channel.company_id.0,
        channel.channel_type.as_str(),
        sealing.keep(channel.id, &channel.destination),
        secret::kept(channel.id, channel.secret.as_ref(), sealing),
        kept_kinds(&channel.kinds),
        channel.created_at,
        channel.updated_at,
    ];
    sql.execute(insert, values).await?;
    Ok(channel.clone())
}

pub(super) async fn update(
    sql: &mut dyn SqlTransaction,
    company_id: CompanyId,
    id: ChannelId,
    change: &ChannelChange,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Channel, StoreError> {
    let before = find(sql, FIND_AND_LOCK, company_id, id, sealing).await?;
    let channel = before.changed(change.clone(), now);
    let update = "UPDATE notification_channels SET destination = ?, secret = ?, kinds = ?, updated_at = ? WHERE id = ?";
    let values = values![
        sealing.keep(id, &channel.destination),
        secret::kept(id, channel.secret.as_ref(), sealing),
        kept_kinds(&channel.kinds),
        channel.updated_at,
        id.0,
    ];
    sql.execute(update, values).await?;
    Ok(channel)
}

pub(super) async fn delete(
    sql: &mut dyn SqlTransaction,
    company_id: CompanyId,
    id: ChannelId,
    sealing: &Sealing,
) -> Result<Channel, StoreError> {
    sql.overwrite().await?;
    let channel = find(sql, FIND_AND_LOCK, company_id, id, sealing).await?;
    let delete = "DELETE FROM notification_channels WHERE id = ?";
    sql.execute(delete, values![id.0]).await?;
    let update = "UPDATE notification_progress SET due_at = NULL, error = ? WHERE due_at IS NOT NULL AND channel_id = ?";
    sql.execute(update, values![CHANNEL_DELETED, id.0]).await?;
    Ok(channel)
}

pub(super) async fn find(
    sql: &mut dyn Sql,
    select: &'static str,
    company_id: CompanyId,
    id: ChannelId,
    sealing: &Sealing,
) -> Result<Channel, StoreError> {
    let found = first(sql, select, values![id.0, company_id.0], |row| read(row, sealing)).await?;
    found.ok_or(StoreError::NotFound("notification channel"))
}

pub(super) const FIND: &str = concat!(
    "SELECT ",
    channel_columns!(),
    " FROM notification_channels WHERE id = ? AND company_id = ?"
);

const FIND_AND_LOCK: &str = concat!(
    "SELECT ",
    channel_columns!(),
    " FROM notification_channels WHERE id = ? AND company_id = ? FOR UPDATE"
);

/// Those with these ids, whatever companies they are of.
pub(super) async fn with_ids(
    sql: &mut dyn Sql,
    ids: Vec<i64>,
    sealing: &Sealing,
) -> Result<Vec<Channel>, StoreError> {
    let select = concat!(
        "SELECT ",
        channel_columns!(),
        " FROM notification_channels WHERE id = ANY(?)"
    );
    all(sql, select, values![ids], |row| read(row, sealing)).await
}

pub(crate) fn listing(company_id: CompanyId) -> Listing {
    Listing::new(channel_columns!(), "FROM notification_channels WHERE true")
        .along("company_id", Some(company_id.0))
}
