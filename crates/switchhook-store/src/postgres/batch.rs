//! What one commit of the lane holds: new events, ended attempts and claims that are given back, of many callers, done
//! together with a handful of statements however many they are.

use super::order_queue::QueueLocks;
use super::transaction::Transaction;
use super::{attempts, events, releases};
use crate::claim::{FinishedAttempt, Release};
use crate::error::StoreError;
use crate::event::{NewEvent, Recorded};
use switchhook_domain::Timestamp;

/// What a caller wants to be done.
pub(super) enum Operation {
    Record(Vec<NewEvent>),
    Finish(Vec<FinishedAttempt>),
    Release(Vec<Release>, Timestamp),
}

/// What came of it.
pub(super) enum Answer {
    Recorded(Vec<Recorded>),
    /// How many attempts ended too late.
    Finished(usize),
    Released,
}

/// Does all of them; answers in their order.
pub(super) async fn run(
    transaction: &mut Transaction<'_>,
    operations: &[&Operation],
) -> Result<Vec<Answer>, StoreError> {
    let (mut recorded, mut finished) = (Vec::<&NewEvent>::new(), Vec::<&FinishedAttempt>::new());
    let (mut released, mut released_at) = (Vec::<&Release>::new(), None);
    for operation in operations {
        match operation {
            Operation::Record(events) => recorded.extend(events),
            Operation::Finish(attempts) => finished.extend(attempts),
            Operation::Release(releases, now) => {
                released.extend(releases);
                released_at = released_at.max(Some(*now));
            }
        }
    }
    let mut locks = QueueLocks::default();
    events::add_locks(&mut locks, &recorded);
    let ended = finished.iter().map(|one| one.delivery_id);
    let given_back = released.iter().map(|one| one.delivery_id);
    locks.of_deliveries = ended.chain(given_back).map(|id| id.0).collect();
    locks.take(transaction.connection).await?;
    let mut late = match finished.is_empty() {
        true => Vec::new(),
        false => attempts::finish(transaction, &finished).await?,
    }
    .into_iter();
    if let Some(now) = released_at {
        releases::release(transaction, &released, now).await?;
    }
    let mut kept = match recorded.is_empty() {
        true => Vec::new(),
        false => events::record(transaction, &recorded).await?,
    }
    .into_iter();
    let answers = operations.iter().map(|operation| match operation {
        Operation::Record(events) => Answer::Recorded(kept.by_ref().take(events.len()).collect()),
        Operation::Finish(attempts) => Answer::Finished(
            late.by_ref()
                .take(attempts.len())
                .filter(|is_late| *is_late)
                .count(),
        ),
        Operation::Release(..) => Answer::Released,
    });
    Ok(answers.collect())
}
