//! Channels: where notifications go.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{ChannelId, CompanyId};
use switchhook_domain::notification::{Channel, ChannelChange};

use super::list::{Listing, first};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::channel::{channel_columns, kept_kinds, read};
use crate::row::notification::CHANNEL_DELETED;
use crate::row::secret;
use crate::sealing::Sealing;

const COLUMNS: &str = channel_columns!();

pub(super) fn create(
    transaction: &mut Transaction<'_>,
    channel: &Channel,
    sealing: &Sealing,
) -> Result<Channel, StoreError> {
    let sql = format!("INSERT INTO notification_channels ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    transaction.prepare(&sql)?.execute(params![
        channel.id.0,
        channel.company_id.0,
        channel.channel_type.as_str(),
        sealing.keep(channel.id, &channel.destination),
        secret::kept(channel.id, channel.secret.as_ref(), sealing),
        kept_kinds(&channel.kinds),
        channel.created_at.as_millis(),
        channel.updated_at.as_millis(),
    ])?;
    Ok(channel.clone())
}

pub(super) fn update(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: ChannelId,
    change: &ChannelChange,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Channel, StoreError> {
    let channel = find(transaction.connection, company_id, id, sealing)?.changed(change.clone(), now);
    let sql = "UPDATE notification_channels SET destination = ?, secret = ?, kinds = ?, updated_at = ? WHERE id = ?";
    transaction.prepare(sql)?.execute(params![
        sealing.keep(id, &channel.destination),
        secret::kept(id, channel.secret.as_ref(), sealing),
        kept_kinds(&channel.kinds),
        channel.updated_at.as_millis(),
        id.0,
    ])?;
    Ok(channel)
}

pub(super) fn delete(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: ChannelId,
    sealing: &Sealing,
) -> Result<Channel, StoreError> {
    let channel = find(transaction.connection, company_id, id, sealing)?;
    transaction
        .prepare("DELETE FROM notification_channels WHERE id = ?")?
        .execute([id.0])?;
    let sql = "UPDATE notification_progress SET due_at = NULL, error = ? WHERE due_at IS NOT NULL AND channel_id = ?";
    transaction
        .prepare(sql)?
        .execute(params![CHANNEL_DELETED, id.0])?;
    Ok(channel)
}

pub(super) fn find(
    connection: &Connection,
    company_id: CompanyId,
    id: ChannelId,
    sealing: &Sealing,
) -> Result<Channel, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM notification_channels WHERE id = ? AND company_id = ?");
    first(connection, &sql, &[&id.0, &company_id.0], |row| {
        read(row, sealing)
    })?
    .ok_or(StoreError::NotFound("notification channel"))
}

/// Whatever company it is of.
pub(super) fn find_any(
    connection: &Connection,
    id: i64,
    sealing: &Sealing,
) -> Result<Option<Channel>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM notification_channels WHERE id = ?");
    first(connection, &sql, &[&id], |row| read(row, sealing))
}

pub(super) fn list(
    connection: &Connection,
    company_id: CompanyId,
    page: PageRequest,
    sealing: &Sealing,
) -> Result<Page<Channel>, StoreError> {
    listing(company_id)
        .oldest_first(page)
        .page(connection, |row| read(row, sealing), |channel| channel.id.0)
}

pub(super) fn listing(company_id: CompanyId) -> Listing {
    Listing::new(COLUMNS, "FROM notification_channels WHERE company_id = ?").with(company_id.0)
}
