//! Room kept for the day on which the disk is full: a file of zeros beside the database, given up when a commit fails.
//!
//! What it frees is for writing down how attempts ended and for removing old events, which needs room in the log. So no
//! event is accepted until the reserve is there again.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use switchhook_domain::Timestamp;

use super::failure::DISK_FULL;
use super::files;
use super::location::StoreFile;
use crate::error::StoreError;

/// Suffix of its name.
pub(super) const END: &str = ".reserve";

/// Pause after a failed try, in milliseconds.
const TRY_AGAIN_AFTER: i64 = 1_000;

/// The reserve of one store; a store without one has no path.
#[derive(Debug, Default)]
pub(super) struct Reserve {
    path: Option<PathBuf>,
    bytes: u64,
    is_given_up: AtomicBool,
    tried_at: AtomicI64,
}

impl Reserve {
    /// Keeps `bytes` free for this database. None if that is 0.
    pub(super) fn of(database: &StoreFile, bytes: u64) -> Self {
        if bytes == 0 {
            return Self::default();
        }
        let reserve = Self {
            path: Some(database.beside(END)),
            bytes,
            ..Self::default()
        };
        if let Err(error) = reserve.fill() {
            tracing::warn!(%error, "there is no room for a reserve: a full disk will be harder to mend");
            reserve.give_up();
        }
        reserve
    }

    /// Frees the room, if the disk is full.
    pub(super) fn after_failure(&self, error: &StoreError) {
        let is_full = matches!(error, StoreError::Unavailable(why) if why == DISK_FULL);
        if is_full && self.path.is_some() && !self.is_given_up.load(Ordering::Relaxed) {
            self.give_up();
            tracing::error!(
                "the disk is full: the reserve is given up, and no event is accepted until there is room"
            );
        }
    }

    /// True if it exists, as far as is known without trying.
    pub(super) fn is_there(&self) -> bool {
        !self.is_given_up.load(Ordering::Relaxed)
    }

    /// True if it is time to try again. Events provide the time, because nobody else needs the reserve.
    pub(super) fn is_worth_a_try(&self, now: Timestamp) -> bool {
        let (now, before) = (now.as_millis(), self.tried_at.load(Ordering::Relaxed));
        let is_time = !(before..before + TRY_AGAIN_AFTER).contains(&now);
        if is_time {
            self.tried_at.store(now, Ordering::Relaxed);
        }
        is_time
    }

    /// Takes the room again. Blocks.
    pub(super) fn take_again(&self) -> Result<(), StoreError> {
        if self.is_there() {
            return Ok(());
        }
        self.fill().map_err(|_| {
            self.give_up();
            missing()
        })?;
        self.is_given_up.store(false, Ordering::Relaxed);
        tracing::info!("there is room on the disk again: events are accepted");
        Ok(())
    }

    fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
        if let Some(path) = &self.path
            && let Err(error) = std::fs::remove_file(path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the reserve could not be given up");
        }
    }

    /// Zeros and not a hole: a hole keeps no room.
    fn fill(&self) -> std::io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        if std::fs::metadata(path).is_ok_and(|file| file.len() == self.bytes) {
            return Ok(());
        }
        let file = files::open(path)?;
        file.set_len(0)?;
        files::write_zeros(&file, self.bytes)?;
        file.sync_all()
    }
}

/// The answer to whoever sends an event meanwhile.
pub(super) fn missing() -> StoreError {
    StoreError::Unavailable(
        "the disk is full but for what is needed to tidy up: free some space; nothing was lost".into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreOptions;
    use crate::options::WriterMode;
    use crate::sqlite::SqliteStore;
    use crate::sqlite::writer::Writer;
    use crate::{NewEvent, Store, WebhookStore};
    use bytes::Bytes;
    use switchhook_domain::Kind;
    use switchhook_domain::id::{CompanyId, EventId};
    use switchhook_domain::redaction::Hidden;

    const NOON: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn event(id: i64, accepted_at: Timestamp) -> NewEvent {
        NewEvent {
            id: EventId(id),
            company_id: CompanyId(1),
            kind: Kind::Call,
            body: Bytes::from(format!(r#"{{"x":"{}"}}"#, "x".repeat(20_000))),
            accepted_at,
            order_key: None,
            revision: switchhook_domain::subscription::Revision::default(),
            concealable: Hidden::EVERYTHING,
            is_logged: false,
            warnings: Vec::new(),
            idempotency: None,
            deliveries: Vec::new(),
        }
    }

    /// The disk of a store has room for this many pages more than there are.
    fn leave_room_for(store: &SqliteStore, pages: i64) {
        let Writer::Inline(committer) = &store.parts.writer else {
            panic!("it was opened inline")
        };
        let guard = committer.lock();
        let connection = guard.as_ref().expect("it is open").connection();
        let count: i64 = connection
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .expect("it is read");
        connection
            .pragma_update(None, "max_page_count", count + pages)
            .expect("it is set");
    }

    #[tokio::test]
    async fn a_full_disk_costs_the_reserve_and_no_event_is_accepted_until_it_is_there_again() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("store.db");
        let options = StoreOptions {
            writer: WriterMode::Inline,
            reserve_bytes: 100_000,
            ..StoreOptions::owner(NOON)
        };
        let store = SqliteStore::open(&path, options).unwrap();
        let reserve = path.with_extension("db.reserve");
        assert_eq!(std::fs::metadata(&reserve).unwrap().len(), 100_000);
        store.record_events(vec![event(1, NOON)]).await.unwrap();

        leave_room_for(&store, 2);
        let refused = store.record_events(vec![event(2, NOON)]).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert!(!reserve.exists(), "given up");

        // As long as there is no room for the reserve: a folder stands in its place.
        std::fs::create_dir(&reserve).unwrap();
        leave_room_for(&store, 1_000);
        let later = NOON.plus(std::time::Duration::from_secs(5));
        for refused in [
            store.record_events(vec![event(2, later)]).await.map(drop),
            store.check().await,
        ] {
            assert!(
                matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("tidy up")),
                "{refused:?}"
            );
        }
        store
            .forget_old_secrets(NOON)
            .await
            .expect("what tidies up goes on");

        std::fs::remove_dir(&reserve).unwrap();
        let later = later.plus(std::time::Duration::from_secs(5));
        store.record_events(vec![event(2, later)]).await.unwrap();
        assert!(reserve.exists());
        store.check().await.unwrap();
    }
}
