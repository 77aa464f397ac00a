//! One batch of the hot writes of many callers: new events, ended attempts and claims that are given back, written together
//! with a handful of statements however many they are.

use super::order_queue::QueueLocks;
use super::transaction::Transaction;
use super::{attempts, record, releases};
use crate::claim::{FinishedAttempt, Release};
use crate::commit::HotWrite;
use crate::error::StoreError;
use crate::event::{NewEvent, Recorded};
use crate::shared::notices;

/// Does all of them, and sets what their callers are to be answered.
pub(super) async fn write(
    transaction: &mut Transaction<'_>,
    writes: &mut [HotWrite],
) -> Result<(), StoreError> {
    let (late, recorded) = write_rows(transaction, writes).await?;
    let (mut late, mut recorded) = (late.into_iter(), recorded.into_iter());
    for write in writes {
        match write {
            HotWrite::Record { events, reply } => {
                reply.set(Ok(recorded.by_ref().take(events.len()).collect()));
            }
            HotWrite::Finish { attempts, reply } => {
                let late = late.by_ref().take(attempts.len());
                reply.set(Ok(late.filter(|is_late| *is_late).count()));
            }
            HotWrite::Release { reply, .. } => reply.set(Ok(())),
        }
    }
    Ok(())
}

/// Answers for each attempt whether it ended too late, and for each event what became of it.
async fn write_rows(
    transaction: &mut Transaction<'_>,
    writes: &[HotWrite],
) -> Result<(Vec<bool>, Vec<Recorded>), StoreError> {
    let (mut new, mut finished) = (Vec::<&NewEvent>::new(), Vec::<&FinishedAttempt>::new());
    let (mut released, mut released_at) = (Vec::<&Release>::new(), None);
    for write in writes {
        match write {
            HotWrite::Record { events, .. } => new.extend(events),
            HotWrite::Finish { attempts, .. } => finished.extend(attempts),
            HotWrite::Release { releases, now, .. } => {
                released.extend(releases);
                released_at = released_at.max(Some(*now));
            }
        }
    }
    let mut locks = QueueLocks::default();
    record::add_locks(&mut locks, &new);
    let ended = finished.iter().map(|one| one.delivery_id);
    let given_back = released.iter().map(|one| one.delivery_id);
    locks.of_deliveries = ended.chain(given_back).map(|id| id.0).collect();
    locks.take(transaction.connection).await?;
    let (late, given_up) = match finished.is_empty() {
        true => Default::default(),
        false => attempts::finish(transaction, &finished).await?,
    };
    if let Some(now) = released_at {
        releases::release(transaction, &released, now).await?;
    }
    let recorded = match new.is_empty() {
        true => Vec::new(),
        false => record::record(transaction, &new).await?,
    };
    // Last: what it locks, others may wait for who hold what this waits for.
    notices::add_given_up(transaction, &given_up).await?;
    Ok((late, recorded))
}
