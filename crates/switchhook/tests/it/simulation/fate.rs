//! Crashes: a store whose process is gone right after some commit, and that can be opened again.

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use switchhook_domain::Timestamp;
use switchhook_store::WriterMode;
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{Commit, Store, StoreOptions};

/// A crash: after so many commits nothing works any more.
pub(super) struct Fate {
    commits_left: AtomicU64,
    has_struck: AtomicBool,
    news: tokio::sync::Notify,
}

impl Fate {
    pub(super) fn after(commits: u64) -> Arc<Self> {
        Arc::new(Self {
            commits_left: AtomicU64::new(commits),
            has_struck: AtomicBool::new(false),
            news: tokio::sync::Notify::new(),
        })
    }

    pub(super) fn has_struck(&self) -> bool {
        self.has_struck.load(Ordering::Relaxed)
    }

    /// Comes to its end when the crash has happened.
    pub(super) async fn strikes(&self) {
        self.news.notified().await;
    }

    /// The store in `path`, as the process opens it whose fate this is. Opening it commits too, which does not count.
    pub(super) fn open(self: &Arc<Self>, path: &Path, now: Timestamp) -> Arc<dyn Store> {
        let armed = Arc::new(AtomicBool::new(false));
        let (fate, is_armed) = (Arc::clone(self), Arc::clone(&armed));
        let observer = move |_: Commit| {
            if is_armed.load(Ordering::Relaxed) {
                fate.commit();
            }
        };
        let options = StoreOptions {
            writer: WriterMode::Inline,
            observer: Some(Arc::new(observer)),
            ..StoreOptions::owner(now)
        };
        let store = SqliteStore::open(path, options).expect("the store opens after every crash");
        armed.store(true, Ordering::Relaxed);
        store
    }

    fn commit(&self) {
        let left = self.commits_left.load(Ordering::Relaxed);
        if left > 0 {
            self.commits_left.store(left - 1, Ordering::Relaxed);
            return;
        }
        // The commit is durable, but nobody will hear of it.
        self.has_struck.store(true, Ordering::Relaxed);
        self.news.notify_one();
        resume_unwind(Box::new("the process is gone"));
    }
}

/// A directory without a disk under it where there is one: these stores are synced thousands of times.
pub(super) fn in_memory_directory() -> tempfile::TempDir {
    let fast = Path::new("/dev/shm");
    let made = if fast.is_dir() {
        tempfile::tempdir_in(fast)
    } else {
        tempfile::tempdir()
    };
    made.expect("a temporary directory can be made")
}
