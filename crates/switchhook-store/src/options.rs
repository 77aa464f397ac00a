//! Options for opening a store, whichever driver it has.

use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;

use crate::observer::CommitObserver;
use crate::sealing::Sealer;

/// Role of this process for the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It serves, and claims deliveries. A SQLite file has one such process, and claims of an earlier life end when it
    /// opens the store; on PostgreSQL each is a node.
    Owner,
    /// It reads and makes short writes, also while another process serves. It claims nothing.
    Guest,
}

/// Default for the time that an SQLite transaction stays open: long enough for most deliveries to end within it, and
/// for a quiet server to write little; short compared with the time that a crash costs anyway.
pub const COMMIT_EVERY: Duration = Duration::from_millis(100);

/// Time to wait for another process that writes to a SQLite file.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Options for opening a store.
#[derive(Clone)]
pub struct StoreOptions {
    pub role: Role,
    /// Writer; for SQLite only.
    pub writer: WriterMode,
    /// Present time, for migrations and for closing lost claims.
    pub now: Timestamp,
    /// Observer of commits.
    pub observer: Option<Arc<dyn CommitObserver>>,
    /// Encryption of secrets; without it they are stored as they are.
    pub sealer: Option<Arc<dyn Sealer>>,
    /// Bytes that an owner reserves beside the file, for the day on which the disk is full; 0 for none. For SQLite
    /// only.
    pub reserve_bytes: u64,
    /// Time for which a transaction stays open, while its events are safe in the journal; for SQLite only.
    pub commit_every: Duration,
    /// Time that an owner waits for another process that writes to its file; for SQLite only.
    pub patience: Duration,
}

impl StoreOptions {
    /// For a process that serves.
    #[must_use]
    pub fn owner(now: Timestamp) -> Self {
        Self {
            role: Role::Owner,
            writer: WriterMode::Thread,
            now,
            observer: None,
            sealer: None,
            reserve_bytes: 0,
            commit_every: COMMIT_EVERY,
            patience: PATIENCE,
        }
    }

    /// For a command beside it.
    #[must_use]
    pub fn guest(now: Timestamp) -> Self {
        Self {
            role: Role::Guest,
            writer: WriterMode::Inline,
            now,
            observer: None,
            sealer: None,
            reserve_bytes: 0,
            commit_every: COMMIT_EVERY,
            patience: PATIENCE,
        }
    }
}

/// Thread on which writes are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriterMode {
    /// A writer's thread with shared commits, a checkpointer's, and a few readers.
    Thread,
    /// Whoever calls, at once, one operation a commit: for simulations, and for commands that write once.
    Inline,
}
