//! One transaction, from its beginning to its commit, and what it leaves to be done then.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use switchhook_domain::id::{CompanyId, DeliveryId, ReplayId, WebhookId};
use tokio::time::timeout;

use super::announcement::Announcement;
use super::changes;
use super::failure::no_answer;
use super::notifier::{Notifier, Ticket};
use crate::effects::Effects;
use crate::error::StoreError;
use crate::sql::{Sql, SqlTransaction, values};

/// After how long without an answer the connection is given up.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(20);

/// Locks that last until the end of the transaction. Keys of order have a space of their own ([`lock_keys`]).
///
/// Whoever takes several takes them in this order, then that of a replay, those of order queues, then the rows of events by id,
/// of deliveries by id, and of replays; last the subjects of notices.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lock {
    /// Held while migrating the schema.
    Schema = 1,
    /// Held while registering or ending nodes.
    Nodes = 2,
    /// Held while changing webhooks, websockets and subscriptions, so that their changes are numbered in the order of
    /// the commits.
    Registry = 3,
}

/// First half of our advisory locks, so that other programs can use locks in the same database.
const LOCK_SPACE: i32 = 0x5377_6974;

/// The same for the subjects of notices.
const SUBJECT_SPACE: i32 = LOCK_SPACE + 1;

pub(super) async fn lock(connection: &mut PgConnection, lock: Lock) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock($1, $2)")
        .bind(LOCK_SPACE)
        .bind(lock as i32)
        .execute(connection)
        .await?;
    Ok(())
}

/// Open transaction.
pub(super) struct Transaction<'c> {
    pub(super) connection: &'c mut PgConnection,
    /// Number of this node; `None` for a guest, which may claim nothing.
    pub(super) node: Option<i64>,
    pub(super) effects: Effects,
    /// True if nothing was begun: its one statement is a transaction of its own (`at_once.rs`).
    pub(super) is_one_statement: bool,
    announcements: Vec<Announcement>,
}

/// Work that remains after the commit.
pub(super) struct Outcome {
    /// Place in the order of notifications.
    pub(super) ticket: Ticket,
    pub(super) effects: Effects,
}

impl Outcome {
    /// Work that remains if the commit may have failed.
    fn doubtful(self) -> Self {
        Self {
            effects: self.effects.doubtful(),
            ..self
        }
    }
}

impl<'c> Transaction<'c> {
    fn new(connection: &'c mut PgConnection, node: Option<i64>) -> Self {
        Self {
            connection,
            node,
            effects: Effects::default(),
            is_one_statement: false,
            announcements: Vec::new(),
        }
    }

    /// Notifies the node that has a delivery in memory, this one or another, that it was cancelled.
    pub(super) fn notify_holder(&mut self, holder: i64, webhook_id: WebhookId, delivery_id: DeliveryId) {
        if Some(holder) == self.node {
            self.effects.cancelled(webhook_id, delivery_id);
        } else {
            self.announcements.push(Announcement::Cancelled {
                node: holder,
                webhook_id,
                delivery_id,
            });
        }
    }

    /// Notifies whoever listens, on every node, that the company's log has grown.
    pub(super) fn log_grew(&mut self, company_id: CompanyId) {
        let announcement = Announcement::Log(company_id);
        if !self.announcements.contains(&announcement) {
            self.announcements.push(announcement);
        }
    }

    /// Ends the work: announcements go out with the commit, which is to follow.
    async fn into_outcome(self, notifier: &Notifier) -> Result<Outcome, StoreError> {
        for announcement in &self.announcements {
            announcement.send(self.connection).await?;
        }
        Ok(Outcome {
            ticket: notifier.draw_ticket(),
            effects: self.effects,
        })
    }
}

#[async_trait]
impl SqlTransaction for Transaction<'_> {
    async fn registry_changed(&mut self, company_id: CompanyId) -> Result<(), StoreError> {
        changes::keep(self.connection, company_id).await?;
        self.announcements.push(Announcement::Registry);
        Ok(())
    }

    /// Comes after the registry's lock and before those of order queues.
    async fn lock_replay(&mut self, id: ReplayId) -> Result<(), StoreError> {
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended('replay', ?))";
        self.execute(lock, values![id.0]).await?;
        Ok(())
    }

    async fn lock_subject(&mut self, subject: &str) -> Result<(), StoreError> {
        let lock = format!("SELECT pg_advisory_xact_lock({SUBJECT_SPACE}, hashtext(?))");
        self.execute(&lock, values![subject]).await?;
        Ok(())
    }

    /// Does nothing: vacuumed space is reused some time.
    async fn overwrite(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Reason for which a transaction is not known to be committed.
pub(super) enum Uncommitted {
    /// It did nothing, and the database said why.
    RolledBack(StoreError),
    /// It did nothing, and the database did not answer.
    NoAnswer,
    /// The database did not say whether it was committed. What it claimed is doubtful.
    Doubtful(StoreError, Box<Outcome>),
}

impl From<StoreError> for Uncommitted {
    fn from(error: StoreError) -> Self {
        Self::RolledBack(error)
    }
}

impl From<Uncommitted> for StoreError {
    fn from(uncommitted: Uncommitted) -> Self {
        match uncommitted {
            Uncommitted::RolledBack(error) | Uncommitted::Doubtful(error, _) => error,
            Uncommitted::NoAnswer => no_answer(COMMIT_TIMEOUT),
        }
    }
}

/// Begins, works, commits. What is dropped halfway is rolled back.
pub(super) async fn transact<T>(
    connection: &mut PgConnection,
    node: Option<i64>,
    notifier: &Notifier,
    work: impl AsyncFnOnce(&mut Transaction<'_>) -> Result<T, StoreError>,
) -> Result<(T, Outcome), Uncommitted> {
    let working = async {
        let mut begun = connection.begin().await?;
        let mut transaction = Transaction::new(&mut begun, node);
        let value = work(&mut transaction).await?;
        let outcome = transaction.into_outcome(notifier).await?;
        Ok::<_, StoreError>((begun, value, outcome))
    };
    let Ok(worked) = timeout(COMMIT_TIMEOUT, working).await else {
        return Err(Uncommitted::NoAnswer);
    };
    let (begun, value, outcome) = worked?;
    let error = match timeout(COMMIT_TIMEOUT, begun.commit()).await {
        Ok(Ok(())) => return Ok((value, outcome)),
        Ok(Err(error)) => error.into(),
        Err(_elapsed) => no_answer(COMMIT_TIMEOUT),
    };
    Err(Uncommitted::Doubtful(error, Box::new(outcome.doubtful())))
}

/// Has one statement do all the work, which commits itself. `None` if it did nothing, because more is to be decided or because of
/// something in the batch: then the long way tells what.
pub(super) async fn transact_at_once(
    connection: &mut PgConnection,
    node: Option<i64>,
    notifier: &Notifier,
    work: impl AsyncFnOnce(&mut Transaction<'_>) -> Result<bool, StoreError>,
) -> Result<Option<Outcome>, Uncommitted> {
    let mut transaction = Transaction::new(connection, node);
    transaction.is_one_statement = true;
    // Before its locks are taken, because they are free again before its answer is here. What commits before it and has a later
    // ticket decides about other queues: new events are the first in theirs.
    let ticket = notifier.draw_ticket();
    let outcome = |transaction: Transaction<'_>| Outcome {
        ticket,
        effects: transaction.effects,
    };
    let error = match timeout(COMMIT_TIMEOUT, work(&mut transaction)).await {
        Ok(Ok(is_done)) => return Ok(is_done.then(|| outcome(transaction))),
        Ok(Err(error)) => {
            // If the server still answers, the failure was its answer, and nothing was done.
            match timeout(COMMIT_TIMEOUT, transaction.connection.ping()).await {
                // It would be no better on the long way, which would wait for the same locks once more.
                Ok(Ok(())) if matches!(error, StoreError::Unavailable(_)) => return Err(error.into()),
                Ok(Ok(())) => {
                    tracing::debug!(%error, "a batch is not written by one statement");
                    return Ok(None);
                }
                _ => error,
            }
        }
        Err(_elapsed) => no_answer(COMMIT_TIMEOUT),
    };
    Err(Uncommitted::Doubtful(
        error,
        Box::new(outcome(transaction).doubtful()),
    ))
}
