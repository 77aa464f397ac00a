//! Group commit: many callers' operations in one transaction and one fsync.

use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::reserve::Reserve;
use super::transaction::{Errand, Isolation, Job, Ran, Transaction};
use crate::claim::HandOver;
use crate::error::StoreError;
use crate::observer::{Commit, CommitObserver, SetAside};

/// Owns the connection that writes.
pub(super) struct Committer {
    pub(super) connection: Connection,
    /// Where claimed deliveries go; a guest claims nothing.
    pub(super) hand_over: Option<mpsc::UnboundedSender<HandOver>>,
    pub(super) observer: Option<Arc<dyn CommitObserver>>,
    /// What is given up when the disk is full.
    pub(super) reserve: Arc<Reserve>,
}

/// What a commit has to tell: to the node, and to the operator.
type Told = (HandOver, Vec<SetAside>);

enum Failure {
    /// The store itself does not work.
    Store(String),
    /// An operation without a savepoint failed.
    Neighbour,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(match error {
            StoreError::Unavailable(message) => message,
            other => other.to_string(),
        })
    }
}

impl Committer {
    /// Does all the jobs in one transaction, and answers every caller when it is durable.
    pub(super) fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let started = now();
        let result = match self.transact(&mut jobs, |job| job.isolation()) {
            Err(Failure::Neighbour) => self.transact(&mut jobs, |_| Isolation::Savepoint),
            result => result,
        };
        match result {
            Ok((handed_over, set_aside)) => {
                self.tell(handed_over);
                self.report(&set_aside);
                if let Some(observer) = &self.observer {
                    observer.committed(Commit {
                        operations: jobs.len(),
                        duration: now().duration_since(started),
                    });
                }
                answer(jobs, None);
            }
            Err(Failure::Store(message)) => {
                tracing::error!(operations = jobs.len(), reason = message, "nothing could be kept");
                self.reserve.after_failure(&message);
                answer(jobs, Some(&message));
            }
            Err(Failure::Neighbour) => {
                answer(jobs, Some("one operation could not be told from its neighbours"));
            }
        }
    }

    /// Does one thing in a commit of its own.
    pub(super) fn do_now<T: Send + 'static>(
        &mut self,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (errand, mut answer) = Errand::new(Isolation::Savepoint, work);
        self.commit(vec![Box::new(errand)]);
        answer
            .try_recv()
            .unwrap_or_else(|_| Err(StoreError::Unavailable("it was not tried".into())))
    }

    /// The hand-over comes before the answers, so that nobody hears of a success before the node does.
    fn tell(&self, handed_over: HandOver) {
        if let Some(stream) = &self.hand_over
            && !handed_over.is_empty()
        {
            stream.send(handed_over).ok();
        }
    }

    fn report(&self, set_aside: &[SetAside]) {
        for one in set_aside {
            let (delivery_id, why) = (one.delivery_id.0, &one.why);
            tracing::error!(delivery_id, why, "a delivery is set aside: its row is damaged");
            if let Some(observer) = &self.observer {
                observer.set_aside(one);
            }
        }
    }

    fn transact(
        &self,
        jobs: &mut [Box<dyn Job>],
        isolation: impl Fn(&dyn Job) -> Isolation,
    ) -> Result<Told, Failure> {
        let result = self.begin().and_then(|()| {
            let told = self.run(jobs, isolation)?;
            self.execute("COMMIT")?;
            Ok(told)
        });
        if result.is_err() {
            self.roll_back();
        }
        result
    }

    fn begin(&self) -> Result<(), Failure> {
        Ok(self.execute("BEGIN IMMEDIATE")?)
    }

    fn run(
        &self,
        jobs: &mut [Box<dyn Job>],
        isolation: impl Fn(&dyn Job) -> Isolation,
    ) -> Result<Told, Failure> {
        let mut transaction = Transaction::new(&self.connection, self.hand_over.is_some());
        for job in jobs {
            let ran = match isolation(job.as_ref()) {
                Isolation::None => match job.run(&mut transaction) {
                    Ran::Failed => return Err(Failure::Neighbour),
                    ran => ran,
                },
                Isolation::Savepoint => transaction.isolated(|transaction| job.run(transaction))?,
            };
            if let Ran::StoreFailed(message) = ran {
                return Err(Failure::Store(message));
            }
        }
        Ok(transaction.into_told())
    }

    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// After some failures SQLite has already rolled back.
    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(%error, "a failed transaction could not be rolled back");
        }
    }
}

fn answer(jobs: Vec<Box<dyn Job>>, failure: Option<&str>) {
    for job in jobs {
        job.answer(failure);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures how long a commit took on a thread without tokio"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::connection::{Checkpoints, Place, open_writing};
    use crate::sqlite::{health, schema};
    use switchhook_domain::Timestamp;

    fn committer() -> Committer {
        let mut connection = open_writing(&Place::Memory, Checkpoints::Here).unwrap();
        schema::migrate(&mut connection, Timestamp::from_millis(0)).unwrap();
        Committer {
            connection,
            hand_over: None,
            observer: None,
            reserve: Arc::default(),
        }
    }

    fn rows(committer: &Committer) -> i64 {
        committer
            .connection
            .query_row("SELECT count(*) FROM checks", [], |row| row.get(0))
            .unwrap()
    }

    /// Runs jobs that each write one page, without savepoints.
    fn commit(committer: &mut Committer, count: usize) -> Vec<Result<(), StoreError>> {
        let (jobs, answers): (Vec<_>, Vec<_>) = (0..count)
            .map(|_| Errand::new(Isolation::None, health::write_page))
            .map(|(errand, answer)| (Box::new(errand) as Box<dyn Job>, answer))
            .unzip();
        committer.commit(jobs);
        answers
            .into_iter()
            .map(|mut answer| answer.try_recv().unwrap())
            .collect()
    }

    #[test]
    fn a_full_disk_fails_the_whole_batch_and_leaves_nothing_of_it() {
        let mut committer = committer();
        let pages: i64 = committer
            .connection
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        committer
            .connection
            .pragma_update(None, "max_page_count", pages + 5)
            .unwrap();
        assert!(commit(&mut committer, 2).iter().all(Result::is_ok));
        for answer in commit(&mut committer, 9) {
            assert!(
                matches!(&answer, Err(StoreError::Unavailable(why)) if why.contains("disk is full")),
                "{answer:?}"
            );
        }
        assert_eq!(rows(&committer), 2);
        committer
            .connection
            .pragma_update(None, "max_page_count", pages + 100)
            .unwrap();
        assert!(commit(&mut committer, 9).iter().all(Result::is_ok), "it recovers");
        assert_eq!(rows(&committer), 11);
    }

    #[test]
    fn a_job_that_fails_halfway_is_undone_alone() {
        let mut committer = committer();
        let fails = |transaction: &mut Transaction<'_>| -> Result<(), StoreError> {
            health::write_page(transaction)?;
            Err(StoreError::Conflict("no".into()))
        };
        for isolation in [Isolation::None, Isolation::Savepoint] {
            let before = rows(&committer);
            let (good, mut kept) = Errand::new(Isolation::None, health::write_page);
            let (bad, mut refused) = Errand::new(isolation, fails);
            let (other, mut also_kept) = Errand::new(Isolation::None, health::write_page);
            committer.commit(vec![Box::new(good), Box::new(bad), Box::new(other)]);
            assert!(matches!(refused.try_recv(), Ok(Err(StoreError::Conflict(_)))));
            assert!(kept.try_recv().unwrap().is_ok() && also_kept.try_recv().unwrap().is_ok());
            assert_eq!(rows(&committer) - before, 2);
        }
    }
}
