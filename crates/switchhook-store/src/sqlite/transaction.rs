//! One transaction that may serve many callers, and what a caller wants done in it.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection};
use tokio::sync::oneshot;

use super::deferred::Deferred;
use crate::claim::{HandOver, HandedOver};
use crate::error::StoreError;
use crate::event::NewEvent;
use crate::observer::SetAside;

/// The node that owns the file. There is only one: on PostgreSQL each has a number of its own.
pub(super) const THIS_NODE: i64 = 1;

/// The open transaction.
pub(super) struct Transaction<'c> {
    pub(super) connection: &'c Connection,
    /// Whether this process may claim deliveries at all.
    pub(super) may_claim: bool,
    /// Claimed deliveries without a row.
    pub(super) deferred: &'c mut Deferred,
    /// Whether deliveries may be among those, for now.
    pub(super) may_defer: bool,
    told: Told,
    hot: Vec<(&'static str, CachedStatement<'c>)>,
}

/// What a transaction has to tell: to the node, to the operator, and to whoever commits it.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) handed_over: HandOver,
    pub(super) set_aside: Vec<SetAside>,
    /// Whether something was overwritten, and must not be found anywhere.
    pub(super) has_overwritten: bool,
}

impl<'c> Transaction<'c> {
    pub(super) fn new(connection: &'c Connection, may_claim: bool, deferred: &'c mut Deferred) -> Self {
        Self {
            connection,
            may_claim,
            deferred,
            may_defer: false,
            told: Told::default(),
            hot: Vec::new(),
        }
    }

    pub(super) fn prepare(&self, sql: &str) -> Result<CachedStatement<'c>, StoreError> {
        Ok(self.connection.prepare_cached(sql)?)
    }

    /// A statement that is used for every event: it is looked up once in a transaction. There are a handful of these.
    pub(super) fn hot(&mut self, sql: &'static str) -> Result<&mut CachedStatement<'c>, StoreError> {
        let is_it = |(known, _): &(&'static str, _)| std::ptr::eq(*known, sql);
        let place = match self.hot.iter().position(is_it) {
            Some(place) => place,
            None => {
                self.hot.push((sql, self.connection.prepare_cached(sql)?));
                self.hot.len() - 1
            }
        };
        Ok(&mut self.hot[place].1)
    }

    /// Gives every delivery its row: somebody is about to look at rows.
    pub(super) fn write_deferred(&mut self) -> Result<(), StoreError> {
        self.deferred.write_all(self.connection)
    }

    /// Tells this node something, once it is certain.
    pub(super) fn hand_over(&mut self, item: HandedOver) {
        self.told.handed_over.push(item);
    }

    /// Tells the operator of a delivery that was set aside, once it is certain.
    pub(super) fn report(&mut self, set_aside: SetAside) {
        self.told.set_aside.push(set_aside);
    }

    pub(super) fn into_told(self) -> Told {
        self.told
    }

    /// Runs `work` so that what it deletes or replaces is overwritten with zeros in the file, and not only forgotten.
    pub(super) fn overwriting<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.told.has_overwritten = true;
        self.connection
            .query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?;
        let result = work(self);
        self.connection
            .query_row("PRAGMA secure_delete = OFF", [], |_| Ok(()))?;
        result
    }

    /// Runs `work` so that its failing leaves no trace.
    pub(super) fn isolated(&mut self, work: impl FnOnce(&mut Self) -> Ran) -> Result<Ran, StoreError> {
        let (told, reported) = (self.told.handed_over.len(), self.told.set_aside.len());
        self.prepare("SAVEPOINT operation")?.execute([])?;
        let ran = work(self);
        if let Ran::Failed = ran {
            self.told.handed_over.truncate(told);
            self.told.set_aside.truncate(reported);
            self.prepare("ROLLBACK TO operation")?.execute([])?;
        }
        if !matches!(ran, Ran::StoreFailed(_)) {
            self.prepare("RELEASE operation")?.execute([])?;
        }
        Ok(ran)
    }
}

/// What an operation needs of the transaction that it shares with others.
#[derive(Debug, Clone)]
pub(super) enum Nature {
    /// It keeps these events: they are safe as soon as the journal has them.
    Recording(Arc<[NewEvent]>),
    /// It says how attempts ended, which need not be certain: else they are made again.
    Finishing,
    /// It wants to see all rows, and the commit. It may fail after having written something.
    Ordinary,
}

/// Whether an operation can be undone by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isolation {
    /// In a savepoint.
    Savepoint,
    /// Not: it does not fail unless something is very wrong; then everything is done again, carefully.
    None,
}

impl Nature {
    pub(super) const fn isolation(&self) -> Isolation {
        match self {
            Self::Recording(_) | Self::Finishing => Isolation::None,
            Self::Ordinary => Isolation::Savepoint,
        }
    }
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

impl Ran {
    pub(super) fn of<T>(result: &Result<T, StoreError>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(StoreError::Unavailable(message)) => Self::StoreFailed(message.clone()),
            Err(_) => Self::Failed,
        }
    }
}

/// Something that a caller wants done. It may be run twice, so it must not use itself up.
pub(super) trait Job: Send {
    fn nature(&self) -> &Nature;
    fn run(&mut self, transaction: &mut Transaction<'_>) -> Ran;
    /// Tells the caller; `failure` if the commit did not come about.
    fn answer(self: Box<Self>, failure: Option<&str>);
}

/// A job made of a closure.
pub(super) struct Errand<T, F> {
    nature: Nature,
    work: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Errand<T, F>
where
    F: FnMut(&mut Transaction<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    pub(super) fn new(nature: Nature, work: F) -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (
            Self {
                nature,
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
    fn nature(&self) -> &Nature {
        &self.nature
    }

    fn run(&mut self, transaction: &mut Transaction<'_>) -> Ran {
        let result = (self.work)(transaction);
        let ran = Ran::of(&result);
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
