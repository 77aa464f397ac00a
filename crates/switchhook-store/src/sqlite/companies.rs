//! Companies. They come into being with their first key (`keys`).

use rusqlite::{Connection, params};
use switchhook_domain::company::{Company, CompanyChange};
use switchhook_domain::id::CompanyId;

use super::list::{Listing, first};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::company::{company_columns, read};

const COLUMNS: &str = company_columns!();

pub(super) fn list(connection: &Connection, page: PageRequest) -> Result<Page<Company>, StoreError> {
    listing()
        .oldest_first(page)
        .page(connection, read, |company| company.id.0)
}

pub(super) fn listing() -> Listing {
    Listing::new(COLUMNS, "FROM companies WHERE true")
}

pub(super) fn update(
    transaction: &mut Transaction<'_>,
    id: CompanyId,
    change: &CompanyChange,
) -> Result<Company, StoreError> {
    let sql = "UPDATE companies SET name = coalesce(?, name), drop_payloads = coalesce(?, drop_payloads) WHERE id = ?";
    transaction
        .prepare(sql)?
        .execute(params![change.name, change.drop_payloads, id.0])?;
    let sql = format!("SELECT {COLUMNS} FROM companies WHERE id = ?");
    first(transaction.connection, &sql, &[&id.0], read)?.ok_or(StoreError::NotFound("company"))
}
