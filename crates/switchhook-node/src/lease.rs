//! Leases: what stays open (a stream, a page in sight, a listener's connection, a long request) is let go of soon after the
//! key that opened it is revoked, has expired or may do something else, and after its session was ended.
//!
//! One task looks twice a second at the keys and sessions of everything that is open, with one look-up of each kind however
//! much it is. The store tells, so it does not matter which node or command revoked a key. There is no task while nothing
//! is open.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::KeyId;
use switchhook_store::{Session, Store, StoreError};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tracing::warn;

use crate::caller::Caller;

/// Interval of checking keys. With the second for which a found key is reused, and the check itself, connections end
/// within two seconds of a revocation.
pub const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Longest time for which something stays open while keys cannot be checked.
pub const LONGEST_UNCERTAIN: Duration = Duration::from_secs(10);

/// Hands out leases. Cheap to clone.
#[derive(Clone)]
pub struct Leases(Arc<LeaseTable>);

struct LeaseTable {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    open: Mutex<OpenLeases>,
}

/// Everything that is open.
#[derive(Default)]
struct OpenLeases {
    last_number: u64,
    holders: HashMap<u64, Holder>,
    is_watched: bool,
}

struct Holder {
    caller: Caller,
    session: Option<Session>,
    ended: CancellationToken,
}

/// Lasts as long as the key that something was opened with, and what that may do, stays as it was.
pub struct Lease {
    number: u64,
    ended: CancellationToken,
    table: Arc<LeaseTable>,
}

impl Lease {
    /// Waits for its end.
    pub fn ended(&self) -> WaitForCancellationFuture<'_> {
        self.ended.cancelled()
    }

    /// Cancelled at its end.
    pub fn token(&self) -> CancellationToken {
        self.ended.clone()
    }

    pub fn is_over(&self) -> bool {
        self.ended.is_cancelled()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.table.open.lock().holders.remove(&self.number);
    }
}

/// Result of one check of all keys and sessions.
struct KeyCheck {
    looked_at: HashSet<KeyId>,
    valid: HashMap<KeyId, Caller>,
    ended: HashSet<[u8; 32]>,
}

impl KeyCheck {
    /// True if the lease must end. What was opened since the check waits for the next.
    fn is_over(&self, holder: &Holder) -> bool {
        let key_id = holder.caller.key_id;
        self.looked_at.contains(&key_id)
            && (self.valid.get(&key_id) != Some(&holder.caller)
                || holder
                    .session
                    .is_some_and(|session| self.ended.contains(&session.token_hash)))
    }
}

impl Leases {
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(LeaseTable {
            store,
            clock,
            open: Mutex::default(),
        }))
    }

    /// For something that a caller opens.
    pub fn hold(&self, caller: Caller) -> Lease {
        self.hold_in(caller, None)
    }

    /// For something that a caller opens in a session of the dashboard.
    pub fn hold_in(&self, caller: Caller, session: Option<Session>) -> Lease {
        let ended = CancellationToken::new();
        let mut open = self.0.open.lock();
        open.last_number += 1;
        let number = open.last_number;
        let holder = Holder {
            caller,
            session,
            ended: ended.clone(),
        };
        open.holders.insert(number, holder);
        if !std::mem::replace(&mut open.is_watched, true) {
            tokio::spawn(watch(Arc::clone(&self.0)));
        }
        drop(open);
        Lease {
            number,
            ended,
            table: Arc::clone(&self.0),
        }
    }

    /// Caller with a key, if it is valid now.
    pub async fn caller(&self, id: KeyId) -> Result<Option<Caller>, StoreError> {
        let now = self.0.clock.now();
        let found = self.0.store.keys(vec![id]).await?;
        let key = found.first().filter(|key| key.is_valid_at(now));
        Ok(key.map(Caller::of))
    }
}

async fn watch(table: Arc<LeaseTable>) {
    let mut certain_at = Instant::now();
    loop {
        sleep(LOOK_EVERY).await;
        let (keys, sessions) = {
            let mut open = table.open.lock();
            if open.holders.is_empty() {
                open.is_watched = false;
                return;
            }
            open.opened_with()
        };
        match timeout(LONGEST_UNCERTAIN, table.look(keys, sessions)).await {
            Ok(Ok(seen)) => {
                certain_at = Instant::now();
                table.end_where(|holder| seen.is_over(holder));
            }
            _ if certain_at.elapsed() >= LONGEST_UNCERTAIN => {
                warn!("keys cannot be looked up: what is open with them ends");
                table.end_where(|_| true);
            }
            _ => {}
        }
    }
}

impl OpenLeases {
    fn opened_with(&self) -> (HashSet<KeyId>, Vec<Session>) {
        let keys = self.holders.values().map(|holder| holder.caller.key_id);
        let sessions = self.holders.values().filter_map(|holder| holder.session);
        let by_token: HashMap<_, _> = sessions.map(|session| (session.token_hash, session)).collect();
        (keys.collect(), by_token.into_values().collect())
    }
}

impl LeaseTable {
    async fn look(&self, looked_at: HashSet<KeyId>, sessions: Vec<Session>) -> Result<KeyCheck, StoreError> {
        let keys = self.store.keys(looked_at.iter().copied().collect()).await?;
        let ended = match sessions {
            none if none.is_empty() => Vec::new(),
            sessions => self.store.ended_sessions(sessions).await?,
        };
        let now = self.clock.now();
        let valid = keys.iter().filter(|key| key.is_valid_at(now));
        Ok(KeyCheck {
            valid: valid.map(|key| (key.id, Caller::of(key))).collect(),
            looked_at,
            ended: ended.into_iter().map(|session| session.token_hash).collect(),
        })
    }

    fn end_where(&self, is_over: impl Fn(&Holder) -> bool) {
        let open = self.open.lock();
        let over = open.holders.values().filter(|holder| is_over(holder));
        over.for_each(|holder| holder.ended.cancel());
    }
}
