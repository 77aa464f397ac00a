//! Callers by their keys: who has a key, if it is valid now.
//!
//! A key that was found is remembered for at most a second. So a revoked key stops working within a second, and a new
//! one works at its first request, because nothing is remembered of keys that were not found. The key itself is never
//! kept or logged, only its hash.

pub mod uses;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use parking_lot::RwLock;
use switchhook_domain::Timestamp;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::IdMap;
use switchhook_domain::key::ApiKey;
use switchhook_store::{Store, StoreError};

pub use self::uses::{KeyUses, run};
use crate::caller::Caller;

/// Time for which a key found in the store is reused, so that a revoked key is refused within a second.
pub const REMEMBERED: Duration = Duration::from_secs(1);

/// Bound on the keys kept in memory.
const MOST_REMEMBERED: usize = 1_024;

type Hash = [u8; 32];

/// Finds callers by their keys.
pub struct Callers {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    found: RwLock<IdMap<Hash, CachedCaller>>,
    uses: KeyUses,
}

#[derive(Debug, Clone, Copy)]
struct CachedCaller {
    caller: Caller,
    expires_at: Option<Timestamp>,
    read_at: Timestamp,
}

/// Reason for which a key is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// Nobody ever had this key.
    #[error("this API key is not known: `switchhook keys list` shows the ones that are")]
    Unknown,
    #[error("this API key was revoked at {0}: make a new one with `switchhook keys create`")]
    Revoked(Timestamp),
    /// Its time is over.
    #[error("this API key expired at {0}: make a new one with `switchhook keys create`")]
    Expired(Timestamp),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CachedCaller {
    /// A clock that was put back makes everything old.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.read_at <= now && now.since(self.read_at) < REMEMBERED
    }

    fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

impl Callers {
    /// Nobody was found yet.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            found: RwLock::default(),
            uses: KeyUses::default(),
        }
    }

    pub const fn uses(&self) -> &KeyUses {
        &self.uses
    }

    /// Looks up a key by its hash.
    ///
    /// # Errors
    /// If no valid key has this hash.
    pub async fn find(&self, hash: Hash) -> Result<Caller, AuthenticationError> {
        let now = self.clock.now();
        let remembered = self.found.read().get(&hash).copied();
        if let Some(found) = remembered.filter(|found| found.is_fresh(now) && !found.is_expired(now)) {
            return Ok(found.caller);
        }
        let key = self.store.find_key(hash).await?;
        let key = key.filter(|key| verify_slices_are_equal(&key.hash, &hash).is_ok());
        let key = key.ok_or(AuthenticationError::Unknown)?;
        check_validity(&key, now)?;
        self.uses.note(key.id, now);
        let found = CachedCaller {
            caller: Caller::of(&key),
            expires_at: key.expires_at,
            read_at: now,
        };
        self.remember(hash, found, now);
        Ok(found.caller)
    }

    fn remember(&self, hash: Hash, found: CachedCaller, now: Timestamp) {
        let mut all = self.found.write();
        if all.len() >= MOST_REMEMBERED {
            all.retain(|_, found| found.is_fresh(now));
        }
        if all.len() >= MOST_REMEMBERED {
            all.clear();
        }
        all.insert(hash, found);
    }
}

fn check_validity(key: &ApiKey, now: Timestamp) -> Result<(), AuthenticationError> {
    if key.is_valid_at(now) {
        return Ok(());
    }
    match (key.revoked_at, key.expires_at) {
        (Some(at), _) => Err(AuthenticationError::Revoked(at)),
        (None, Some(at)) => Err(AuthenticationError::Expired(at)),
        (None, None) => Ok(()),
    }
}
