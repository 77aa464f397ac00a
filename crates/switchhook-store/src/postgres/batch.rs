//! One batch of the hot writes of many callers: new events, ended attempts and claims that are given back, written together
//! with a handful of statements however many they are.

use switchhook_domain::delivery::DeliveryState;

use super::order_queue::QueueLocks;
use super::transaction::Transaction;
use super::{attempts, record, releases};
use crate::claim::{FinishedAttempt, Release};
use crate::commit::HotWrite;
use crate::error::StoreError;
use crate::event::{NewEvent, Recorded};
use crate::shared::notices;

/// True if one statement may do all of them: only new events or only ended attempts, with nothing else to be told of.
pub(super) fn is_one_statement(writes: &[HotWrite]) -> bool {
    let are_events = |write: &HotWrite| match write {
        HotWrite::Record { events, .. } => events.iter().all(|event| !event.is_logged),
        HotWrite::Finish { .. } | HotWrite::Release { .. } => false,
    };
    let are_attempts = |write: &HotWrite| match write {
        HotWrite::Finish { attempts, .. } => attempts
            .iter()
            .all(|one| !matches!(one.state, DeliveryState::Exhausted { .. })),
        HotWrite::Record { .. } | HotWrite::Release { .. } => false,
    };
    writes.iter().all(are_events) || writes.iter().all(are_attempts)
}

/// Does all of them, and sets what their callers are to be answered. Answers false if one statement did nothing.
pub(super) async fn write(
    transaction: &mut Transaction<'_>,
    writes: &mut [HotWrite],
) -> Result<bool, StoreError> {
    let Some((late, recorded)) = write_rows(transaction, writes).await? else {
        return Ok(false);
    };
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
    Ok(true)
}

/// Answers for each attempt whether it ended too late, and for each event what became of it.
async fn write_rows(
    transaction: &mut Transaction<'_>,
    writes: &[HotWrite],
) -> Result<Option<(Vec<bool>, Vec<Recorded>)>, StoreError> {
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
    if !transaction.is_one_statement {
        locks.take(transaction.connection).await?;
    }
    let (late, given_up) = match finished.is_empty() {
        true => Default::default(),
        false => attempts::finish(transaction, &finished).await?,
    };
    if transaction.is_one_statement && !late.is_empty() && late.iter().all(|is_late| *is_late) {
        return Ok(None);
    }
    if let Some(now) = released_at {
        releases::release(transaction, &released, now).await?;
    }
    let recorded = match new.is_empty() {
        true => Some(Vec::new()),
        false => record::record(transaction, &new, &locks).await?,
    };
    let Some(recorded) = recorded else {
        return Ok(None);
    };
    // Last: what it locks, others may wait for who hold what this waits for.
    notices::add_given_up(transaction, &given_up).await?;
    Ok(Some((late, recorded)))
}
