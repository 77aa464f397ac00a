//! Websockets: where somebody may listen.

use sqlx::postgres::PgConnection;
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

pub(super) async fn create(
    transaction: &mut Transaction<'_>,
    websocket: &Websocket,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    let id = websocket.id;
    let sql = concat!(
        "INSERT INTO websockets (",
        websocket_columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6)"
    );
    sqlx::query(sql)
        .bind(id.0)
        .bind(websocket.company_id.0)
        .bind(secret::kept(id, websocket.secret.as_ref(), sealing))
        .bind(sealing.keep(id, &websocket.token_key))
        .bind(websocket.created_at.as_millis())
        .bind(websocket.updated_at.as_millis())
        .execute(&mut *transaction.connection)
        .await?;
    transaction.registry_changed(websocket.company_id).await?;
    Ok(websocket.clone())
}

pub(super) async fn update(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: WebsocketId,
    secret: Option<Secret>,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    let before = find(transaction.connection, company_id, id, sealing).await?;
    let websocket = before.with_secret(secret, now);
    sqlx::query("UPDATE websockets SET secret = $1, updated_at = $2 WHERE id = $3")
        .bind(secret::kept(id, websocket.secret.as_ref(), sealing))
        .bind(now.as_millis())
        .bind(id.0)
        .execute(&mut *transaction.connection)
        .await?;
    transaction.registry_changed(company_id).await?;
    Ok(websocket)
}

pub(super) async fn delete(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: WebsocketId,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    let connection = &mut *transaction.connection;
    let websocket = find(connection, company_id, id, sealing).await?;
    sqlx::query("DELETE FROM websockets WHERE id = $1")
        .bind(id.0)
        .execute(&mut *connection)
        .await?;
    subscriptions::orphan(connection, Endpoint::Websocket(id), now).await?;
    transaction.registry_changed(company_id).await?;
    Ok(websocket)
}

/// Whether the company has the websocket.
pub(super) async fn exists(
    connection: &mut PgConnection,
    company_id: CompanyId,
    id: WebsocketId,
) -> Result<bool, StoreError> {
    let query = sqlx::query("SELECT 1 FROM websockets WHERE id = $1 AND company_id = $2");
    let query = query.bind(id.0).bind(company_id.0);
    Ok(first(connection, query, |_| Ok(())).await?.is_some())
}

pub(super) async fn find(
    connection: &mut PgConnection,
    company_id: CompanyId,
    id: WebsocketId,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    let sql = concat!(
        "SELECT ",
        websocket_columns!(),
        " FROM websockets WHERE id = $1 AND company_id = $2"
    );
    let query = sqlx::query(sql).bind(id.0).bind(company_id.0);
    first(connection, query, |row| read(row, sealing))
        .await?
        .ok_or(StoreError::NotFound("websocket"))
}

pub(super) async fn list(
    connection: &mut PgConnection,
    company_id: Option<CompanyId>,
    page: PageRequest,
    sealing: &Sealing,
) -> Result<Page<Websocket>, StoreError> {
    let sql = concat!("SELECT ", websocket_columns!(), " FROM websockets WHERE id > 0");
    Listing::new(sql)
        .narrowed("company_id = ?", company_id.map(|id| id.0))
        .oldest_first(page)
        .page(connection, |row| read(row, sealing), |websocket| websocket.id.0)
        .await
}
