//! Checkpoints: moving the write-ahead log's pages into the file, beside the commits and never inside one.
//!
//! Passive checkpoints every few milliseconds keep each one short. They cannot shorten the log under load, because
//! the writer always adds to it; so when it has grown long, the writer starts it over between two commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use crate::observer::FailureObserver;

/// Log size from which it is restarted, in pages of 4 KiB: 64 MiB.
const LONG_LOG: i64 = (64 << 20) / 4096;

/// Growth after which that is tried again, if a reader was in the way: 4 MiB.
const GROWTH: i64 = (4 << 20) / 4096;

/// Time for which the writer waits for readers of the old log. If they are slower it tries again later.
const PATIENCE: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
struct Requests {
    has_commits: bool,
    is_stopped: bool,
    #[cfg(test)]
    panics: bool,
}

#[derive(Debug, Default)]
struct Shared {
    requests: Mutex<Requests>,
    change: Condvar,
    /// Pages in the log, as of the last checkpoint.
    log_pages: AtomicI64,
}

/// The thread that checkpoints.
pub(super) struct Checkpointer {
    shared: Arc<Shared>,
    join: Mutex<Option<JoinHandle<()>>>,
}

impl Checkpointer {
    /// `pause`: how long after a checkpoint the next one follows, if there was a commit.
    pub(super) fn start(
        connection: Connection,
        pause: Duration,
        watch: FailureObserver,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let join = std::thread::Builder::new()
            .name("store-checkpointer".into())
            .spawn(move || {
                watch.over("store's checkpointer", || {
                    checkpoint_until_stopped(&connection, &theirs, pause);
                });
            })?;
        Ok(Self {
            shared,
            join: Mutex::new(Some(join)),
        })
    }

    /// Handle with which the writer reports its commits.
    pub(super) fn log_guard(&self) -> LogGuard {
        LogGuard {
            shared: Arc::clone(&self.shared),
            patient_until: LONG_LOG,
        }
    }

    /// Lets the thread panic after the next commit.
    #[cfg(test)]
    pub(super) fn panic_at_next(&self) {
        self.shared.requests.lock().panics = true;
    }

    /// Blocks until the checkpoint under way, if there is one, has ended.
    pub(super) fn stop(&self) {
        self.shared.requests.lock().is_stopped = true;
        self.shared.change.notify_one();
        if let Some(join) = self.join.lock().take() {
            // If it panicked, that was reported.
            let _ = join.join();
        }
    }
}

/// The writer's part: says that there was a commit, and starts a long log over.
pub(super) struct LogGuard {
    shared: Arc<Shared>,
    /// Log size from which a restart is tried: larger than usual while a slow reader (a backup) needs the old log,
    /// because otherwise every commit would wait for it.
    patient_until: i64,
}

impl LogGuard {
    pub(super) fn after_commit(&mut self, connection: &Connection) {
        let mut requests = self.shared.requests.lock();
        if !requests.has_commits {
            requests.has_commits = true;
            self.shared.change.notify_one();
        }
        drop(requests);
        let pages = self.shared.log_pages.load(Ordering::Relaxed);
        if pages > self.patient_until {
            self.start_over(connection, pages);
        }
    }

    fn start_over(&mut self, connection: &Connection, pages: i64) {
        let result = connection
            .busy_timeout(PATIENCE)
            .and_then(|()| checkpoint(connection, "PRAGMA wal_checkpoint(RESTART)"))
            .and_then(|seen| connection.busy_timeout(crate::options::PATIENCE).map(|()| seen));
        match result {
            Ok(seen) if !seen.is_busy => {
                self.shared.log_pages.store(0, Ordering::Relaxed);
                self.patient_until = LONG_LOG;
            }
            Ok(_) => self.patient_until = pages + GROWTH,
            Err(error) => tracing::warn!(%error, "the write-ahead log could not be started over"),
        }
    }
}

fn checkpoint_until_stopped(connection: &Connection, shared: &Shared, pause: Duration) {
    while wait_for_commits(shared, pause) {
        match checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)") {
            Ok(seen) => shared.log_pages.store(seen.log_pages, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "a checkpoint failed; the write-ahead log grows"),
        }
    }
}

/// Waits out the pause, then for a commit; `false` if it is time to stop.
fn wait_for_commits(shared: &Shared, pause: Duration) -> bool {
    let mut requests = shared.requests.lock();
    shared
        .change
        .wait_while_for(&mut requests, |requests| !requests.is_stopped, pause);
    shared.change.wait_while(&mut requests, |requests| {
        !requests.has_commits && !requests.is_stopped
    });
    #[cfg(test)]
    assert!(!requests.panics, "as the test wants");
    requests.has_commits = false;
    !requests.is_stopped
}

struct CheckpointResult {
    is_busy: bool,
    log_pages: i64,
}

fn checkpoint(connection: &Connection, pragma: &str) -> rusqlite::Result<CheckpointResult> {
    connection.prepare_cached(pragma)?.query_row([], |row| {
        Ok(CheckpointResult {
            is_busy: row.get::<_, i64>(0)? != 0,
            log_pages: row.get(1)?,
        })
    })
}
