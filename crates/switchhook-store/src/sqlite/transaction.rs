//! One transaction that may serve many callers, and what a caller wants done in it.

use rusqlite::{CachedStatement, Connection};
use tokio::sync::oneshot;

use crate::claim::{HandOver, HandedOver};
use crate::error::StoreError;
use crate::observer::SetAside;

/// The node that owns the file. There is only one: on PostgreSQL each has a number of its own.
pub(super) const THIS_NODE: i64 = 1;

/// The open transaction.
pub(super) struct Transaction<'c> {
    pub(super) connection: &'c Connection,
    /// Whether this process may claim deliveries at all.
    pub(super) may_claim: bool,
    handed_over: HandOver,
    set_aside: Vec<SetAside>,
}

impl<'c> Transaction<'c> {
    pub(super) const fn new(connection: &'c Connection, may_claim: bool) -> Self {
        Self {
            connection,
            may_claim,
            handed_over: Vec::new(),
            set_aside: Vec::new(),
        }
    }

    pub(super) fn prepare(&self, sql: &str) -> Result<CachedStatement<'c>, StoreError> {
        Ok(self.connection.prepare_cached(sql)?)
    }

    /// Tells this node something, once the commit is done.
    pub(super) fn hand_over(&mut self, item: HandedOver) {
        self.handed_over.push(item);
    }

    /// Tells the operator of a delivery that was set aside, once the commit is done.
    pub(super) fn report(&mut self, set_aside: SetAside) {
        self.set_aside.push(set_aside);
    }

    pub(super) fn into_told(self) -> (HandOver, Vec<SetAside>) {
        (self.handed_over, self.set_aside)
    }

    /// Runs `work` so that what it deletes or replaces is overwritten with zeros in the file, and not only forgotten.
    pub(super) fn overwriting<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.connection
            .query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?;
        let result = work(self);
        self.connection
            .query_row("PRAGMA secure_delete = OFF", [], |_| Ok(()))?;
        result
    }

    /// Runs `work` so that its failing leaves no trace.
    pub(super) fn isolated(&mut self, work: impl FnOnce(&mut Self) -> Ran) -> Result<Ran, StoreError> {
        let (told, reported) = (self.handed_over.len(), self.set_aside.len());
        self.prepare("SAVEPOINT operation")?.execute([])?;
        let ran = work(self);
        if let Ran::Failed = ran {
            self.handed_over.truncate(told);
            self.set_aside.truncate(reported);
            self.prepare("ROLLBACK TO operation")?.execute([])?;
        }
        if !matches!(ran, Ran::StoreFailed(_)) {
            self.prepare("RELEASE operation")?.execute([])?;
        }
        Ok(ran)
    }
}

/// How an operation shares its transaction with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isolation {
    /// In a savepoint: it may fail after having written something.
    Savepoint,
    /// Without one: it does not fail unless something is very wrong; then the whole batch is done again, carefully.
    None,
}

/// How an operation went.
#[derive(Debug)]
pub(super) enum Ran {
    Done,
    /// It failed; its caller learns why. Its neighbours do not care.
    Failed,
    /// The store itself failed: nobody's operation can be kept.
    StoreFailed(String),
}

/// Something that a caller wants done. It may be run twice, so it must not use itself up.
pub(super) trait Job: Send {
    fn isolation(&self) -> Isolation;
    fn run(&mut self, transaction: &mut Transaction<'_>) -> Ran;
    /// Tells the caller; `failure` if the commit did not come about.
    fn answer(self: Box<Self>, failure: Option<&str>);
}

/// A job made of a closure.
pub(super) struct Errand<T, F> {
    isolation: Isolation,
    work: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Errand<T, F>
where
    F: FnMut(&mut Transaction<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    pub(super) fn new(isolation: Isolation, work: F) -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (
            Self {
                isolation,
                work,
                result: None,
                reply,
            },
            answer,
        )
    }
}

impl<T, F> Job for Errand<T, F>
where
    F: FnMut(&mut Transaction<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn isolation(&self) -> Isolation {
        self.isolation
    }

    fn run(&mut self, transaction: &mut Transaction<'_>) -> Ran {
        let result = (self.work)(transaction);
        let ran = match &result {
            Ok(_) => Ran::Done,
            Err(StoreError::Unavailable(message)) => Ran::StoreFailed(message.clone()),
            Err(_) => Ran::Failed,
        };
        self.result = Some(result);
        ran
    }

    fn answer(self: Box<Self>, failure: Option<&str>) {
        let result = match failure {
            Some(message) => Err(StoreError::Unavailable(message.to_owned())),
            None => self
                .result
                .unwrap_or_else(|| Err(StoreError::Unavailable("it was not tried".to_owned()))),
        };
        // A caller that went away does not want to know.
        self.reply.send(result).ok();
    }
}
