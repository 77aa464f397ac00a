//! Websockets: where somebody may listen.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, WebsocketId};
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::websocket::Websocket;

use super::list::{Listing, first};
use super::subscriptions;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::secret;
use crate::row::websocket::{read, websocket_columns};
use crate::sealing::Sealing;

const COLUMNS: &str = websocket_columns!();

pub(super) fn create(
    transaction: &mut Transaction<'_>,
    websocket: &Websocket,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    let id = websocket.id;
    let sql = format!("INSERT INTO websockets ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)");
    transaction.prepare(&sql)?.execute(params![
        id.0,
        websocket.company_id.0,
        secret::kept(id, websocket.secret.as_ref(), sealing),
        sealing.keep(id, &websocket.token_key),
        websocket.created_at.as_millis(),
        websocket.updated_at.as_millis(),
    ])?;
    Ok(websocket.clone())
}

pub(super) fn update(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: WebsocketId,
    secret: Option<Secret>,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    let websocket = find(transaction.connection, company_id, id, sealing)?.with_secret(secret, now);
    let sql = "UPDATE websockets SET secret = ?, updated_at = ? WHERE id = ?";
    transaction.prepare(sql)?.execute(params![
        secret::kept(id, websocket.secret.as_ref(), sealing),
        now.as_millis(),
        id.0
    ])?;
    Ok(websocket)
}

pub(super) fn delete(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: WebsocketId,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    let websocket = find(transaction.connection, company_id, id, sealing)?;
    let sql = "DELETE FROM websockets WHERE id = ?";
    transaction.prepare(sql)?.execute([id.0])?;
    subscriptions::orphan(transaction, company_id, Endpoint::Websocket(id), now)?;
    Ok(websocket)
}

/// Whether the company has the websocket.
pub(super) fn exists(
    connection: &Connection,
    company_id: CompanyId,
    id: WebsocketId,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM websockets WHERE id = ? AND company_id = ?";
    Ok(first(connection, sql, &[&id.0, &company_id.0], |_| Ok(()))?.is_some())
}

pub(super) fn find(
    connection: &Connection,
    company_id: CompanyId,
    id: WebsocketId,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM websockets WHERE id = ? AND company_id = ?");
    first(connection, &sql, &[&id.0, &company_id.0], |row| {
        read(row, sealing)
    })?
    .ok_or(StoreError::NotFound("websocket"))
}

pub(super) fn list(
    connection: &Connection,
    company_id: Option<CompanyId>,
    page: PageRequest,
    sealing: &Sealing,
) -> Result<Page<Websocket>, StoreError> {
    listing(company_id).oldest_first(page).page(
        connection,
        |row| read(row, sealing),
        |websocket| websocket.id.0,
    )
}

pub(super) fn listing(company_id: Option<CompanyId>) -> Listing {
    Listing::new(COLUMNS, "FROM websockets WHERE true").along("company_id = ?", company_id.map(|id| id.0))
}
