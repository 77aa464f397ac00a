//! When keys were last used: noted in memory when one is looked up, and kept by the store now and then.
//!
//! No request waits for it, and of a key that is used all the time the store hears once in some minutes. What is not kept
//! yet when the process dies is lost; so the instant is one before which the key was used, and may be late by that.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use switchhook_domain::id::KeyId;
use switchhook_store::{Store, StoreError};
use tokio::time::sleep;
use tracing::warn;

use crate::Node;

/// How often it is looked what is to be kept.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often the use of one key is kept at the most.
const KEPT_EVERY: Duration = Duration::from_secs(5 * 60);

/// Of how many keys uses are in memory at the most.
const MOST_NOTED: usize = 10_000;

/// When which key was used.
#[derive(Debug, Default)]
pub struct KeyUses(Mutex<HashMap<KeyId, Use>>);

#[derive(Debug, Clone, Copy)]
struct Use {
    at: Timestamp,
    kept: Option<Timestamp>,
}

impl Use {
    fn is_due(&self, now: Timestamp) -> bool {
        self.kept
            .is_none_or(|kept| kept < self.at && now.since(kept) >= KEPT_EVERY)
    }

    /// Whether there is nothing left to keep, nor to be remembered of what was kept.
    fn is_done(&self, now: Timestamp) -> bool {
        self.kept
            .is_some_and(|kept| kept >= self.at && now.since(kept) >= KEPT_EVERY)
    }
}

impl KeyUses {
    pub(super) fn note(&self, id: KeyId, now: Timestamp) {
        let mut uses = self.0.lock();
        let has_room = uses.len() < MOST_NOTED;
        match uses.get_mut(&id) {
            Some(one) => one.at = one.at.max(now),
            None if has_room => {
                uses.insert(id, Use { at: now, kept: None });
            }
            // It is noted at one of its next uses.
            None => {}
        }
    }

    /// Has the store keep what is due.
    ///
    /// # Errors
    /// If the store does not do it now; it is tried again the next time.
    pub async fn flush(&self, store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
        let due: Vec<_> = {
            let mut uses = self.0.lock();
            uses.retain(|_, one| !one.is_done(now));
            let due = uses.iter().filter(|(_, one)| one.is_due(now));
            due.map(|(id, one)| (*id, one.at)).collect()
        };
        if due.is_empty() {
            return Ok(());
        }
        store.note_key_uses(due.clone()).await?;
        let mut uses = self.0.lock();
        for (id, at) in due {
            if let Some(one) = uses.get_mut(&id) {
                one.kept = Some(at);
            }
        }
        Ok(())
    }
}

/// Has the store keep when keys were used for as long as it is polled.
pub async fn run(node: Arc<Node>) {
    let mut is_failing = false;
    loop {
        let flushed = node.callers.uses().flush(&*node.store, node.clock.now()).await;
        if let Err(error) = &flushed
            && !is_failing
        {
            warn!(%error, "when keys were last used could not be stored; it is tried again");
        }
        is_failing = flushed.is_err();
        sleep(LOOK_EVERY).await;
    }
}
