//! The drivers, as the cases meet them.

use std::sync::Arc;

use switchhook_domain::Timestamp;
use switchhook_store::Store;
use switchhook_store::sqlite::{SqliteOptions, SqliteStore, WriterMode};
use tempfile::TempDir;

/// A place for one store, empty at first.
pub(crate) trait Fixture: Send {
    /// Opens the store as the process that owns it.
    fn open(&mut self, now: Timestamp) -> Arc<dyn Store>;

    /// Whether what was kept is there when it is opened again.
    fn outlives_its_process(&self) -> bool {
        true
    }
}

/// SQLite as `serve` uses it.
pub(crate) struct SqliteThreads(TempDir);

/// SQLite as simulations use it.
pub(crate) struct SqliteInline(TempDir);

/// SQLite without a file.
pub(crate) struct SqliteInMemory;

impl SqliteThreads {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }
}

impl SqliteInline {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }
}

impl SqliteInMemory {
    pub(crate) fn new() -> Self {
        Self
    }
}

impl Fixture for SqliteThreads {
    fn open(&mut self, now: Timestamp) -> Arc<dyn Store> {
        SqliteStore::open(&self.0.path().join("store.db"), SqliteOptions::owner(now)).expect("it opens")
    }
}

impl Fixture for SqliteInline {
    fn open(&mut self, now: Timestamp) -> Arc<dyn Store> {
        let options = SqliteOptions {
            writer: WriterMode::Inline,
            ..SqliteOptions::owner(now)
        };
        SqliteStore::open(&self.0.path().join("store.db"), options).expect("it opens")
    }
}

impl Fixture for SqliteInMemory {
    fn open(&mut self, now: Timestamp) -> Arc<dyn Store> {
        switchhook_store::open("sqlite::memory:", SqliteOptions::owner(now)).expect("it opens")
    }

    fn outlives_its_process(&self) -> bool {
        false
    }
}
