//! Stub.

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::{Cells, Row};
use crate::sealing::Sealing;
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, ReplayId, WebhookId};
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::webhook::{Webhook, WebhookChange};

pub(super) async fn create(
    transaction: &mut Transaction<'_>,
    webhook: &Webhook,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    unimplemented!()
}

pub(super) async fn delete(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: WebhookId,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    unimplemented!()
}

pub(super) async fn find(
    _connection: &mut PgConnection,
    company_id: CompanyId,
    id: WebhookId,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    unimplemented!()
}

pub(super) async fn list(
    _connection: &mut PgConnection,
    company_id: CompanyId,
    page: PageRequest,
    sealing: &Sealing,
) -> Result<Page<Webhook>, StoreError> {
    unimplemented!()
}

pub(super) async fn of_replays(
    _connection: &mut PgConnection,
    company_id: CompanyId,
    sealing: &Sealing,
) -> Result<Vec<Webhook>, StoreError> {
    unimplemented!()
}

pub(super) async fn scan(
    _connection: &mut PgConnection,
    page: PageRequest,
    sealing: &Sealing,
) -> Result<Page<Webhook>, StoreError> {
    unimplemented!()
}

pub(super) async fn update(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: WebhookId,
    change: &WebhookChange,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Webhook, StoreError> {
    unimplemented!()
}

pub(super) async fn exists(
    _connection: &mut PgConnection,
    company_id: CompanyId,
    id: WebhookId,
) -> Result<bool, StoreError> {
    unimplemented!()
}
