//! Companies and their API keys.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::id::{CompanyId, KeyId};
use switchhook_domain::key::ApiKey;

use super::list::{Listing, first};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::company::first_name;
use crate::row::key::{key_columns, read};

const COLUMNS: &str = key_columns!();

pub(super) fn create(transaction: &mut Transaction<'_>, key: &ApiKey) -> Result<ApiKey, StoreError> {
    create_company(transaction, key.company_id, key.created_at)?;
    let sql = format!("INSERT INTO api_keys ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    transaction.prepare(&sql)?.execute(params![
        key.id.0,
        key.company_id.0,
        key.name,
        key.hash,
        key.admin,
        key.rights.to_string(),
        key.scopes.to_string(),
        key.created_at.as_millis(),
        key.expires_at.map(Timestamp::as_millis),
        key.revoked_at.map(Timestamp::as_millis),
    ])?;
    Ok(key.clone())
}

fn create_company(transaction: &Transaction<'_>, id: CompanyId, now: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO companies (id, name, created_at) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING";
    transaction
        .prepare(sql)?
        .execute(params![id.0, first_name(id), now.as_millis()])?;
    Ok(())
}

pub(super) fn revoke(
    transaction: &mut Transaction<'_>,
    id: KeyId,
    now: Timestamp,
) -> Result<ApiKey, StoreError> {
    let sql = "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL";
    transaction
        .prepare(sql)?
        .execute(params![now.as_millis(), id.0])?;
    first(transaction.connection, BY_ID, &[&id.0], read)?.ok_or(StoreError::NotFound("key"))
}

pub(super) fn find(connection: &Connection, hash: [u8; 32]) -> Result<Option<ApiKey>, StoreError> {
    first(connection, BY_HASH, &[&hash], read)
}

pub(super) const BY_HASH: &str = concat!("SELECT ", key_columns!(), " FROM api_keys WHERE hash = ?");

/// The keys with these ids.
pub(super) fn with_ids(connection: &Connection, ids: &[KeyId]) -> Result<Vec<ApiKey>, StoreError> {
    let found = ids.iter().map(|id| first(connection, BY_ID, &[&id.0], read));
    found.filter_map(Result::transpose).collect()
}

pub(super) const BY_ID: &str = concat!("SELECT ", key_columns!(), " FROM api_keys WHERE id = ?");

pub(super) fn list(
    connection: &Connection,
    company_id: Option<CompanyId>,
    page: PageRequest,
) -> Result<Page<ApiKey>, StoreError> {
    listing(company_id)
        .oldest_first(page)
        .page(connection, read, |key| key.id.0)
}

pub(super) fn listing(company_id: Option<CompanyId>) -> Listing {
    Listing::new(COLUMNS, "FROM api_keys WHERE true").along("company_id = ?", company_id.map(|id| id.0))
}
