//! Stub.

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::{Cells, Row};
use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, KeyId};
use switchhook_domain::key::ApiKey;

pub(super) async fn create(transaction: &mut Transaction<'_>, key: &ApiKey) -> Result<ApiKey, StoreError> {
    unimplemented!()
}

pub(super) async fn find(
    _connection: &mut PgConnection,
    hash: [u8; 32],
) -> Result<Option<ApiKey>, StoreError> {
    unimplemented!()
}

pub(super) async fn list(
    _connection: &mut PgConnection,
    company_id: Option<CompanyId>,
    page: PageRequest,
) -> Result<Page<ApiKey>, StoreError> {
    unimplemented!()
}

pub(super) async fn revoke(
    transaction: &mut Transaction<'_>,
    id: KeyId,
    now: Timestamp,
) -> Result<ApiKey, StoreError> {
    unimplemented!()
}
