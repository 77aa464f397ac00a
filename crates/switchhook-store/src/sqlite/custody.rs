//! Custody: whether the file is still this process's, and what becomes of what only this process has if it is not.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rusqlite::Connection;

use super::backup;
use super::owner::{Loss, Ownership};
use crate::error::StoreError;

/// A guest owns nothing, nor does anybody a store in memory.
#[derive(Default)]
pub(super) struct Custody {
    owner: Option<Ownership>,
    lost: Option<Loss>,
    /// The loss, once all that was acknowledged is where it will be found.
    loss: Arc<OnceLock<String>>,
    /// Why it is not there yet.
    complained_of: String,
}

impl Custody {
    pub(super) fn begin(&mut self, owner: Ownership) {
        self.owner = Some(owner);
    }

    /// The number of this owner.
    pub(super) fn number(&self) -> Option<i64> {
        self.owner.as_ref().map(Ownership::number)
    }

    /// Why this process owns its file no longer; empty as long as it does.
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

    /// Whether a file that is written is no longer found by its name.
    pub(super) fn is_displaced(&mut self) -> Option<Loss> {
        self.owner.as_mut().and_then(Ownership::is_displaced)
    }

    /// Whether somebody has the database open with another log: writing to it would damage it.
    pub(super) fn has_other_log(&self) -> bool {
        self.owner.as_ref().is_some_and(Ownership::has_other_log)
    }

    pub(super) fn lose(&mut self, loss: Loss) -> StoreError {
        let (Loss::Taken(why) | Loss::Displaced(why)) = &loss;
        let error = StoreError::Unavailable(why.clone());
        self.lost = Some(loss);
        error
    }

    /// Why nothing is written any more, if that is so. What only this process has is brought to safety first, sooner or later.
    pub(super) fn after_loss(&mut self, connection: &Connection) -> Option<String> {
        let (Loss::Taken(why) | Loss::Displaced(why)) = self.lost.clone()?;
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
