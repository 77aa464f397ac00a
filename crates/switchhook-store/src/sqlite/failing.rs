//! Parts of the store that panic, and who hears of it.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use switchhook_domain::Timestamp;

use super::SqliteStore;
use crate::commit::Weight;
use crate::error::StoreError;
use crate::observer::{Commit, CommitObserver};
use crate::options::StoreOptions;

struct Heard(Sender<String>);

impl CommitObserver for Heard {
    fn committed(&self, _: Commit) {}

    fn failed(&self, part: &'static str, why: &str) {
        let _ = self.0.send(format!("{part}: {why}"));
    }
}

#[tokio::test]
async fn whoever_watches_hears_that_the_writer_or_the_checkpointer_panicked() {
    let folder = tempfile::tempdir().unwrap();
    let (heard, reports) = channel();
    let options = StoreOptions {
        observer: Some(Arc::new(Heard(heard))),
        ..StoreOptions::owner(Timestamp::from_millis(0))
    };
    let store = SqliteStore::open(&folder.path().join("switchhook.db"), options).unwrap();
    let patience = Duration::from_secs(60);

    store.parts.checkpointer.as_ref().unwrap().panic_at_next();
    let write = |work: fn() -> Result<(), StoreError>| store.parts.writer.run(Weight::ONE, move |_| work());
    write(|| Ok(())).await.unwrap();
    let first = reports.recv_timeout(patience).unwrap();
    assert_eq!(first, "store's checkpointer: as the test wants");

    let answer = write(|| panic!("no {}", "ink")).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert_eq!(reports.recv_timeout(patience).unwrap(), "store's writer: no ink");
    assert!(write(|| Ok(())).await.is_err(), "nobody waits for it");
}

#[tokio::test]
async fn a_read_that_panics_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions::owner(Timestamp::from_millis(0));
    let store = SqliteStore::open(&folder.path().join("switchhook.db"), options).unwrap();
    // More often than there are readers: each goes back to the others.
    for _ in 0..2 * super::READERS {
        let read = store
            .parts
            .readers
            .run(|_| -> Result<(), StoreError> { panic!("as the test wants") });
        assert!(matches!(read.await, Err(StoreError::Unavailable(_))));
    }
    store.parts.readers.run(|_| Ok(())).await.unwrap();
}
