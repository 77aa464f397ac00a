//! Companies, their API keys, and the ended sessions of those.

use async_trait::async_trait;
use switchhook_domain::Timestamp;
use switchhook_domain::company::{Company, CompanyChange};
use switchhook_domain::id::{CompanyId, KeyId};
use switchhook_domain::key::ApiKey;

use super::{companies, sessions};
use crate::error::StoreError;
use crate::page::{Page, PageRequest};
use crate::row::key::{key_columns, read};
use crate::session::Session;
use crate::sql::{Driver, Listing, Sql, SqlTransaction, Tasks, all, first, values};

/// Companies, keys and sessions.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Keeps a key; its company is created if it is not there.
    async fn create_key(&self, key: ApiKey) -> Result<ApiKey, StoreError>;
    /// The keys, oldest first, revoked ones included.
    async fn list_keys(
        &self,
        company_id: Option<CompanyId>,
        page: PageRequest,
    ) -> Result<Page<ApiKey>, StoreError>;
    /// Number of the company's valid keys.
    async fn count_valid_keys(&self, company_id: CompanyId, now: Timestamp) -> Result<usize, StoreError>;
    /// Revokes a key; a second time changes nothing.
    async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<ApiKey, StoreError>;
    /// The key with this hash. Waits for no reader of anything else, nor do the next two.
    async fn find_key(&self, hash: [u8; 32]) -> Result<Option<ApiKey>, StoreError>;
    /// The keys with these ids, as far as there are such; in no order.
    async fn keys(&self, ids: Vec<KeyId>) -> Result<Vec<ApiKey>, StoreError>;
    /// Keeps when keys were last used, unless a later use is known.
    async fn note_key_uses(&self, uses: Vec<(KeyId, Timestamp)>) -> Result<(), StoreError>;
    /// Those of the sessions that were ended.
    async fn ended_sessions(&self, sessions: Vec<Session>) -> Result<Vec<Session>, StoreError>;
    /// Ends a session of the dashboard for good: on every node, and after a restart. Of one key a thousand are remembered
    /// for a day; with one more, all that the key began until now have ended.
    async fn end_session(&self, session: Session, now: Timestamp) -> Result<(), StoreError>;
    /// The companies, oldest first.
    async fn list_companies(&self, page: PageRequest) -> Result<Page<Company>, StoreError>;
    async fn update_company(&self, id: CompanyId, change: CompanyChange) -> Result<Company, StoreError>;
}

#[async_trait]
impl<D: Driver> KeyStore for D {
    async fn create_key(&self, key: ApiKey) -> Result<ApiKey, StoreError> {
        self.keep(key, |sql, key| Box::pin(create(sql, key))).await
    }

    async fn list_keys(
        &self,
        company_id: Option<CompanyId>,
        page: PageRequest,
    ) -> Result<Page<ApiKey>, StoreError> {
        self.read((company_id, page), |sql, &(company_id, page)| {
            let listing = listing(company_id).oldest_first(page);
            Box::pin(listing.page(sql, read, |key| key.id.0))
        })
        .await
    }

    async fn count_valid_keys(&self, company_id: CompanyId, now: Timestamp) -> Result<usize, StoreError> {
        self.read((company_id, now), |sql, &(company_id, now)| {
            Box::pin(count_valid(sql, company_id, now))
        })
        .await
    }

    async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<ApiKey, StoreError> {
        self.keep((id, now), |sql, &(id, now)| Box::pin(revoke(sql, id, now)))
            .await
    }

    async fn find_key(&self, hash: [u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        self.look_up(hash, |sql, hash| Box::pin(find(sql, hash))).await
    }

    async fn keys(&self, ids: Vec<KeyId>) -> Result<Vec<ApiKey>, StoreError> {
        self.look_up(ids, |sql, ids| Box::pin(with_ids(sql, ids))).await
    }

    async fn note_key_uses(&self, uses: Vec<(KeyId, Timestamp)>) -> Result<(), StoreError> {
        self.keep(uses, |sql, uses| Box::pin(note_uses(sql, uses))).await
    }

    async fn ended_sessions(&self, sessions: Vec<Session>) -> Result<Vec<Session>, StoreError> {
        self.look_up(sessions, |sql, sessions| Box::pin(sessions::ended(sql, sessions)))
            .await
    }

    async fn end_session(&self, session: Session, now: Timestamp) -> Result<(), StoreError> {
        self.keep((session, now), |sql, &(session, now)| {
            Box::pin(sessions::end(sql, session, now))
        })
        .await
    }

    async fn list_companies(&self, page: PageRequest) -> Result<Page<Company>, StoreError> {
        self.read(page, |sql, &page| Box::pin(companies::list(sql, page)))
            .await
    }

    async fn update_company(&self, id: CompanyId, change: CompanyChange) -> Result<Company, StoreError> {
        self.keep((id, change), |sql, (id, change)| {
            Box::pin(companies::update(sql, *id, change))
        })
        .await
    }
}

async fn create(sql: &mut dyn SqlTransaction, key: &ApiKey) -> Result<ApiKey, StoreError> {
    companies::create(sql, key.company_id, key.created_at).await?;
    let insert = concat!(
        "INSERT INTO api_keys (",
        key_columns!(),
        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    );
    let values = values![
        key.id.0,
        key.company_id.0,
        &key.name,
        &key.hash[..],
        key.admin,
        key.rights.to_string(),
        key.scopes.to_string(),
        key.created_at,
        key.expires_at,
        key.revoked_at,
        key.last_used_at,
    ];
    sql.execute(insert, values).await?;
    Ok(key.clone())
}

async fn revoke(sql: &mut dyn SqlTransaction, id: KeyId, now: Timestamp) -> Result<ApiKey, StoreError> {
    // A key that is revoked stays revoked since then.
    let update = concat!(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? RETURNING ",
        key_columns!()
    );
    first(sql, update, values![now, id.0], read)
        .await?
        .ok_or(StoreError::NotFound("key"))
}

async fn note_uses(sql: &mut dyn SqlTransaction, uses: &[(KeyId, Timestamp)]) -> Result<(), StoreError> {
    // In one order on every node, so that none waits for another that waits for it.
    let mut uses = uses.to_vec();
    uses.sort_unstable();
    for (id, at) in uses {
        sql.execute(NOTE_USE, values![at, id.0, at]).await?;
    }
    Ok(())
}

pub(crate) const NOTE_USE: &str =
    "UPDATE api_keys SET last_used_at = ? WHERE id = ? AND coalesce(last_used_at, 0) < ?";

async fn find(sql: &mut dyn Sql, hash: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
    first(sql, BY_HASH, values![&hash[..]], read).await
}

pub(crate) const BY_HASH: &str = concat!("SELECT ", key_columns!(), " FROM api_keys WHERE hash = ?");

async fn with_ids(sql: &mut dyn Sql, ids: &[KeyId]) -> Result<Vec<ApiKey>, StoreError> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    all(sql, WITH_IDS, values![ids], read).await
}

pub(crate) const WITH_IDS: &str = concat!("SELECT ", key_columns!(), " FROM api_keys WHERE id = ANY(?)");

async fn count_valid(sql: &mut dyn Sql, company_id: CompanyId, now: Timestamp) -> Result<usize, StoreError> {
    let count = first(sql, COUNT_VALID, values![company_id.0, now], |row| {
        row.get::<i64>(0)
    })
    .await?;
    Ok(count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0))
}

pub(crate) const COUNT_VALID: &str = "SELECT count(*) FROM api_keys WHERE company_id = ? AND revoked_at IS NULL AND (expires_at IS NULL OR \
                                      expires_at > ?)";

pub(crate) fn listing(company_id: Option<CompanyId>) -> Listing {
    Listing::new(key_columns!(), "FROM api_keys WHERE true").along("company_id", company_id.map(|id| id.0))
}
