//! Stub.

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::{Cells, Row};
use sqlx::postgres::PgConnection;
use switchhook_domain::company::{Company, CompanyChange};
use switchhook_domain::id::CompanyId;

pub(super) async fn list(
    _connection: &mut PgConnection,
    page: PageRequest,
) -> Result<Page<Company>, StoreError> {
    unimplemented!()
}

pub(super) async fn update(
    transaction: &mut Transaction<'_>,
    id: CompanyId,
    change: &CompanyChange,
) -> Result<Company, StoreError> {
    unimplemented!()
}
