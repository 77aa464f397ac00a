//! Start and end of the writing connection: events in journals that the database lacks are recorded first.

use std::fs::File;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::journal::{self, Journal, LeftBesideLinks};
use super::location::StoreFile;
use super::owner::{self, Ownership, OwnershipLoss};
use super::transaction::WriteOutcome;
use super::write_connection::WriteConnection;
use super::{connection, record};
use crate::error::StoreError;
use crate::event::NewEvent;

/// Number of tries to move the whole log into the file, and the pause between them.
const FOLDING_TRIES: u32 = 200;
const FOLDING_PAUSE: Duration = Duration::from_millis(5);

impl WriteConnection {
    /// Records, in a copy of a store, what that store's journal has of the same generation.
    pub(super) fn take_over(&mut self, events: Vec<NewEvent>) -> Result<(), StoreError> {
        self.begin()?;
        self.record_again(events.into_iter().map(unclaimed).collect())?;
        self.commit_everything()
    }

    /// Records of events of the journal what the database lacks of them. One that cannot be recorded is logged, and keeps nobody
    /// from the others. Nothing is handed over: the node was notified when they were recorded first, or will look for what is due.
    pub(super) fn record_again(&mut self, events: Vec<NewEvent>) -> Result<(), StoreError> {
        let mut transaction = self.transaction();
        for event in events {
            let ran = transaction.isolated(|transaction| {
                let recorded = record::record_again(transaction, &event);
                if let Err(error) = &recorded {
                    tracing::error!(id = event.id.0, %error, "an event of the journal cannot be recorded");
                }
                WriteOutcome::of(&recorded)
            })?;
            if let WriteOutcome::StoreFailed(message) = ran {
                return Err(StoreError::Unavailable(message));
            }
        }
        Ok(())
    }

    /// Brings all that was acknowledged into the database, wherever that is now; unless somebody has it open with another
    /// log, and writing to it would damage it.
    pub(super) fn leave_displaced(&mut self, loss: OwnershipLoss) -> Result<StoreError, StoreError> {
        if !self.ownership_monitor.has_other_log() {
            if let Some(number) = self.ownership_monitor.number() {
                owner::end(&self.connection, number)?;
            }
            self.commit_everything()?;
            self.fold_log();
        }
        Ok(self.ownership_monitor.lose(loss))
    }

    /// Becomes the owner of the file, and takes in what was accepted before. With the same commit any other process is the
    /// owner no longer; nothing can get into its journal meanwhile, nor afterwards.
    pub(super) fn own(
        &mut self,
        file: &StoreFile,
        database: Arc<File>,
        patience: Duration,
    ) -> Result<(), StoreError> {
        // One that still believes to be the owner may be busy.
        connection::look_often(&mut self.connection)?;
        self.start(file, Some(database))?;
        self.connection.busy_timeout(patience)?;
        // Whoever finds the file without its log is to know that it lacks something.
        self.connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Takes in what was accepted before, for whoever does not serve the file.
    pub(super) fn take_in(&mut self, file: &StoreFile) -> Result<(), StoreError> {
        self.start(file, None)
    }

    /// The events that are left in journals are recorded and committed; nobody has claimed them any more.
    fn start(&mut self, file: &StoreFile, database: Option<Arc<File>>) -> Result<(), StoreError> {
        self.begin()?;
        self.start_begun(file, database).inspect_err(|_| self.roll_back())
    }

    fn start_begun(&mut self, file: &StoreFile, database: Option<Arc<File>>) -> Result<(), StoreError> {
        if let Some(database) = database {
            self.ownership_monitor
                .begin(Ownership::take(&self.connection, file, database)?);
        }
        let generation = journal::generation(&self.connection)?;
        let unusable = |error| {
            let path = file.beside(journal::END);
            StoreError::Unusable(format!("{} cannot be used: {error}", path.display()))
        };
        let mut journal = Journal::open(file, generation).map_err(unusable)?;
        let beside_links = LeftBesideLinks::read(file, generation).map_err(unusable)?;
        let mut left = journal.events().map_err(unusable)?;
        left.extend(beside_links.events.iter().cloned());
        if !left.is_empty() {
            tracing::info!(
                events = left.len(),
                "what was accepted and not yet committed is recorded"
            );
        }
        self.journal = Some(journal);
        self.record_again(left.into_iter().map(unclaimed).collect())?;
        self.commit_everything()?;
        beside_links.remove();
        Ok(())
    }

    /// Leaves everything in the database file. What this process owns no longer it leaves alone.
    pub(super) fn close(&mut self) {
        if self.ownership_monitor.is_lost() {
            return;
        }
        if !self.must_record_again() {
            self.leave_journal();
        }
        self.fold_log();
    }

    /// Does without a journal from now on. There must be nothing in it that counts.
    pub(super) fn leave_journal(&mut self) {
        if let Some(journal) = self.journal.take() {
            journal.remove();
        }
    }

    /// Moves the whole write-ahead log into the file, so that the file alone is the store.
    fn fold_log(&self) {
        let pragma = "PRAGMA wal_checkpoint(TRUNCATE)";
        // SQLite does not wait for a checkpoint that is under way.
        for _ in 0..FOLDING_TRIES {
            match self.connection.query_row(pragma, [], |row| row.get(0)) {
                Ok(false) => return,
                Ok(true) => thread::park_timeout(FOLDING_PAUSE),
                Err(error) => {
                    tracing::warn!(%error, "the write-ahead log cannot be moved into the database file");
                    return;
                }
            }
        }
        tracing::warn!("the write-ahead log stays beside the database file; the next start reads it");
    }
}

/// Nobody has it any more who had it before a start.
fn unclaimed(mut event: NewEvent) -> NewEvent {
    for delivery in &mut event.deliveries {
        delivery.claim_until = None;
    }
    event
}
