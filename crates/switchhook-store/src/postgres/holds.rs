//! Stub.

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::registry::HoldRecord;
use crate::row::{Cells, Row};
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::breaker::Breaker;
use switchhook_domain::hold::{Hold, HoldReason};
use switchhook_domain::id::{CompanyId, WebhookId};

pub(super) async fn list(
    _connection: &mut PgConnection,
    company_id: Option<CompanyId>,
    since: Timestamp,
) -> Result<Vec<HoldRecord>, StoreError> {
    unimplemented!()
}

pub(super) async fn save_breaker(
    transaction: &mut Transaction<'_>,
    webhook_id: WebhookId,
    breaker: &Breaker,
    now: Timestamp,
) -> Result<(), StoreError> {
    unimplemented!()
}

pub(super) async fn pause_changed(
    _connection: &mut PgConnection,
    webhook_id: WebhookId,
    before: Option<Timestamp>,
    after: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    unimplemented!()
}
