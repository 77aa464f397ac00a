//! Group commit on SQLite: one batch of many callers' writes in one transaction, and one sync for all who wait for one.
//!
//! A batch is run in the open transaction (`record.rs` writes the rows of events), made certain in the journal or by a commit,
//! and answered. When the transaction begins and ends is in `write_connection.rs`.

use std::sync::Arc;

use rusqlite::Connection;

use super::clock::now;
use super::reserve::Reserve;
use super::transaction::{Outcome, Transaction, TransactionWork, WriteOutcome, closure};
use super::write_connection::WriteConnection;
use super::{attempts, owner, record, releases};
use crate::commit::{self, HotWrite};
use crate::effects::{CommitListeners, Effects};
use crate::error::StoreError;
use crate::event::NewEvent;
use crate::observer::Commit;

#[cfg(test)]
mod tests;

pub(super) type Write = commit::Write<dyn TransactionWork>;

pub(super) struct Committer {
    pub(super) database: WriteConnection,
    listeners: CommitListeners,
    /// Given up when the disk is full.
    reserve: Arc<Reserve>,
}

/// Point at which a write is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Durability {
    /// At its execution: if it is lost, an attempt is repeated.
    Repeatable,
    /// As soon as its events are in the journal.
    Journal,
    /// At its commit.
    Commit,
}

/// Possibility to roll a write back by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Isolation {
    Savepoint,
    /// Not: it does not fail unless something is very wrong; then everything is done again, carefully.
    None,
}

/// Reason for which a batch is not written.
enum Failure {
    /// The store itself does not work.
    Store(StoreError),
    /// A write without a savepoint failed.
    NotIsolated,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Committer {
    pub(super) const fn new(
        database: WriteConnection,
        listeners: CommitListeners,
        reserve: Arc<Reserve>,
    ) -> Self {
        Self {
            database,
            listeners,
            reserve,
        }
    }

    pub(super) const fn connection(&self) -> &Connection {
        &self.database.connection
    }

    /// Does all the writes in one transaction, and answers every caller when what it waits for is certain.
    ///
    /// A commit that is due comes after the writes that need not wait for it: it takes longer than the journal, and they would need
    /// rows at once.
    pub(super) fn commit(&mut self, writes: Vec<Write>) {
        let durability = self.durability_of(&writes);
        self.commit_as(writes, durability);
        if self.database.is_commit_due() {
            self.commit_as(Vec::new(), Durability::Commit);
        }
    }

    /// Point at which these writes are answered, as long as a transaction is open or begins with them, and the journal has room.
    fn durability_of(&self, writes: &[Write]) -> Durability {
        let wanted = writes.iter().map(durability).max();
        let wanted = wanted.unwrap_or(Durability::Repeatable);
        let has_room = self.database.open_until().is_some() || wanted == Durability::Journal;
        if has_room && self.database.takes_more() {
            wanted
        } else {
            Durability::Commit
        }
    }

    fn commit_as(&mut self, mut writes: Vec<Write>, durability: Durability) {
        if let Some(why) = self.database.after_loss() {
            answer(writes, &Err(StoreError::Unavailable(why)));
            return;
        }
        let started = now();
        match self.write(&mut writes, durability) {
            Ok(effects) => {
                self.listeners.notify(effects);
                if !writes.is_empty() || durability == Durability::Commit {
                    self.listeners.committed(Commit {
                        operations: writes.len(),
                        duration: now().duration_since(started),
                    });
                }
                answer(writes, &Ok(()));
            }
            Err(error) => {
                let error = unavailable(error);
                if writes.is_empty() {
                    tracing::error!(%error, "a commit failed: the journal has its events, which are recorded again");
                } else {
                    tracing::error!(operations = writes.len(), %error, "nothing could be kept");
                }
                self.reserve.after_failure(&error);
                self.database.roll_back();
                answer(writes, &Err(error));
            }
        }
    }

    /// Runs the writes and makes them certain.
    fn write(&mut self, writes: &mut [Write], durability: Durability) -> Result<Effects, StoreError> {
        let (outcome, durability) = match self.run(writes, durability, isolation) {
            Ok(outcome) => (outcome, durability),
            Err(Failure::Store(error)) => return Err(error),
            Err(Failure::NotIsolated) => {
                self.database.roll_back();
                // What fails now must not be in the journal.
                let durability = Durability::Commit;
                match self.run(writes, durability, |_| Isolation::Savepoint) {
                    Ok(outcome) => (outcome, durability),
                    Err(Failure::Store(error)) => return Err(error),
                    Err(Failure::NotIsolated) => unreachable!("each write has a savepoint"),
                }
            }
        };
        self.database.note_finished(finished(writes));
        self.make_certain(writes, durability, &outcome)?;
        Ok(outcome.effects)
    }

    fn run(
        &mut self,
        writes: &mut [Write],
        durability: Durability,
        isolation: impl Fn(&Write) -> Isolation,
    ) -> Result<Outcome, Failure> {
        if writes.is_empty() && self.database.open_until().is_none() {
            self.database.leave_no_delivery();
        }
        self.database.begin()?;
        let mut transaction = self.database.transaction();
        transaction.may_defer = durability < Durability::Commit;
        for write in writes {
            let isolation = isolation(write);
            run_one(write, &mut transaction, isolation)?;
        }
        // Which row it is that cannot be written is found when they are written one by one.
        match WriteOutcome::of(&transaction.write_what_is_full()) {
            WriteOutcome::StoreFailed(message) => Err(Failure::Store(StoreError::Unavailable(message))),
            WriteOutcome::Failed => Err(Failure::NotIsolated),
            WriteOutcome::Done => Ok(transaction.into_outcome()),
        }
    }

    fn make_certain(
        &mut self,
        writes: &[Write],
        durability: Durability,
        outcome: &Outcome,
    ) -> Result<(), StoreError> {
        let is_certain = match durability {
            Durability::Repeatable => true,
            Durability::Journal => {
                let journal = self.database.open_journal();
                journal.is_some_and(|journal| journal.keep(events(writes)))
            }
            Durability::Commit => false,
        };
        if is_certain {
            if durability == Durability::Journal {
                self.database.note_ahead();
            }
            return Ok(());
        }
        self.database.commit()?;
        if outcome.has_overwritten {
            self.database.overwrite_journal();
        }
        Ok(())
    }

    /// Does one thing in a commit of its own.
    pub(super) fn do_now<T: Send + 'static>(
        &mut self,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (work, answer) = closure(work);
        self.commit(vec![Write::Other(work)]);
        answer.now()
    }

    /// Ends for good, with everything in the database file. What this process owns no longer it leaves alone.
    pub(super) fn close(&mut self) {
        self.database.leave_no_delivery();
        if self.database.has_uncommitted() {
            self.commit_as(Vec::new(), Durability::Commit);
        }
        if let Some(number) = self.database.ownership_monitor.number()
            && let Err(error) = self.do_now(move |transaction| owner::end(transaction.connection, number))
        {
            tracing::warn!(%error, "the store keeps saying that it is served");
        }
        self.database.close();
    }
}

fn durability(write: &Write) -> Durability {
    match write {
        Write::Hot(HotWrite::Record { .. }) => Durability::Journal,
        Write::Hot(HotWrite::Finish { .. }) => Durability::Repeatable,
        Write::Hot(HotWrite::Release { .. }) | Write::Other(_) => Durability::Commit,
    }
}

fn isolation(write: &Write) -> Isolation {
    match durability(write) {
        Durability::Repeatable | Durability::Journal => Isolation::None,
        Durability::Commit => Isolation::Savepoint,
    }
}

fn run_one(
    write: &mut Write,
    transaction: &mut Transaction<'_>,
    isolation: Isolation,
) -> Result<(), Failure> {
    if durability(write) == Durability::Commit {
        transaction.write_deferred()?;
    }
    let ran = match isolation {
        Isolation::None => perform(write, transaction),
        Isolation::Savepoint => transaction.isolated(|transaction| perform(write, transaction))?,
    };
    match (ran, isolation) {
        (WriteOutcome::StoreFailed(message), _) => Err(Failure::Store(StoreError::Unavailable(message))),
        (WriteOutcome::Failed, Isolation::None) => Err(Failure::NotIsolated),
        (WriteOutcome::Failed | WriteOutcome::Done, _) => Ok(()),
    }
}

fn perform(write: &mut Write, transaction: &mut Transaction<'_>) -> WriteOutcome {
    match write {
        Write::Hot(HotWrite::Record { events, reply }) => {
            WriteOutcome::keeping(record::record(transaction, events), reply)
        }
        Write::Hot(HotWrite::Finish { attempts, reply }) => {
            WriteOutcome::keeping(attempts::finish(transaction, attempts), reply)
        }
        Write::Hot(HotWrite::Release { releases, now, reply }) => {
            WriteOutcome::keeping(releases::release(transaction, releases, *now), reply)
        }
        Write::Other(work) => work.run(transaction),
    }
}

/// Answers the callers, first come, first served.
fn answer(writes: Vec<Write>, committed: &Result<(), StoreError>) {
    for write in writes {
        match write {
            Write::Hot(write) => write.answer(committed),
            Write::Other(work) => work.answer(committed),
        }
    }
}

/// The events that the writes keep.
fn events(writes: &[Write]) -> impl Iterator<Item = &NewEvent> {
    writes.iter().flat_map(|write| match write {
        Write::Hot(HotWrite::Record { events, .. }) => &events[..],
        _ => &[],
    })
}

/// Number of finished attempts.
fn finished(writes: &[Write]) -> usize {
    let finished = writes.iter().map(|write| match write {
        Write::Hot(HotWrite::Finish { attempts, .. }) => attempts.len(),
        _ => 0,
    });
    finished.sum()
}

/// The callers of a batch that was not committed may try again, whatever the reason was.
fn unavailable(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(_) => error,
        other => StoreError::Unavailable(other.to_string()),
    }
}
