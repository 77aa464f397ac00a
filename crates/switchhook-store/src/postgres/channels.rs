//! Channels: where notifications go.

use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{ChannelId, CompanyId};
use switchhook_domain::notification::{Channel, ChannelChange};

use super::list::{Listing, all, first};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::channel::{channel_columns, kept_kinds, read};
use crate::row::notification::CHANNEL_DELETED;
use crate::row::secret;
use crate::sealing::Sealing;

pub(super) async fn create(
    transaction: &mut Transaction<'_>,
    channel: &Channel,
    sealing: &Sealing,
) -> Result<Channel, StoreError> {
    let sql = concat!(
        "INSERT INTO notification_channels (",
        channel_columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    sqlx::query(sql)
        .bind(channel.id.0)
        .bind(channel.company_id.0)
        .bind(channel.channel_type.as_str())
        .bind(sealing.keep(channel.id, &channel.destination))
        .bind(secret::kept(channel.id, channel.secret.as_ref(), sealing))
        .bind(kept_kinds(&channel.kinds))
        .bind(channel.created_at.as_millis())
        .bind(channel.updated_at.as_millis())
        .execute(&mut *transaction.connection)
        .await?;
    Ok(channel.clone())
}

pub(super) async fn update(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: ChannelId,
    change: &ChannelChange,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Channel, StoreError> {
    let before = find_by(transaction.connection, FIND_AND_LOCK, company_id, id, sealing).await?;
    let channel = before.changed(change.clone(), now);
    let sql = "UPDATE notification_channels SET destination = $1, secret = $2, kinds = $3, updated_at = $4 WHERE id = $5";
    sqlx::query(sql)
        .bind(sealing.keep(id, &channel.destination))
        .bind(secret::kept(id, channel.secret.as_ref(), sealing))
        .bind(kept_kinds(&channel.kinds))
        .bind(channel.updated_at.as_millis())
        .bind(id.0)
        .execute(&mut *transaction.connection)
        .await?;
    Ok(channel)
}

pub(super) async fn delete(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: ChannelId,
    sealing: &Sealing,
) -> Result<Channel, StoreError> {
    let connection = &mut *transaction.connection;
    let channel = find_by(connection, FIND_AND_LOCK, company_id, id, sealing).await?;
    sqlx::query("DELETE FROM notification_channels WHERE id = $1")
        .bind(id.0)
        .execute(&mut *connection)
        .await?;
    let sql = "UPDATE notification_progress SET due_at = NULL, error = $1 WHERE due_at IS NOT NULL AND channel_id = $2";
    sqlx::query(sql)
        .bind(CHANNEL_DELETED)
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(channel)
}

pub(super) async fn find(
    connection: &mut PgConnection,
    company_id: CompanyId,
    id: ChannelId,
    sealing: &Sealing,
) -> Result<Channel, StoreError> {
    find_by(connection, FIND, company_id, id, sealing).await
}

async fn find_by(
    connection: &mut PgConnection,
    sql: &'static str,
    company_id: CompanyId,
    id: ChannelId,
    sealing: &Sealing,
) -> Result<Channel, StoreError> {
    let query = sqlx::query(sql).bind(id.0).bind(company_id.0);
    first(connection, query, |row| read(row, sealing))
        .await?
        .ok_or(StoreError::NotFound("notification channel"))
}

const FIND: &str = concat!(
    "SELECT ",
    channel_columns!(),
    " FROM notification_channels WHERE id = $1 AND company_id = $2"
);

const FIND_AND_LOCK: &str = concat!(
    "SELECT ",
    channel_columns!(),
    " FROM notification_channels WHERE id = $1 AND company_id = $2 FOR UPDATE"
);

/// Those with these ids, whatever companies they are of.
pub(super) async fn find_any(
    connection: &mut PgConnection,
    ids: Vec<i64>,
    sealing: &Sealing,
) -> Result<Vec<Channel>, StoreError> {
    let sql = concat!(
        "SELECT ",
        channel_columns!(),
        " FROM notification_channels WHERE id = ANY($1)"
    );
    all(connection, sqlx::query(sql).bind(ids), |row| read(row, sealing)).await
}

pub(super) async fn list(
    connection: &mut PgConnection,
    company_id: CompanyId,
    page: PageRequest,
    sealing: &Sealing,
) -> Result<Page<Channel>, StoreError> {
    let sql = concat!(
        "SELECT ",
        channel_columns!(),
        " FROM notification_channels WHERE company_id = $1"
    );
    Listing::new(sql)
        .with(company_id.0)
        .oldest_first(page)
        .page(connection, |row| read(row, sealing), |channel| channel.id.0)
        .await
}
