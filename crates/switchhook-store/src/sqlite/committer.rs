//! Group commit: many callers' operations in one transaction, and one sync for all who wait for one.
//!
//! With a journal a transaction stays open for some milliseconds. Events are answered when the journal has them: if the
//! transaction cannot be committed, the next one begins with them. How attempts ended is answered when it is done: if that
//! is lost, in a crash or with such a transaction, a delivery is repeated. Whatever else is done is committed first.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::clock::now;
use super::deferred::Deferred;
use super::journal::{self, Journal, LeftBesideLinks};
use super::location::StoreFile;
use super::owner::{self, Loss, Ownership};
use super::reserve::Reserve;
use super::transaction::{Errand, Isolation, Job, Nature, Ran, Told, Transaction};
use super::{backup, connection, events};
use crate::claim::HandOver;
use crate::error::StoreError;
use crate::event::NewEvent;
use crate::observer::{Commit, CommitObserver, SetAside};

/// How long a transaction stays open for more: long enough for most of its deliveries to end within it. After a crash
/// what ended in so many milliseconds is sent again.
const OPEN_FOR: Duration = Duration::from_millis(20);

/// Owns the connection that writes.
pub(super) struct Committer {
    pub(super) connection: Connection,
    /// Where claimed deliveries go; a guest claims nothing.
    hand_over: Option<mpsc::UnboundedSender<HandOver>>,
    observer: Option<Arc<dyn CommitObserver>>,
    /// What is given up when the disk is full.
    reserve: Arc<Reserve>,
    /// Where events are safe before the commit. Without one everything waits for its commit.
    journal: Option<Journal>,
    /// Until when the transaction that is open stays so, if one is.
    open_until: Option<Instant>,
    deferred: Deferred,
    /// Whether the journal has events whose transaction was rolled back.
    owes: bool,
    /// Whether something was answered that readers do not see yet.
    is_ahead: Arc<AtomicBool>,
    /// What is asked in every transaction. A guest owns nothing, nor does anybody a store in memory.
    owner: Option<Ownership>,
    lost: Option<Loss>,
    /// The loss, once all that was acknowledged is where it will be found.
    loss: Arc<OnceLock<String>>,
    /// Why it is not there yet.
    complained_of: String,
}

/// How far a batch is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Its events are in the journal; the transaction stays open.
    Journal,
    Commit,
}

enum Failure {
    /// The store itself does not work.
    Store(String),
    /// An operation without a savepoint failed.
    Neighbour,
}

impl Failure {
    fn into_message(self) -> String {
        match self {
            Self::Store(message) => message,
            Self::Neighbour => "one operation could not be told from its neighbours".to_owned(),
        }
    }
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
    pub(super) fn new(
        connection: Connection,
        hand_over: Option<mpsc::UnboundedSender<HandOver>>,
        observer: Option<Arc<dyn CommitObserver>>,
        reserve: Arc<Reserve>,
    ) -> Self {
        Self {
            connection,
            hand_over,
            observer,
            reserve,
            journal: None,
            open_until: None,
            deferred: Deferred::default(),
            owes: false,
            is_ahead: Arc::default(),
            owner: None,
            lost: None,
            loss: Arc::default(),
            complained_of: String::new(),
        }
    }

    /// Becomes the owner of the file, and takes in what was accepted before. With the same commit any other process is the
    /// owner no longer; nothing can get into its journal meanwhile, nor afterwards.
    pub(super) fn own(&mut self, file: &StoreFile, database: Arc<File>) -> Result<(), StoreError> {
        // One that still believes to be the owner may be busy.
        connection::look_often(&mut self.connection)?;
        self.begin(file, Some(database))?;
        self.connection.busy_timeout(connection::BUSY_TIMEOUT)?;
        // Whoever finds the file without its log is to know that it lacks something.
        self.connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Takes in what was accepted before, for whoever does not serve the file.
    pub(super) fn take_in(&mut self, file: &StoreFile) -> Result<(), StoreError> {
        self.begin(file, None)
    }

    /// The events that are left in journals are recorded and committed; nobody has claimed them any more.
    fn begin(&mut self, file: &StoreFile, database: Option<Arc<File>>) -> Result<(), StoreError> {
        self.open().map_err(unavailable)?;
        let begun = self.begin_opened(file, database);
        begun.inspect_err(|_| self.roll_back())
    }

    fn begin_opened(&mut self, file: &StoreFile, database: Option<Arc<File>>) -> Result<(), StoreError> {
        if let Some(database) = database {
            self.owner = Some(Ownership::take(&self.connection, file, database)?);
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
        self.record_again(left.into_iter().map(unclaimed).collect())
            .and_then(|()| self.commit_open())
            .map_err(unavailable)?;
        beside_links.remove();
        Ok(())
    }

    /// Why this process owns its file no longer; empty as long as it does.
    pub(super) fn loss(&self) -> Arc<OnceLock<String>> {
        Arc::clone(&self.loss)
    }

    /// Whether something was answered that readers do not see yet: it becomes visible with the next commit.
    pub(super) fn is_ahead(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_ahead)
    }

    /// Until when the open transaction stays open; `None` if there is none.
    pub(super) const fn open_until(&self) -> Option<Instant> {
        self.open_until
    }

    /// Commits what is open.
    pub(super) fn settle(&mut self) {
        if self.open_until.is_some() || self.owes {
            self.take(Vec::new(), Extent::Commit);
        }
    }

    /// Ends for good, with everything in the database file. What this process owns no longer it leaves alone.
    pub(super) fn close(&mut self) {
        self.settle();
        if let Some(number) = self.owner.as_ref().map(Ownership::number)
            && let Err(error) = self.do_now(move |transaction| owner::end(transaction.connection, number))
        {
            tracing::warn!(%error, "the store keeps saying that it is served");
        }
        if self.lost.is_some() {
            return;
        }
        if !self.owes {
            self.leave_journal();
        }
        fold_log(&self.connection);
    }

    /// Does without a journal from now on. There must be nothing in it that counts.
    pub(super) fn leave_journal(&mut self) {
        if let Some(journal) = self.journal.take() {
            journal.remove();
        }
    }

    /// Does all the jobs in one transaction, and answers every caller when what it waits for is certain.
    pub(super) fn commit(&mut self, jobs: Vec<Box<dyn Job>>) {
        let extent = self.extent_of(&jobs);
        self.take(jobs, extent);
    }

    fn extent_of(&self, jobs: &[Box<dyn Job>]) -> Extent {
        let can_wait = jobs.iter().all(|job| !matches!(job.nature(), Nature::Ordinary));
        let stays_open = match self.open_until {
            Some(until) => now() < until,
            None => recordings(jobs).next().is_some(),
        };
        let has_room = self.journal.as_ref().is_some_and(Journal::takes_more);
        if can_wait && stays_open && has_room {
            Extent::Journal
        } else {
            Extent::Commit
        }
    }

    fn take(&mut self, mut jobs: Vec<Box<dyn Job>>, mut extent: Extent) {
        if let Some(why) = self.after_loss() {
            answer(jobs, Some(&why));
            return;
        }
        let started = now();
        let ran = match self.run(&mut jobs, extent, Nature::isolation) {
            Err(Failure::Neighbour) => {
                // What fails now must not be in the journal.
                extent = Extent::Commit;
                self.roll_back();
                self.run(&mut jobs, extent, |_| Isolation::Savepoint)
            }
            ran => ran,
        };
        match ran.and_then(|told| Ok((self.make_certain(&jobs, extent, &told)?, told))) {
            Ok(((), told)) => {
                self.tell(told.handed_over);
                self.report(&told.set_aside);
                if let Some(observer) = &self.observer
                    && !jobs.is_empty()
                {
                    observer.committed(Commit {
                        operations: jobs.len(),
                        duration: now().duration_since(started),
                    });
                }
                answer(jobs, None);
            }
            Err(failure) => {
                if let Failure::Store(message) = &failure {
                    tracing::error!(operations = jobs.len(), reason = message, "nothing could be kept");
                    self.reserve.after_failure(message);
                }
                self.roll_back();
                answer(jobs, Some(&failure.into_message()));
            }
        }
    }

    /// Does one thing in a commit of its own.
    pub(super) fn do_now<T: Send + 'static>(
        &mut self,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (errand, mut answer) = Errand::new(Nature::Ordinary, work);
        self.commit(vec![Box::new(errand)]);
        answer
            .try_recv()
            .unwrap_or_else(|_| Err(StoreError::Unavailable("it was not tried".into())))
    }

    // --- doing ----------------------------------------------------------------------------------------------------

    fn run(
        &mut self,
        jobs: &mut [Box<dyn Job>],
        extent: Extent,
        isolation: impl Fn(&Nature) -> Isolation,
    ) -> Result<Told, Failure> {
        self.open()?;
        let mut transaction =
            Transaction::new(&self.connection, self.hand_over.is_some(), &mut self.deferred);
        transaction.may_defer = extent == Extent::Journal;
        for job in jobs {
            let isolation = isolation(job.nature());
            run_one(job.as_mut(), &mut transaction, isolation)?;
        }
        Ok(transaction.into_told())
    }

    fn open(&mut self) -> Result<(), Failure> {
        if self.open_until.is_some() {
            return Ok(());
        }
        self.execute("BEGIN IMMEDIATE")?;
        self.open_until = Some(now() + OPEN_FOR);
        if let Some(owner) = &self.owner
            && let Some(loss) = owner.is_taken(&self.connection)?
        {
            return Err(self.lose(loss));
        }
        if let Some(journal) = &mut self.journal {
            let generation = journal::generation(&self.connection)?;
            if generation != journal.generation() {
                // A guest that found no lock has recorded what there was.
                journal.begin(generation);
                self.owes = false;
            }
            if self.owes {
                let events = journal.events().map_err(|error| unreadable(&error))?;
                self.record_again(events)?;
                self.owes = false;
            }
        }
        if let Some(journal) = &mut self.journal {
            journal.make_findable().map_err(|error| unreadable(&error))?;
        }
        match self.owner.as_mut().and_then(Ownership::is_displaced) {
            Some(loss) => Err(self.leave_displaced(loss)?),
            None => Ok(()),
        }
    }

    // --- losing the file ------------------------------------------------------------------------------------------

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

    fn lose(&mut self, loss: Loss) -> Failure {
        let (Loss::Taken(why) | Loss::Displaced(why)) = &loss;
        let failure = Failure::Store(why.clone());
        self.lost = Some(loss);
        failure
    }

    /// Brings all that was acknowledged into the database, wherever that is now; unless somebody has it open with another
    /// log, and writing to it would damage it.
    fn leave_displaced(&mut self, loss: Loss) -> Result<Failure, Failure> {
        if self.owner.as_ref().is_some_and(Ownership::has_other_log) {
            return Ok(self.lose(loss));
        }
        if let Some(owner) = &self.owner {
            owner::end(&self.connection, owner.number())?;
        }
        self.commit_open()?;
        fold_log(&self.connection);
        Ok(self.lose(loss))
    }

    /// What everybody is told after a loss. What only this process has is brought to safety first, sooner or later.
    fn after_loss(&mut self) -> Option<String> {
        let (Loss::Taken(why) | Loss::Displaced(why)) = self.lost.clone()?;
        if self.loss.get().is_none() {
            match self.rescue() {
                Ok(None) => drop(self.loss.set(why.clone())),
                Ok(Some(copy)) => {
                    let copy = copy.display();
                    drop(
                        self.loss
                            .set(format!("{why}; all that was accepted was written to {copy}")),
                    );
                }
                Err(error) => self.complain(&error.to_string()),
            }
        }
        Some(self.loss.get().cloned().unwrap_or(why))
    }

    fn rescue(&self) -> Result<Option<PathBuf>, StoreError> {
        match &self.owner {
            Some(owner) if owner.is_nameless() || owner.has_other_log() => {
                backup::rescue(&self.connection, owner.file()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Records events of the journal. One that cannot be recorded is told of, and keeps nobody from the others. Nothing is
    /// handed over: the node was told when they were recorded first, or will look for what is due.
    fn record_again(&mut self, events: Vec<NewEvent>) -> Result<(), Failure> {
        let mut transaction =
            Transaction::new(&self.connection, self.hand_over.is_some(), &mut self.deferred);
        for event in events {
            let ran = transaction.isolated(|transaction| {
                let recorded = events::record(transaction, std::slice::from_ref(&event));
                if let Err(error) = &recorded {
                    tracing::error!(id = event.id.0, %error, "an event of the journal cannot be recorded");
                }
                Ran::of(&recorded)
            })?;
            if let Ran::StoreFailed(message) = ran {
                return Err(Failure::Store(message));
            }
        }
        Ok(())
    }

    // --- making it certain ----------------------------------------------------------------------------------------

    /// Brings what was done where it is safe, at least as far as `extent`.
    fn make_certain(&mut self, jobs: &[Box<dyn Job>], extent: Extent, told: &Told) -> Result<(), Failure> {
        if extent == Extent::Journal
            && let Some(journal) = &mut self.journal
        {
            let mut events = recordings(jobs).peekable();
            if events.peek().is_none() {
                return Ok(());
            }
            match journal.append(events) {
                Ok(()) => {
                    self.is_ahead.store(true, Ordering::Release);
                    return Ok(());
                }
                Err(error) => {
                    tracing::warn!(
                        %error,
                        "the journal beside the database (its name ends in .intake) takes nothing; events wait for commits"
                    );
                }
            }
        }
        self.commit_open()?;
        if told.has_overwritten
            && let Some(journal) = &self.journal
            && let Err(error) = journal.overwrite()
        {
            tracing::error!(%error, "what was erased may still be in the journal");
        }
        Ok(())
    }

    fn commit_open(&mut self) -> Result<(), Failure> {
        self.deferred.write_all(&self.connection)?;
        let next_generation = match &self.journal {
            Some(journal) if journal.has_something() => Some(journal.conclude(&self.connection)?),
            _ => None,
        };
        self.execute("COMMIT")?;
        self.open_until = None;
        self.is_ahead.store(false, Ordering::Release);
        if let (Some(journal), Some(generation)) = (&mut self.journal, next_generation) {
            journal.begin(generation);
        }
        Ok(())
    }

    /// After some failures SQLite has already rolled back.
    fn roll_back(&mut self) {
        self.open_until = None;
        self.deferred.clear();
        if let Some(journal) = &mut self.journal {
            // A commit that failed may be on the disk all the same. Then what the journal gets of this generation from now on
            // would not count after a power cut.
            journal.take_no_more();
            self.owes = true;
        }
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(%error, "a failed transaction could not be rolled back");
        }
    }

    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    // --- telling --------------------------------------------------------------------------------------------------

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
}

/// Moves the whole write-ahead log into the file, so that the file alone is the store.
fn fold_log(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the write-ahead log stays beside the database file; the next start reads it");
    }
}

fn run_one(
    job: &mut dyn Job,
    transaction: &mut Transaction<'_>,
    isolation: Isolation,
) -> Result<(), Failure> {
    if let Nature::Ordinary = job.nature() {
        transaction.write_deferred()?;
    }
    let ran = match isolation {
        Isolation::None => job.run(transaction),
        Isolation::Savepoint => transaction.isolated(|transaction| job.run(transaction))?,
    };
    match (ran, isolation) {
        (Ran::StoreFailed(message), _) => Err(Failure::Store(message)),
        (Ran::Failed, Isolation::None) => Err(Failure::Neighbour),
        (Ran::Failed | Ran::Done, _) => Ok(()),
    }
}

/// The events that the jobs keep.
fn recordings(jobs: &[Box<dyn Job>]) -> impl Iterator<Item = &NewEvent> {
    jobs.iter().flat_map(|job| match job.nature() {
        Nature::Recording(events) => &events[..],
        Nature::Finishing | Nature::Ordinary => &[],
    })
}

/// Nobody has it any more who had it before a start.
fn unclaimed(mut event: NewEvent) -> NewEvent {
    for delivery in &mut event.deliveries {
        delivery.claim_until = None;
    }
    event
}

fn answer(jobs: impl IntoIterator<Item = Box<dyn Job>>, failure: Option<&str>) {
    for job in jobs {
        job.answer(failure);
    }
}

fn unavailable(failure: Failure) -> StoreError {
    StoreError::Unavailable(failure.into_message())
}

fn unreadable(error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!(
        "the journal beside the database (its name ends in .intake) cannot be read: {error}"
    ))
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
        Committer::new(connection, None, None, Arc::default())
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
            .map(|_| Errand::new(Nature::Finishing, health::write_page))
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
        for nature in [Nature::Finishing, Nature::Ordinary] {
            let before = rows(&committer);
            let (good, mut kept) = Errand::new(Nature::Finishing, health::write_page);
            let (bad, mut refused) = Errand::new(nature, fails);
            let (other, mut also_kept) = Errand::new(Nature::Finishing, health::write_page);
            committer.commit(vec![Box::new(good), Box::new(bad), Box::new(other)]);
            assert!(matches!(refused.try_recv(), Ok(Err(StoreError::Conflict(_)))));
            assert!(kept.try_recv().unwrap().is_ok() && also_kept.try_recv().unwrap().is_ok());
            assert_eq!(rows(&committer) - before, 2);
        }
    }
}
