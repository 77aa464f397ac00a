//! Companies. They come into being with their first key (`keys`).

use sqlx::postgres::PgConnection;
use switchhook_domain::company::{Company, CompanyChange};
use switchhook_domain::id::CompanyId;

use super::list::{Listing, first};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::company::{company_columns, read};

pub(super) async fn list(
    connection: &mut PgConnection,
    page: PageRequest,
) -> Result<Page<Company>, StoreError> {
    let sql = concat!("SELECT ", company_columns!(), " FROM companies WHERE id > 0");
    Listing::new(sql)
        .oldest_first(page)
        .page(connection, read, |company| company.id.0)
        .await
}

pub(super) async fn update(
    transaction: &mut Transaction<'_>,
    id: CompanyId,
    change: &CompanyChange,
) -> Result<Company, StoreError> {
    let sql = concat!(
        "UPDATE companies SET name = coalesce($1, name), drop_payloads = coalesce($2, drop_payloads) WHERE id = $3 \
         RETURNING ",
        company_columns!()
    );
    let query = sqlx::query(sql)
        .bind(&change.name)
        .bind(change.drop_payloads.map(i64::from))
        .bind(id.0);
    first(transaction.connection, query, read)
        .await?
        .ok_or(StoreError::NotFound("company"))
}
