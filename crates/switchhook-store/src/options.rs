//! How a store is opened, whichever driver it has.

use std::sync::Arc;

use switchhook_domain::Timestamp;

use crate::observer::CommitObserver;
use crate::sealing::Sealer;
use crate::sqlite::WriterMode;

/// What this process is to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It serves, and claims deliveries. A SQLite file has one such process, and claims of an earlier life end when it
    /// opens the store; on PostgreSQL each is a node.
    Owner,
    /// It reads and makes short writes, also while another process serves. It claims nothing.
    Guest,
}

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
        }
    }
}
