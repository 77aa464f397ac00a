//! Custody: whether the file is still this process's, and what becomes of what only this process has if it is not.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rusqlite::Connection;

use super::backup;
use super::owner::{Ownership, OwnershipLoss};
use crate::error::StoreError;

/// A guest owns nothing, nor does anybody a store in memory.
#[derive(Default)]
pub(super) struct OwnershipMonitor {
    owner: Option<Ownership>,
    lost: Option<OwnershipLoss>,
    /// The loss, once all that was acknowledged is where it will be found.
    loss: Arc<OnceLock<String>>,
    /// Reason for which it is not there yet.
    complained_of: String,
}

impl OwnershipMonitor {
    pub(super) fn begin(&mut self, owner: Ownership) {
        self.owner = Some(owner);
    }

    /// The number of this owner.
    pub(super) fn number(&self) -> Option<i64> {
        self.owner.as_ref().map(Ownership::number)
    }

    /// Reason for which this process no longer owns its file; empty while it does.
    pub(super) fn loss(&self) -> Arc<OnceLock<String>> {
        Arc::clone(&self.loss)
    }

    pub(super) const fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Fails if another process has become the owner; asked within a transaction, while none can.
    pub(super) fn check_owner(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let Some(owner) = &self.owner else { return Ok(()) };
        match owner.is_taken(connection)? {
            Some(loss) => Err(self.lose(loss)),
            None => Ok(()),
        }
    }

    /// Loss if a written file is no longer found by its name.
    pub(super) fn is_displaced(&mut self) -> Option<OwnershipLoss> {
        self.owner.as_mut().and_then(Ownership::is_displaced)
    }

    /// True if another process has the database open with another log, so that writing would damage it.
    pub(super) fn has_other_log(&self) -> bool {
        self.owner.as_ref().is_some_and(Ownership::has_other_log)
    }

    pub(super) fn lose(&mut self, loss: OwnershipLoss) -> StoreError {
        let (OwnershipLoss::Taken(why) | OwnershipLoss::Displaced(why)) = &loss;
        let error = StoreError::Unavailable(why.clone());
        self.lost = Some(loss);
        error
    }

    /// Reason for which nothing is written any more. What only this process has is saved first, sooner or later.
    pub(super) fn after_loss(&mut self, connection: &Connection) -> Option<String> {
        let (OwnershipLoss::Taken(why) | OwnershipLoss::Displaced(why)) = self.lost.clone()?;
        if self.loss.get().is_none() {
            match self.rescue(connection) {
                Ok(None) => drop(self.loss.set(why.clone())),
                Ok(Some(copy)) => {
                    let copy = copy.display();
                    let why = format!("{why}; all that was accepted was written to {copy}");
                    drop(self.loss.set(why));
                }
                Err(error) => self.complain(&error.to_string()),
            }
        }
        Some(self.loss.get().cloned().unwrap_or(why))
    }

    fn rescue(&self, connection: &Connection) -> Result<Option<PathBuf>, StoreError> {
        match &self.owner {
            Some(owner) if owner.is_nameless() || owner.has_other_log() => {
                backup::rescue(connection, owner.file()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Once for each reason: it goes on being tried.
    fn complain(&mut self, why: &str) {
        if self.complained_of != why {
            tracing::error!(
                why,
                "what was accepted is in no file that can be found, and cannot be copied; this process keeps it until it can"
            );
            why.clone_into(&mut self.complained_of);
        }
    }
}
