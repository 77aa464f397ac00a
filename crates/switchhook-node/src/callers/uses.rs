//! Times of last use of keys: noted in memory at each look-up, and written to the store now and then.
//!
//! No request waits for that, and a key in constant use costs one write in some minutes. Times that are not written
//! when the process dies are lost; so the stored time is a lower bound.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::KeyId;
use switchhook_store::{Store, StoreError};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::Callers;

/// Pause after a write, in which further times gather for the next.
const GATHERED_FOR: Duration = Duration::from_secs(5);

/// Shortest interval between two writes for one key.
pub const KEPT_EVERY: Duration = Duration::from_secs(5 * 60);

/// Of how many keys uses are in memory at the most.
const MOST_NOTED: usize = 10_000;

/// Last use of each key.
#[derive(Debug, Default)]
pub struct KeyUses {
    all: Mutex<HashMap<KeyId, KeyUse>>,
    /// Something is there to be kept, now or later, that was not there before.
    noted: Notify,
}

#[derive(Debug, Clone, Copy)]
struct KeyUse {
    at: Timestamp,
    kept: Option<Timestamp>,
}

impl KeyUse {
    /// Time until the next write; `None` if nothing waits.
    fn due_in(&self, now: Timestamp) -> Option<Duration> {
        match self.kept {
            None => Some(Duration::ZERO),
            Some(kept) => (kept < self.at).then(|| KEPT_EVERY.saturating_sub(now.since(kept))),
        }
    }

    /// True if nothing waits, and nothing written is recent enough to matter.
    fn is_done(&self, now: Timestamp) -> bool {
        self.kept
            .is_some_and(|kept| kept >= self.at && now.since(kept) >= KEPT_EVERY)
    }
}

impl KeyUses {
    pub(super) fn note(&self, id: KeyId, now: Timestamp) {
        let mut uses = self.all.lock();
        let has_room = uses.len() < MOST_NOTED;
        match uses.get_mut(&id) {
            Some(one) => {
                let was_kept = one.due_in(now).is_none();
                one.at = one.at.max(now);
                if was_kept {
                    self.noted.notify_one();
                }
            }
            None if has_room => {
                uses.insert(id, KeyUse { at: now, kept: None });
                self.noted.notify_one();
            }
            // It is noted at one of its next uses, when what is done was let go of.
            None => self.noted.notify_one(),
        }
    }

    /// Waits until something is to be kept. Nothing wakes it before.
    async fn due(&self, clock: &dyn Clock) {
        loop {
            match self.due_in(clock.now()) {
                Some(Duration::ZERO) => return,
                // Which of the two it was is seen in the next round.
                Some(wait) => drop(timeout(wait, self.noted.notified()).await),
                None => self.noted.notified().await,
            }
        }
    }

    fn due_in(&self, now: Timestamp) -> Option<Duration> {
        let uses = self.all.lock();
        if uses.len() >= MOST_NOTED {
            return Some(Duration::ZERO);
        }
        uses.values().filter_map(|one| one.due_in(now)).min()
    }

    /// Has the store keep what is due.
    ///
    /// # Errors
    /// If the store does not do it now; it is tried again the next time.
    pub async fn flush(&self, store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
        let due: Vec<_> = {
            let mut uses = self.all.lock();
            uses.retain(|_, one| !one.is_done(now));
            let due = uses
                .iter()
                .filter(|(_, one)| one.due_in(now) == Some(Duration::ZERO));
            due.map(|(id, one)| (*id, one.at)).collect()
        };
        if due.is_empty() {
            return Ok(());
        }
        store.note_key_uses(due.clone()).await?;
        let mut uses = self.all.lock();
        for (id, at) in due {
            if let Some(one) = uses.get_mut(&id) {
                one.kept = Some(at);
            }
        }
        Ok(())
    }
}

/// Has the store keep when keys were used for as long as it is polled.
pub async fn run(callers: Arc<Callers>) {
    let Callers {
        store, clock, uses, ..
    } = &*callers;
    let mut is_failing = false;
    loop {
        uses.due(&**clock).await;
        let flushed = uses.flush(&**store, clock.now()).await;
        if let Err(error) = &flushed
            && !is_failing
        {
            warn!(%error, "when keys were last used could not be stored; it is tried again");
        }
        is_failing = flushed.is_err();
        sleep(GATHERED_FOR).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const KEY: KeyId = KeyId(1);

    #[tokio::test(start_paused = true)]
    async fn nothing_wakes_it_before_something_is_due() {
        const HOUR: Duration = Duration::from_secs(3_600);
        let began = Instant::now();
        let clock = move || Timestamp::from_millis(1_790_000_000_000).plus(began.elapsed());
        let uses = KeyUses::default();
        let keep = || {
            let mut all = uses.all.lock();
            let one = all.get_mut(&KEY).expect("it was noted");
            one.kept = Some(one.at);
        };
        let waited = async || {
            let from = Instant::now();
            let waited = timeout(HOUR, uses.due(&clock)).await;
            waited.ok().map(|()| from.elapsed())
        };
        assert_eq!(waited().await, None, "no key was used");
        uses.note(KEY, clock());
        assert_eq!(waited().await, Some(Duration::ZERO));
        keep();
        assert_eq!(waited().await, None, "it was not used since");
        uses.note(KEY, clock());
        assert_eq!(waited().await, Some(Duration::ZERO), "that was an hour ago");
        keep();
        tokio::time::advance(Duration::from_secs(60)).await;
        for _ in 0..2 {
            uses.note(KEY, clock());
        }
        assert_eq!(waited().await, Some(Duration::from_secs(240)));
    }
}
