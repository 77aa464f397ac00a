//! API keys, and the companies that come into being with them.

use sqlx::postgres::PgConnection;
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, KeyId};
use switchhook_domain::key::ApiKey;

use super::list::{Listing, all, first};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::company::first_name;
use crate::row::key::{key_columns, read};

pub(super) async fn create(transaction: &mut Transaction<'_>, key: &ApiKey) -> Result<ApiKey, StoreError> {
    create_company(transaction.connection, key.company_id, key.created_at).await?;
    let sql = concat!(
        "INSERT INTO api_keys (",
        key_columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    );
    sqlx::query(sql)
        .bind(key.id.0)
        .bind(key.company_id.0)
        .bind(&key.name)
        .bind(key.hash)
        .bind(i64::from(key.admin))
        .bind(key.rights.to_string())
        .bind(key.scopes.to_string())
        .bind(key.created_at.as_millis())
        .bind(key.expires_at.map(Timestamp::as_millis))
        .bind(key.revoked_at.map(Timestamp::as_millis))
        .execute(&mut *transaction.connection)
        .await?;
    Ok(key.clone())
}

async fn create_company(
    connection: &mut PgConnection,
    id: CompanyId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO companies (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
    )
    .bind(id.0)
    .bind(first_name(id))
    .bind(now.as_millis())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn revoke(
    transaction: &mut Transaction<'_>,
    id: KeyId,
    now: Timestamp,
) -> Result<ApiKey, StoreError> {
    // A key that is revoked stays revoked since then.
    let sql = concat!(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, $1) WHERE id = $2 RETURNING ",
        key_columns!()
    );
    let query = sqlx::query(sql).bind(now.as_millis()).bind(id.0);
    first(transaction.connection, query, read)
        .await?
        .ok_or(StoreError::NotFound("key"))
}

pub(super) async fn find(
    connection: &mut PgConnection,
    hash: [u8; 32],
) -> Result<Option<ApiKey>, StoreError> {
    let sql = concat!("SELECT ", key_columns!(), " FROM api_keys WHERE hash = $1");
    first(connection, sqlx::query(sql).bind(hash), read).await
}

/// The keys with these ids.
pub(super) async fn with_ids(
    connection: &mut PgConnection,
    ids: Vec<KeyId>,
) -> Result<Vec<ApiKey>, StoreError> {
    let sql = concat!("SELECT ", key_columns!(), " FROM api_keys WHERE id = ANY($1)");
    let ids: Vec<_> = ids.into_iter().map(|id| id.0).collect();
    all(connection, sqlx::query(sql).bind(ids), read).await
}

pub(super) async fn list(
    connection: &mut PgConnection,
    company_id: Option<CompanyId>,
    page: PageRequest,
) -> Result<Page<ApiKey>, StoreError> {
    let sql = concat!("SELECT ", key_columns!(), " FROM api_keys WHERE id > 0");
    Listing::new(sql)
        .narrowed("company_id = ?", company_id.map(|id| id.0))
        .oldest_first(page)
        .page(connection, read, |key| key.id.0)
        .await
}
