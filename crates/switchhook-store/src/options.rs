//! How a store is opened, whichever driver it has.

use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;

use crate::observer::CommitObserver;
use crate::sealing::Sealer;

/// What this process is to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It serves, and claims deliveries. A SQLite file has one such process, and claims of an earlier life end when it
    /// opens the store; on PostgreSQL each is a node.
    Owner,
    /// It reads and makes short writes, also while another process serves. It claims nothing.
    Guest,
}

/// How long a transaction of a SQLite store stays open unless told otherwise: long enough for most deliveries to end within it,
/// and for a quiet server to write little; short beside the time that a crash takes anyway.
pub const COMMIT_EVERY: Duration = Duration::from_millis(100);

/// How long to wait for another process that writes to a SQLite file.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How to open a store.
#[derive(Clone)]
pub struct StoreOptions {
    /// What this process is to the store.
    pub role: Role,
    /// Who does the work; for SQLite only.
    pub writer: WriterMode,
    /// What time it is: when migrations are done and lost claims are closed.
    pub now: Timestamp,
    /// Who wants to know of every commit.
    pub observer: Option<Arc<dyn CommitObserver>>,
    /// Who encrypts secrets; without one they are kept as they are.
    pub sealer: Option<Arc<dyn Sealer>>,
    /// How many bytes an owner keeps free beside the file, for the day on which the disk is full; 0 for none. For SQLite only.
    pub reserve_bytes: u64,
    /// How long a transaction stays open, while its events are safe in the journal; for SQLite only.
    pub commit_every: Duration,
    /// How long an owner waits for another process that writes to its file; for SQLite only.
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

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriterMode {
    /// A writer's thread with shared commits, a checkpointer's, and a few readers.
    Thread,
    /// Whoever calls, at once, one operation a commit: for simulations, and for commands that write once.
    Inline,
}
