//! Results on their way to the store: finished attempts, released claims and outages, one batch of each under way at a time.
//!
//! While a batch is being committed the next one gathers, so batches grow with the load. What could not be stored is
//! kept and tried again; the engine starts nothing new until it is.

use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::id::WebhookId;
use switchhook_domain::outage::{Outage, StreakChange};
use switchhook_store::{FinishedAttempt, OutageWrite, Release, StoreError};

/// Pause after a failure, before the same batch is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Bound on the entries of a batch.
const BATCH: usize = 2_000;

/// Bound on the answers that wait for the store, in bytes. Above it no attempts start.
pub const MOST_BYTES: usize = 16 << 20;

/// Results that wait to be stored.
#[derive(Default)]
pub(super) struct Outbox {
    finished: Buffer<FinishedAttempt>,
    released: Buffer<Release>,
    /// Starts, updates and ends of outages.
    outages: Buffer<OutageWrite>,
    /// The size of the answers that are not stored yet.
    bytes: usize,
    /// Error of the last batch.
    failure: Option<String>,
}

/// A batch that the store took, or that comes back with what was wrong.
pub(super) enum Stored {
    Finished(Result<StoredAttempts, (StoreError, Vec<FinishedAttempt>)>),
    Released(Result<(), (StoreError, Vec<Release>)>),
    Outages(Result<(), (StoreError, Vec<OutageWrite>)>),
}

pub(super) struct StoredAttempts {
    /// Number of attempts whose delivery had moved on, so that they have no effect.
    pub(super) late: usize,
    /// The size of their answers.
    pub(super) bytes: usize,
}

impl Outbox {
    pub(super) fn finish(&mut self, attempt: FinishedAttempt) {
        self.bytes += answer_bytes(&attempt);
        self.finished.waiting.push(attempt);
    }

    pub(super) fn release(&mut self, released: impl IntoIterator<Item = Release>) {
        self.released.waiting.extend(released);
    }

    /// Takes note of what became of a webhook's outage at `now`.
    pub(super) fn note_outage(&mut self, webhook_id: WebhookId, change: StreakChange, now: Timestamp) {
        let write = match change {
            StreakChange::None => return,
            StreakChange::Ended => OutageWrite::Ended { webhook_id, at: now },
            StreakChange::Fails { since, more, last } => OutageWrite::Fails {
                webhook_id,
                outage: Outage {
                    since,
                    until: None,
                    attempts: more,
                    last,
                },
            },
        };
        self.outages.waiting.push(write);
    }

    /// Number of attempts that have ended and are not stored.
    pub(super) fn unstored(&self) -> u32 {
        u32::try_from(self.finished.len()).unwrap_or(u32::MAX)
    }

    /// True if everything is stored.
    pub(super) fn is_empty(&self) -> bool {
        self.finished.is_empty() && self.released.is_empty() && self.outages.is_empty()
    }

    pub(super) fn has_outages(&self) -> bool {
        !self.outages.is_empty()
    }

    /// True if nothing that adds to it should start.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes > MOST_BYTES
    }

    /// Error that keeps results from being stored.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Pause before the next batch, after a failure.
    pub(super) fn delay(&self) -> Option<Duration> {
        self.failure.as_ref().map(|_| TRY_AGAIN_AFTER)
    }

    /// The finished attempts to be stored next, if none are under way.
    pub(super) fn next_finished(&mut self) -> Option<Vec<FinishedAttempt>> {
        self.finished.next_batch()
    }

    /// The claims to be released next, if none are under way.
    pub(super) fn next_released(&mut self) -> Option<Vec<Release>> {
        self.released.next_batch()
    }

    /// Next batch of outages, unless one is in flight.
    pub(super) fn next_outages(&mut self) -> Option<Vec<OutageWrite>> {
        self.outages.next_batch()
    }

    /// Takes the store's answer to a batch; answers how many attempts came too late.
    pub(super) fn stored(&mut self, answer: Stored) -> usize {
        let mut late = 0;
        let stored = match answer {
            Stored::Finished(Ok(stored)) => {
                late = stored.late;
                self.bytes -= stored.bytes;
                self.finished.batch_ended(Ok(()))
            }
            Stored::Finished(Err(failed)) => self.finished.batch_ended(Err(failed)),
            Stored::Released(result) => self.released.batch_ended(result),
            Stored::Outages(result) => self.outages.batch_ended(result),
        };
        self.failure = stored.err().map(|error| error.to_string());
        late
    }
}

/// Entries of one kind that wait, of which one batch at a time is in flight.
struct Buffer<T> {
    waiting: Vec<T>,
    /// Length of the batch that is under way.
    under_way: Option<usize>,
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            under_way: None,
        }
    }
}

impl<T> Buffer<T> {
    fn next_batch(&mut self) -> Option<Vec<T>> {
        if self.under_way.is_some() || self.waiting.is_empty() {
            return None;
        }
        let length = self.waiting.len().min(BATCH);
        self.under_way = Some(length);
        let rest = self.waiting.split_off(length);
        Some(std::mem::replace(&mut self.waiting, rest))
    }

    /// A batch is no longer under way. One that failed goes first again.
    fn batch_ended(&mut self, result: Result<(), (StoreError, Vec<T>)>) -> Result<(), StoreError> {
        self.under_way = None;
        result.map_err(|(error, batch)| {
            self.waiting.splice(..0, batch);
            error
        })
    }

    fn len(&self) -> usize {
        self.waiting.len() + self.under_way.unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The size of the answers of finished attempts.
pub(super) fn bytes_of(attempts: &[FinishedAttempt]) -> usize {
    attempts.iter().map(answer_bytes).sum()
}

fn answer_bytes(attempt: &FinishedAttempt) -> usize {
    let answer = attempt.attempt.answer.as_ref();
    answer.map_or(0, |answer| {
        let note = answer.note.as_ref().map_or(0, String::len);
        answer.body_head.len() + answer.headers.as_json().len() + note
    })
}

#[cfg(test)]
mod tests {
    use switchhook_domain::attempt::Answer;

    use super::*;
    use crate::delivery::samples::{finished, release};

    fn ids(batch: &[Release]) -> Vec<i64> {
        batch.iter().map(|release| release.delivery_id.0).collect()
    }

    fn stored(batch: &[FinishedAttempt]) -> Stored {
        let bytes = bytes_of(batch);
        Stored::Finished(Ok(StoredAttempts { late: 0, bytes }))
    }

    fn failed<T>(batch: Vec<T>) -> Result<(), (StoreError, Vec<T>)> {
        Err((StoreError::Unavailable("no disk".into()), batch))
    }

    #[test]
    fn one_batch_is_under_way_while_the_next_one_gathers() {
        let mut outbox = Outbox::default();
        outbox.release([release(1), release(2)]);
        assert_eq!(ids(&outbox.next_released().unwrap()), [1, 2]);
        outbox.release([release(3)]);
        assert!(outbox.next_released().is_none());
        assert!(!outbox.is_empty());
        outbox.stored(Stored::Released(Ok(())));
        assert_eq!(ids(&outbox.next_released().unwrap()), [3]);
        outbox.stored(Stored::Released(Ok(())));
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_could_not_be_stored_goes_first_and_a_while_later() {
        let mut outbox = Outbox::default();
        outbox.release([release(1)]);
        let batch = outbox.next_released().unwrap();
        outbox.release([release(2)]);
        assert_eq!(outbox.delay(), None);
        outbox.stored(Stored::Released(failed(batch)));
        assert!(outbox.failure().unwrap().contains("no disk"));
        assert_eq!(outbox.delay(), Some(TRY_AGAIN_AFTER));
        assert_eq!(ids(&outbox.next_released().unwrap()), [1, 2]);
        outbox.stored(Stored::Released(Ok(())));
        assert_eq!(outbox.failure(), None);
    }

    #[test]
    fn a_batch_has_a_bound() {
        let mut outbox = Outbox::default();
        outbox.release((0..BATCH as i64 + 1).map(release));
        assert_eq!(outbox.next_released().unwrap().len(), BATCH);
        outbox.stored(Stored::Released(Ok(())));
        assert_eq!(outbox.next_released().unwrap().len(), 1);
    }

    #[test]
    fn answers_count_until_they_are_stored() {
        let mut outbox = Outbox::default();
        let large = || Answer {
            body_head: vec![b' '; MOST_BYTES / 2],
            ..Answer::default()
        };
        for id in 1..=2 {
            assert!(!outbox.is_full());
            outbox.finish(finished(id, Some(large())));
        }
        assert!(outbox.is_full(), "their headers count too");
        let batch = outbox.next_finished().unwrap();
        outbox.finish(finished(3, None));
        assert!(outbox.is_full());
        assert_eq!(outbox.unstored(), 3);
        outbox.stored(stored(&batch));
        assert!(!outbox.is_full());
        assert_eq!(outbox.unstored(), 1);
    }
}
