//! The drivers, as the cases meet them.

use std::sync::Arc;

use switchhook_domain::Timestamp;
use switchhook_store::WriterMode;
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{Store, StoreOptions};
use tempfile::TempDir;

use crate::postgres;

/// A place for one store, empty at first.
pub(crate) trait Fixture: Send {
    /// True if its requirements are on this machine.
    fn is_there() -> bool
    where
        Self: Sized,
    {
        true
    }

    /// Opens the store as the process that owns it.
    fn open(&mut self, now: Timestamp) -> Arc<dyn Store>;

    /// True if the data survives closing.
    fn outlives_its_process(&self) -> bool {
        true
    }
}

/// A database of its own on the PostgreSQL server of this run.
pub(crate) struct Postgres {
    url: String,
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
        SqliteStore::open(&self.0.path().join("store.db"), StoreOptions::owner(now)).expect("it opens")
    }
}

impl Fixture for SqliteInline {
    fn open(&mut self, now: Timestamp) -> Arc<dyn Store> {
        let options = StoreOptions {
            writer: WriterMode::Inline,
            ..StoreOptions::owner(now)
        };
        SqliteStore::open(&self.0.path().join("store.db"), options).expect("it opens")
    }
}

impl Fixture for SqliteInMemory {
    fn open(&mut self, now: Timestamp) -> Arc<dyn Store> {
        switchhook_store::open("sqlite::memory:", StoreOptions::owner(now)).expect("it opens")
    }

    fn outlives_its_process(&self) -> bool {
        false
    }
}

impl Postgres {
    pub(crate) fn new() -> Self {
        Self::at(postgres::new_database())
    }

    /// Server at this URL.
    pub(crate) const fn at(url: String) -> Self {
        Self { url }
    }
}

impl Fixture for Postgres {
    fn is_there() -> bool {
        postgres::is_there()
    }

    fn open(&mut self, now: Timestamp) -> Arc<dyn Store> {
        switchhook_store::open(&self.url, StoreOptions::owner(now)).expect("it opens")
    }
}
