//! Stub.

use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::{Cells, Row};
use crate::sealing::Sealing;
use sqlx::postgres::PgConnection;
use switchhook_domain::id::{CompanyId, RefusalId, SourceId};
use switchhook_domain::phone_number::PhoneNumber;
use switchhook_domain::source::{Refusal, Source, SourceChange};
use switchhook_domain::{Kind, Timestamp};

pub(super) async fn create(
    transaction: &mut Transaction<'_>,
    source: &Source,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    unimplemented!()
}

pub(super) async fn delete(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: SourceId,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    unimplemented!()
}

pub(super) async fn erase_from_refusals(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    number: &PhoneNumber,
) -> Result<(), StoreError> {
    unimplemented!()
}

pub(super) async fn find(
    _connection: &mut PgConnection,
    company_id: CompanyId,
    id: SourceId,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    unimplemented!()
}

pub(super) async fn find_by_token(
    _connection: &mut PgConnection,
    token_hash: [u8; 32],
    sealing: &Sealing,
) -> Result<Option<Source>, StoreError> {
    unimplemented!()
}

pub(super) async fn keep_refusal(
    transaction: &mut Transaction<'_>,
    refusal: &Refusal,
    most: u32,
) -> Result<(), StoreError> {
    unimplemented!()
}

pub(super) async fn list(
    _connection: &mut PgConnection,
    company_id: CompanyId,
    page: PageRequest,
    sealing: &Sealing,
) -> Result<Page<Source>, StoreError> {
    unimplemented!()
}

pub(super) async fn list_refusals(
    _connection: &mut PgConnection,
    company_id: CompanyId,
    source_id: SourceId,
    page: PageRequest,
) -> Result<Page<Refusal>, StoreError> {
    unimplemented!()
}

pub(super) async fn update(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: SourceId,
    change: &SourceChange,
    now: Timestamp,
    sealing: &Sealing,
) -> Result<Source, StoreError> {
    unimplemented!()
}
