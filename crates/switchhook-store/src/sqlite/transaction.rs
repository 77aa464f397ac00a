//! One transaction that may serve many callers, and what a caller wants done in it.

use rusqlite::{CachedStatement, Connection};
use switchhook_domain::delivery::Delivery;

use super::deferred::{Deferred, Extent};
use super::delivery_row;
use super::statements::Statements;
use crate::effects::Effects;
use crate::error::StoreError;
use crate::order_queue::InitialState;
use crate::reply::{Answer, Reply, reply};

/// Open transaction.
pub(super) struct Transaction<'c> {
    pub(super) connection: &'c Connection,
    /// True if this process may claim deliveries at all.
    pub(super) may_claim: bool,
    /// Rows not yet written.
    pub(super) deferred: &'c mut Deferred,
    /// True if claimed deliveries and events may be deferred now.
    pub(super) may_defer: bool,
    pub(super) effects: Effects,
    has_overwritten: bool,
    is_overwriting: bool,
    pub(super) statements: Statements<'c>,
}

/// Work that remains after the commit.
pub(super) struct Outcome {
    pub(super) effects: Effects,
    /// True if data was overwritten, and must not be found anywhere.
    pub(super) has_overwritten: bool,
}

impl<'c> Transaction<'c> {
    pub(super) fn new(connection: &'c Connection, may_claim: bool, deferred: &'c mut Deferred) -> Self {
        Self {
            connection,
            may_claim,
            deferred,
            may_defer: false,
            effects: Effects::default(),
            has_overwritten: false,
            is_overwriting: false,
            statements: Statements::new(connection),
        }
    }

    pub(super) fn prepare(&self, sql: &str) -> Result<CachedStatement<'c>, StoreError> {
        self.statements.prepare(sql)
    }

    /// Gives every event, and every delivery that has ended, its row.
    pub(super) fn write_gathered(&mut self) -> Result<(), StoreError> {
        self.deferred.gathered.write(&mut self.statements, Extent::All)
    }

    /// Writes what fills statements, or all once it has many bytes.
    pub(super) fn write_what_is_full(&mut self) -> Result<(), StoreError> {
        match self.deferred.gathered.full() {
            Some(extent) => self.deferred.gathered.write(&mut self.statements, extent),
            None => Ok(()),
        }
    }

    /// Gives everything its row: somebody is about to look at rows.
    pub(super) fn write_deferred(&mut self) -> Result<(), StoreError> {
        self.write_gathered()?;
        let claimed = self.deferred.take_all();
        delivery_row::insert_claimed(
            &mut self.statements,
            &mut self.deferred.queues_with_rows,
            &claimed,
        )
    }

    /// Gives a new delivery its row.
    pub(super) fn insert_delivery(
        &mut self,
        delivery: &Delivery,
        start: InitialState,
    ) -> Result<(), StoreError> {
        delivery_row::insert(
            &mut self.statements,
            &mut self.deferred.queues_with_rows,
            delivery,
            start,
        )
    }

    pub(super) fn into_outcome(self) -> Outcome {
        Outcome {
            effects: self.effects,
            has_overwritten: self.has_overwritten,
        }
    }

    /// Runs `work` so that what it deletes or replaces is overwritten with zeros in the file, and not only forgotten.
    pub(super) fn overwriting<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.begin_overwriting()?;
        let result = work(self);
        self.end_overwriting()?;
        result
    }

    /// Overwrites what is deleted or replaced from now on.
    pub(super) fn begin_overwriting(&mut self) -> Result<(), StoreError> {
        self.has_overwritten = true;
        self.is_overwriting = true;
        let pragma = "PRAGMA secure_delete = ON";
        Ok(self.connection.query_row(pragma, [], |_| Ok(()))?)
    }

    pub(super) fn end_overwriting(&mut self) -> Result<(), StoreError> {
        if self.is_overwriting {
            self.is_overwriting = false;
            let pragma = "PRAGMA secure_delete = FAST";
            self.connection.query_row(pragma, [], |_| Ok(()))?;
        }
        Ok(())
    }

    /// Runs `work` so that its failing leaves no trace.
    pub(super) fn isolated(
        &mut self,
        work: impl FnOnce(&mut Self) -> WriteOutcome,
    ) -> Result<WriteOutcome, StoreError> {
        let before = self.effects.mark();
        self.prepare("SAVEPOINT one_write")?.execute([])?;
        let ran = work(self);
        if let WriteOutcome::Failed = ran {
            self.effects.take_back(before);
            self.prepare("ROLLBACK TO one_write")?.execute([])?;
        }
        if !matches!(ran, WriteOutcome::StoreFailed(_)) {
            self.prepare("RELEASE one_write")?.execute([])?;
        }
        Ok(ran)
    }
}

/// Result of a write.
#[derive(Debug)]
pub(super) enum WriteOutcome {
    Done,
    /// It failed; its caller learns why. Its neighbours do not care.
    Failed,
    /// The store itself failed: nobody's write can be kept.
    StoreFailed(String),
}

impl WriteOutcome {
    pub(super) fn of<T>(result: &Result<T, StoreError>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(StoreError::Unavailable(message)) => Self::StoreFailed(message.clone()),
            Err(_) => Self::Failed,
        }
    }

    /// Of a result that is kept for the caller until the commit is certain.
    pub(super) fn keeping<T>(result: Result<T, StoreError>, reply: &mut Reply<T>) -> Self {
        let ran = Self::of(&result);
        reply.set(result);
        ran
    }
}

/// Write that only this driver knows. It may run twice, so it must not consume itself.
pub(super) trait TransactionWork: Send {
    fn run(&mut self, transaction: &mut Transaction<'_>) -> WriteOutcome;
    /// Answers the caller. If the work was not committed, it learns why.
    fn answer(self: Box<Self>, committed: &Result<(), StoreError>);
}

struct Closure<T, F> {
    work: F,
    reply: Reply<T>,
}

pub(super) fn closure<T, F>(work: F) -> (Box<dyn TransactionWork>, Answer<T>)
where
    F: FnMut(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    T: Send + 'static,
{
    let (reply, answer) = reply();
    (Box::new(Closure { work, reply }), answer)
}

impl<T, F> TransactionWork for Closure<T, F>
where
    F: FnMut(&mut Transaction<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, transaction: &mut Transaction<'_>) -> WriteOutcome {
        let result = (self.work)(transaction);
        WriteOutcome::keeping(result, &mut self.reply)
    }

    fn answer(self: Box<Self>, committed: &Result<(), StoreError>) {
        self.reply.send(committed);
    }
}
