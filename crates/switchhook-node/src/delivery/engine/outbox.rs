//! What the engine has to tell the store: finished attempts and released claims, one batch of each under way at a time.
//!
//! While a batch is being committed the next one gathers, so batches grow with the load. What could not be stored is
//! kept and tried again; the engine starts nothing new until it is.

use std::sync::Arc;
use std::time::Duration;

use switchhook_store::{FinishedAttempt, Release, StoreError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::{EngineParts, PART};

/// How long after a failure the same batch is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How much of one kind goes into a batch.
const BATCH: usize = 2_000;

/// How many bytes of answers may wait for the store before no more attempts are started.
const MOST_BYTES: usize = 16 << 20;

/// What gathers for the store.
#[derive(Default)]
pub(super) struct Outbox {
    finished: Queue<FinishedAttempt>,
    /// How many bytes of answers those have.
    bytes: usize,
    released: Queue<Release>,
    /// Why the store did not take the last batch.
    failure: Option<String>,
}

struct Queue<T> {
    gathering: Vec<T>,
    is_under_way: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            gathering: Vec::new(),
            is_under_way: false,
        }
    }
}

impl<T> Queue<T> {
    fn next_batch(&mut self) -> Option<Vec<T>> {
        if self.is_under_way || self.gathering.is_empty() {
            return None;
        }
        self.is_under_way = true;
        let rest = self.gathering.split_off(self.gathering.len().min(BATCH));
        Some(std::mem::replace(&mut self.gathering, rest))
    }

    fn is_empty(&self) -> bool {
        self.gathering.is_empty() && !self.is_under_way
    }
}

/// What the store said to a batch.
pub(super) enum Stored {
    /// Finished attempts, or what was wrong and the batch back.
    Finished(Result<StoredAttempts, (StoreError, Vec<FinishedAttempt>)>),
    /// Released claims.
    Released(Result<(), (StoreError, Vec<Release>)>),
}

/// Attempts that are stored.
pub(super) struct StoredAttempts {
    /// How many came too late.
    late: usize,
    /// How many bytes of answers they had.
    bytes: usize,
}

fn answer_bytes(attempt: &FinishedAttempt) -> usize {
    let answer = attempt.attempt.answer.as_ref();
    answer.map_or(0, |answer| {
        let note = answer.note.as_ref().map_or(0, String::len);
        answer.body_head.len() + answer.headers.as_json().len() + note
    })
}

impl Outbox {
    pub(super) fn finish(&mut self, attempt: FinishedAttempt) {
        self.bytes += answer_bytes(&attempt);
        self.finished.gathering.push(attempt);
    }

    pub(super) fn release(&mut self, released: impl IntoIterator<Item = Release>) {
        self.released.gathering.extend(released);
    }

    /// Whether everything was stored.
    pub(super) fn is_empty(&self) -> bool {
        self.finished.is_empty() && self.released.is_empty()
    }

    /// Whether so much waits that nothing should be started that adds to it.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes > MOST_BYTES
    }

    /// Why the store takes nothing now.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Sends what has gathered on its way; the answers come through `answers`.
    pub(super) fn flush(&mut self, parts: &EngineParts, runtime: &Handle, answers: &mpsc::Sender<Stored>) {
        let delay = self.failure.as_ref().map(|_| TRY_AGAIN_AFTER);
        if let Some(batch) = self.finished.next_batch() {
            let (store, answers) = (Arc::clone(&parts.store), answers.clone());
            parts.vitals.spawn(PART, runtime, async move {
                pause(delay).await;
                let bytes = batch.iter().map(answer_bytes).sum();
                let stored = store
                    .finish_attempts(batch.clone())
                    .await
                    .map(|late| StoredAttempts { late, bytes })
                    .map_err(|error| (error, batch));
                let _ = answers.send(Stored::Finished(stored)).await;
            });
        }
        if let Some(batch) = self.released.next_batch() {
            let (store, clock) = (Arc::clone(&parts.store), Arc::clone(&parts.clock));
            let answers = answers.clone();
            parts.vitals.spawn(PART, runtime, async move {
                pause(delay).await;
                let stored = store
                    .release_deliveries(batch.clone(), clock.now())
                    .await
                    .map_err(|error| (error, batch));
                let _ = answers.send(Stored::Released(stored)).await;
            });
        }
    }

    /// Takes the store's answer; answers how many attempts came too late.
    pub(super) fn stored(&mut self, answer: Stored) -> usize {
        match answer {
            Stored::Finished(result) => {
                self.finished.is_under_way = false;
                let (late, bytes) = result
                    .as_ref()
                    .map_or((0, 0), |stored| (stored.late, stored.bytes));
                self.bytes -= bytes;
                put_back(
                    &mut self.finished.gathering,
                    &mut self.failure,
                    result.map(|_| ()),
                );
                late
            }
            Stored::Released(result) => {
                self.released.is_under_way = false;
                put_back(&mut self.released.gathering, &mut self.failure, result);
                0
            }
        }
    }
}

fn put_back<T>(
    gathering: &mut Vec<T>,
    failure: &mut Option<String>,
    result: Result<(), (StoreError, Vec<T>)>,
) {
    match result {
        Ok(()) => *failure = None,
        Err((error, batch)) => {
            gathering.splice(..0, batch);
            *failure = Some(error.to_string());
        }
    }
}

async fn pause(delay: Option<Duration>) {
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
}
