//! Counting what comes of attempts: in memory, and added to the store every few seconds.
//!
//! It costs no commit of an event or a delivery anything. What is counted and how it is added up is
//! `switchhook_domain::history`; who asks for it is answered by `history`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::OutcomeClass;
use switchhook_domain::clock::Clock;
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::history::{Counts, Granularity, HistorySubject, Sum};
use switchhook_domain::id::{CompanyId, IdMap};
use switchhook_store::{FinishedAttempt, Store, StoreError};
use tracing::warn;

use crate::live::AttemptInfo;

/// Interval at which counts are written to the store.
const FLUSH_EVERY: Duration = Duration::from_secs(5);

/// Of how many, and minutes, something is in memory at the most, a few megabytes, while the store takes nothing.
const MOST_COUNTED: usize = 10_000;

/// Rows written in one commit.
const SLICE: usize = 250;

/// Counts that are not in the store yet. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Counters(Arc<Mutex<UnsavedCounts>>);

#[derive(Debug, Default)]
struct UnsavedCounts {
    minutes: IdMap<(HistorySubject, Timestamp), Counts>,
    /// The last minute that the store knows this server of.
    seen: Option<Timestamp>,
    /// Number of counts dropped for lack of room.
    passed_over: u64,
}

impl Counters {
    /// An event was accepted.
    pub fn accepted(&self, company_id: CompanyId, now: Timestamp) {
        self.add(&[HistorySubject::Company(company_id)], now, |counts| {
            counts.accepted += 1;
        });
    }

    /// Counts the end of an attempt.
    pub fn attempted(&self, of: AttemptInfo, finished: &FinishedAttempt) {
        let (class, now) = (finished.attempt.outcome.class(), finished.attempt.finished_at);
        let is_exhausted = matches!(finished.state, DeliveryState::Exhausted { .. });
        let subject = [
            HistorySubject::Company(of.company_id),
            HistorySubject::Webhook(of.company_id, finished.webhook_id),
        ];
        self.add(&subject, now, |counts| {
            match class {
                class if class.is_success() => {
                    counts.delivered += 1;
                    counts.latencies.count(now.since(of.created_at));
                }
                OutcomeClass::Unanswered | OutcomeClass::Lost => counts.failed_unanswered += 1,
                _ => counts.failed_answered += 1,
            }
            counts.exhausted += u64::from(is_exhausted);
        });
    }

    fn add(&self, subject: &[HistorySubject], now: Timestamp, count: impl Fn(&mut Counts)) {
        let minute = Granularity::Minute.start_of(now);
        let mut counted = self.0.lock();
        for one in subject {
            let key = (*one, minute);
            if counted.minutes.len() >= MOST_COUNTED && !counted.minutes.contains_key(&key) {
                counted.passed_over += 1;
                continue;
            }
            count(counted.minutes.entry(key).or_default());
        }
    }

    /// Adds what was counted to the store, and once a minute that there is a server. What cannot be added is kept for the
    /// next time.
    ///
    /// # Errors
    /// If the store does not do it now.
    pub async fn flush(&self, store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
        let minute = Granularity::Minute.start_of(now);
        let mut minutes: Vec<_> = {
            let mut counted = self.0.lock();
            let passed_over = std::mem::take(&mut counted.passed_over);
            if passed_over > 0 {
                warn!(
                    passed_over,
                    "the store is away for longer than counters have room: charts will lack these counts"
                );
            }
            counted.minutes.drain().collect()
        };
        let is_new = self.0.lock().seen != Some(minute);
        if is_new {
            minutes.push(((HistorySubject::Server, minute), Counts::default()));
        }
        let mut slices = minutes.chunks(SLICE);
        while let Some(slice) = slices.next() {
            if let Err(error) = store.add_history(sums(slice)).await {
                self.put_back([slice].into_iter().chain(slices).flatten());
                return Err(error);
            }
        }
        self.0.lock().seen = Some(minute);
        Ok(())
    }

    fn put_back<'a>(&self, minutes: impl Iterator<Item = &'a ((HistorySubject, Timestamp), Counts)>) {
        let mut counted = self.0.lock();
        for (key, counts) in minutes {
            counted.minutes.entry(*key).or_default().add(counts);
        }
    }
}

/// Minutes, and the hours that they are in.
fn sums(minutes: &[((HistorySubject, Timestamp), Counts)]) -> Vec<Sum> {
    let mut sums: HashMap<_, Counts> = HashMap::new();
    for ((subject, minute), counts) in minutes {
        for resolution in Granularity::ALL {
            let key = (*subject, resolution, resolution.start_of(*minute));
            sums.entry(key).or_default().add(counts);
        }
    }
    let sum = |((subject, resolution, from), counts)| Sum {
        subject,
        resolution,
        from,
        counts,
    };
    sums.into_iter().map(sum).collect()
}

/// Adds what is counted to the store for as long as it is polled.
pub async fn run(counters: Counters, store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
    let mut is_failing = false;
    loop {
        let flushed = counters.flush(&*store, clock.now()).await;
        if let Err(error) = &flushed
            && !is_failing
        {
            warn!(%error, "what was counted could not be stored; it is tried again");
        }
        is_failing = flushed.is_err();
        tokio::time::sleep(FLUSH_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use switchhook_store::StoreOptions;
    use switchhook_store::sqlite::SqliteStore;

    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_795_420_800_000);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const COMPANY: CompanyId = CompanyId(1);

    async fn accepted(store: &dyn Store, resolution: Granularity) -> Vec<u64> {
        let subject = vec![HistorySubject::Company(COMPANY)];
        let sums = store.history(subject, resolution, NOON, NOON.plus(DAY)).await;
        let sums = sums.expect("the store can be read");
        sums.iter().map(|sum| sum.counts.accepted).collect()
    }

    #[tokio::test]
    async fn what_two_nodes_count_comes_together_in_the_store() {
        let store = SqliteStore::in_memory(StoreOptions::owner(NOON)).expect("a store in memory opens");
        let (one, other) = (Counters::default(), Counters::default());
        for at in [NOON, NOON, NOON.plus(Duration::from_secs(61))] {
            one.accepted(COMPANY, at);
            other.accepted(COMPANY, at);
        }
        for counters in [&one, &other, &one] {
            counters
                .flush(&*store, NOON)
                .await
                .expect("the store can be written");
        }
        assert_eq!(accepted(&*store, Granularity::Minute).await, [4, 2]);
        assert_eq!(accepted(&*store, Granularity::Hour).await, [6]);
        let server = store.history(
            vec![HistorySubject::Server],
            Granularity::Minute,
            NOON,
            NOON.plus(DAY),
        );
        assert_eq!(server.await.expect("the store can be read").len(), 1);
    }

    #[tokio::test]
    async fn what_could_not_be_stored_is_stored_later() {
        let closed = SqliteStore::in_memory(StoreOptions::owner(NOON)).expect("a store in memory opens");
        closed.close().await;
        let counters = Counters::default();
        counters.accepted(COMPANY, NOON);
        counters.flush(&*closed, NOON).await.expect_err("it is closed");
        counters.accepted(COMPANY, NOON);
        let store = SqliteStore::in_memory(StoreOptions::owner(NOON)).expect("a store in memory opens");
        counters.flush(&*store, NOON).await.expect("this one is open");
        assert_eq!(accepted(&*store, Granularity::Minute).await, [2]);
    }

    #[test]
    fn memory_is_bounded_while_the_store_is_away() {
        let counters = Counters::default();
        for number in 0..MOST_COUNTED as i64 + 5 {
            counters.accepted(CompanyId(number), NOON);
        }
        counters.accepted(CompanyId(0), NOON);
        let counted = counters.0.lock();
        assert_eq!((counted.minutes.len(), counted.passed_over), (MOST_COUNTED, 5));
    }
}
