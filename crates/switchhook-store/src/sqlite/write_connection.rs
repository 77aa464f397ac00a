//! The connection that writes: a transaction that stays open on it for some milliseconds, and the journal that has its
//! events until the commit.
//!
//! Events are answered when the journal has them: if the transaction cannot be committed, the next one begins with them.
//! How attempts ended is answered when it is done: if that is lost, in a crash or with such a transaction, a delivery is
//! repeated. Whatever else is done is committed first. Which of these a batch needs is decided in `committer.rs`; how the connection
//! begins and ends is `beginning.rs`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::clock::now;
use super::deferred::Deferred;
use super::journal::{self, Journal};
use super::ownership_monitor::OwnershipMonitor;
use super::transaction::Transaction;
use crate::error::StoreError;

/// Bound on the finished attempts of a transaction, whose deliveries are sent again after a crash.
const MOST_FINISHED: usize = 500;

/// Commits in succession that may leave claimed deliveries without a row, while the journal has their events. Most
/// end meanwhile, and are written once; whoever reads, or writes anything else, has all of them written first.
const MOST_LEAVING: u32 = 32;

/// Time limit for that, because commands beside the server wait five seconds for a commit that leaves nothing.
const LONGEST_LEAVING: Duration = Duration::from_secs(2);

pub(super) struct WriteConnection {
    pub(super) connection: Connection,
    /// True if this process may claim deliveries.
    may_claim: bool,
    /// Makes events durable before the commit. Without it everything waits for the commit.
    pub(super) journal: Option<Journal>,
    /// Time for which a transaction stays open for more writes.
    open_for: Duration,
    /// Until when the transaction that is open stays so, if one is.
    open_until: Option<Instant>,
    /// Further commits that may leave claimed deliveries without a row, and the time limit for the last one's.
    may_leave: u32,
    left_until: Option<Instant>,
    leaves_until: Option<Instant>,
    /// Finished attempts in the transaction.
    finished: usize,
    deferred: Deferred,
    /// True if something was answered that readers do not see yet.
    is_ahead: Arc<AtomicBool>,
    /// Asked in every transaction.
    pub(super) ownership_monitor: OwnershipMonitor,
}

impl WriteConnection {
    pub(super) fn new(connection: Connection, may_claim: bool, open_for: Duration) -> Self {
        Self {
            connection,
            may_claim,
            open_for,
            journal: None,
            open_until: None,
            may_leave: 0,
            left_until: None,
            leaves_until: None,
            finished: 0,
            deferred: Deferred::default(),
            is_ahead: Arc::default(),
            ownership_monitor: OwnershipMonitor::default(),
        }
    }

    /// True if something was answered that readers see only after the next commit.
    pub(super) fn is_ahead(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_ahead)
    }

    /// Until when the open transaction stays open; `None` if there is none.
    pub(super) const fn open_until(&self) -> Option<Instant> {
        self.open_until
    }

    /// Latest time for the next commit; `None` if nothing waits for it.
    pub(super) fn commits_at(&self) -> Option<Instant> {
        let left = self.left_until.filter(|_| self.deferred.has_claimed());
        self.open_until.or(left)
    }

    /// Nothing more comes for now: the next commit leaves nothing without a row.
    pub(super) const fn leave_no_delivery(&mut self) {
        self.may_leave = 0;
    }

    /// True if something answered is not committed.
    pub(super) fn has_uncommitted(&self) -> bool {
        self.open_until.is_some() || self.deferred.has_claimed() || self.must_record_again()
    }

    pub(super) fn must_record_again(&self) -> bool {
        self.journal.as_ref().is_some_and(Journal::must_record_again)
    }

    /// True if the journal takes more.
    pub(super) fn takes_more(&self) -> bool {
        self.journal.as_ref().is_some_and(Journal::takes_more)
    }

    /// True if the open transaction has been open for long or many attempts have ended in it, or if the journal is full.
    pub(super) fn is_commit_due(&self) -> bool {
        let is_long = |until| self.finished >= MOST_FINISHED || until <= now();
        self.open_until
            .is_some_and(|until| is_long(until) || !self.takes_more())
    }

    /// So many attempts have ended in the transaction that is open.
    pub(super) const fn note_finished(&mut self, count: usize) {
        self.finished += count;
    }

    // --- the transaction ------------------------------------------------------------------------------------------

    /// Reason for which nothing is written any more.
    pub(super) fn after_loss(&mut self) -> Option<String> {
        self.ownership_monitor.after_loss(&self.connection)
    }

    /// Begins a transaction, if none is open, with what the journal has of one that was rolled back.
    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        if self.open_until.is_some() {
            return Ok(());
        }
        self.execute("BEGIN IMMEDIATE")?;
        self.open_until = Some(now() + self.open_for);
        self.finished = 0;
        self.deferred.begin(&self.connection)?;
        self.ownership_monitor.check_owner(&self.connection)?;
        if let Some(journal) = &mut self.journal {
            let generation = journal::generation(&self.connection)?;
            if generation != journal.generation() {
                // A guest that found no lock has recorded what there was.
                journal.begin(generation);
                self.deferred.clear();
            }
            if journal.must_record_again() {
                let events = journal.events().map_err(|error| unreadable(&error))?;
                self.record_again(events)?;
            }
        }
        if let Some(journal) = &mut self.journal {
            journal.note_recorded();
            journal.make_findable().map_err(|error| unreadable(&error))?;
        }
        match self.ownership_monitor.is_displaced() {
            Some(loss) => Err(self.leave_displaced(loss)?),
            None => Ok(()),
        }
    }

    /// The transaction that is open.
    pub(super) fn transaction(&mut self) -> Transaction<'_> {
        Transaction::new(&self.connection, self.may_claim, &mut self.deferred)
    }

    /// The journal, while it takes more.
    pub(super) fn open_journal(&mut self) -> Option<&mut Journal> {
        self.journal.as_mut().filter(|journal| journal.takes_more())
    }

    /// Something is answered that readers do not see yet.
    pub(super) fn note_ahead(&self) {
        self.is_ahead.store(true, Ordering::Release);
    }

    /// Commits; what is claimed and has no row yet stays so, if the journal may keep its events for longer.
    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        if self.may_leave_claimed() {
            self.transaction().write_gathered()?;
            self.commit_rows()?;
            self.may_leave -= 1;
            self.left_until = Some(now() + self.open_for);
            return Ok(());
        }
        self.commit_everything()
    }

    /// Commits, with a row for everything: the journal begins anew.
    pub(super) fn commit_everything(&mut self) -> Result<(), StoreError> {
        self.transaction().write_deferred()?;
        let next_generation = match &self.journal {
            Some(journal) if journal.has_something() => Some(journal.conclude(&self.connection)?),
            _ => None,
        };
        self.commit_rows()?;
        self.is_ahead.store(false, Ordering::Release);
        self.may_leave = MOST_LEAVING;
        self.leaves_until = Some(now() + LONGEST_LEAVING);
        if let (Some(journal), Some(generation)) = (&mut self.journal, next_generation) {
            journal.begin(generation);
        }
        Ok(())
    }

    fn commit_rows(&mut self) -> Result<(), StoreError> {
        self.execute("COMMIT")?;
        self.open_until = None;
        Ok(())
    }

    fn may_leave_claimed(&self) -> bool {
        self.deferred.has_claimed()
            && self.may_leave > 0
            && self.leaves_until.is_some_and(|until| now() < until)
            && self.takes_more()
    }

    /// After some failures SQLite has already rolled back.
    pub(super) fn roll_back(&mut self) {
        self.open_until = None;
        self.may_leave = 0;
        self.deferred.clear();
        if let Some(journal) = &mut self.journal {
            journal.note_rollback();
        }
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(%error, "a failed transaction could not be rolled back");
        }
    }

    /// After a commit in which something was overwritten: it must not be found in the journal either.
    pub(super) fn overwrite_journal(&self) {
        if let Some(journal) = &self.journal
            && let Err(error) = journal.overwrite()
        {
            tracing::error!(%error, "what was erased may still be in the journal");
        }
    }

    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

fn unreadable(error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!(
        "the journal beside the database (its name ends in .intake) cannot be read: {error}"
    ))
}
