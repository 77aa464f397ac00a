//! An API key as a row.

use switchhook_domain::id::{CompanyId, KeyId};
use switchhook_domain::key::ApiKey;

use super::{Columns, Row};
use crate::error::StoreError;

/// Columns for [`read`].
macro_rules! key_columns {
    () => {
        "id, company_id, name, hash, admin, rights, scopes, created_at, expires_at, revoked_at, last_used_at"
    };
}
pub(crate) use key_columns;

pub(crate) fn read(row: &Row<'_>) -> Result<ApiKey, StoreError> {
    let mut columns = Columns::of("api_keys", row)?;
    Ok(ApiKey {
        id: KeyId(columns.id()),
        company_id: CompanyId(columns.read()?),
        name: columns.read()?,
        hash: columns.read()?,
        admin: columns.read()?,
        rights: columns.word()?,
        scopes: columns.word()?,
        created_at: columns.time()?,
        expires_at: columns.maybe_time()?,
        revoked_at: columns.maybe_time()?,
        last_used_at: columns.maybe_time()?,
    })
}
