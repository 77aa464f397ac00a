//! Stub.

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::{Cells, Row};
use crate::sealing::Sealing;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, WebsocketId};
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::websocket::Websocket;

pub(super) async fn create(
    transaction: &mut Transaction<'_>,
    websocket: &Websocket,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    unimplemented!()
}

pub(super) async fn delete(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: WebsocketId,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    unimplemented!()
}

pub(super) async fn find(
    _connection: &mut PgConnection,
    company_id: CompanyId,
    id: WebsocketId,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    unimplemented!()
}

pub(super) async fn list(
    _connection: &mut PgConnection,
    company_id: Option<CompanyId>,
    page: PageRequest,
    sealing: &Sealing,
) -> Result<Page<Websocket>, StoreError> {
    unimplemented!()
}

pub(super) async fn update(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: WebsocketId,
    secret: Option<Secret>,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Websocket, StoreError> {
    unimplemented!()
}
