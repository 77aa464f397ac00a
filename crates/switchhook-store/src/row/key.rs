//! An API key as a row.

use switchhook_domain::id::{CompanyId, KeyId};
use switchhook_domain::key::ApiKey;

use super::{Cells, Row};
use crate::error::StoreError;

/// What [`read`] reads, in its order.
macro_rules! key_columns {
    () => {
        "id, company_id, name, hash, admin, rights, scopes, created_at, expires_at, revoked_at"
    };
}
pub(crate) use key_columns;

pub(crate) fn read(row: &Row<'_>) -> Result<ApiKey, StoreError> {
    let mut cells = Cells::of("api_keys", row)?;
    Ok(ApiKey {
        id: KeyId(cells.id()),
        company_id: CompanyId(cells.read()?),
        name: cells.read()?,
        hash: cells.read()?,
        admin: cells.read()?,
        rights: cells.word()?,
        scopes: cells.word()?,
        created_at: cells.time()?,
        expires_at: cells.maybe_time()?,
        revoked_at: cells.maybe_time()?,
    })
}
