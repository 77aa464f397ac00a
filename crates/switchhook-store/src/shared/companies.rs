//! Companies. They come into being with their first key.

use switchhook_domain::Timestamp;
use switchhook_domain::company::{Company, CompanyChange};
use switchhook_domain::id::CompanyId;

use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::company::{company_columns, first_name, read};
use crate::sql::{Listing, Sql, SqlTransaction, first, values};

/// Keeps a company that is not there.
pub(super) async fn create(
    sql: &mut dyn SqlTransaction,
    id: CompanyId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO companies (id, name, created_at) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING";
    sql.execute(insert, values![id.0, first_name(id), now]).await?;
    Ok(())
}

pub(super) async fn list(sql: &mut dyn Sql, page: PageRequest) -> Result<Page<Company>, StoreError> {
    let listing = listing().oldest_first(page);
    listing.page(sql, read, |company| company.id.0).await
}

pub(crate) const fn listing() -> Listing {
    Listing::new(company_columns!(), "FROM companies WHERE true")
}

pub(super) async fn update(
    sql: &mut dyn SqlTransaction,
    id: CompanyId,
    change: &CompanyChange,
) -> Result<Company, StoreError> {
    let update = concat!(
        "UPDATE companies SET name = coalesce(?, name), drop_payloads = coalesce(?, drop_payloads) WHERE id = ? \
         RETURNING ",
        company_columns!()
    );
    let values = values![change.name.as_deref(), change.drop_payloads, id.0];
    first(sql, update, values, read)
        .await?
        .ok_or(StoreError::NotFound("company"))
}
