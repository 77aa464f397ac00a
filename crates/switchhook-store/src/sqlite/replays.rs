//! Replays: how they make deliveries, and call them off.
//!
//! A replay counts its deliveries itself, so that looking at it costs the same however many they are.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{CompanyId, DeliveryId, ReplayId, WebhookId};
use switchhook_domain::replay::{Replay, ReplayStateName};

use super::deliveries;
use super::row::{all, first};
use super::sql::{OnThread, TransactionOnThread, at_once};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::order_queue::InitialState;
use crate::replay::{ReplayDelivery, ReplayStep};
use crate::replay_rules::check_cancel;
use crate::shared::dead_letters;
use crate::shared::replays::{by_id, close, find};

/// Moves the cursor and makes the deliveries up to there.
pub(super) fn advance(transaction: &mut Transaction<'_>, step: &ReplayStep) -> Result<Replay, StoreError> {
    let replay = at_once(by_id(&mut OnThread::new(transaction.connection), step.id))?;
    step.check_start(&replay)?;
    let (mut created, mut skipped) = (0_u32, step.skipped);
    for new in &step.deliveries {
        if create_delivery(transaction, &replay, new, step.now)? {
            created += 1;
        } else {
            skipped += 1;
        }
    }
    for (webhook_id, due_at) in step.first_due() {
        transaction.effects.due(webhook_id, due_at);
    }
    transaction.prepare(ADVANCE)?.execute(params![
        step.to.0,
        step.is_last,
        step.next_due_at.as_millis(),
        step.scanned,
        created,
        skipped,
        step.id.0,
    ])?;
    at_once(by_id(&mut OnThread::new(transaction.connection), step.id))
}

const ADVANCE: &str = "UPDATE replays SET cursor = ?, all_created = ?, next_due_at = ?, scanned = scanned + ?, \
     created = created + ?, skipped = skipped + ? WHERE id = ?";

/// Makes a delivery, unless its event or the payload of it is gone.
fn create_delivery(
    transaction: &mut Transaction<'_>,
    replay: &Replay,
    new: &ReplayDelivery,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (connection, planned) = (transaction.connection, &new.planned);
    let has_payload = first(connection, HAS_PAYLOAD, &[&planned.event_id.0], |_| Ok(()))?;
    if has_payload.is_none() {
        return Ok(false);
    }
    let ordinal = deliveries::next_ordinal(connection, planned.event_id)?;
    let delivery = new.unsent(replay, ordinal, now);
    // Whether it must wait for those before it is seen when it is claimed, which is not before it is due.
    transaction.insert_delivery(&delivery, InitialState::Free)?;
    if planned.settles {
        let sql = &mut OnThread::new(connection);
        at_once(dead_letters::resent(
            sql,
            planned.event_id,
            planned.webhook_id,
            now,
        ))?;
    }
    Ok(true)
}

const HAS_PAYLOAD: &str = "SELECT 1 FROM events WHERE id = ? AND payload_removed_at IS NULL";

/// Counts deliveries of a replay that reached their final state.
pub(super) fn count_ended(
    connection: &Connection,
    id: Option<ReplayId>,
    state: StateName,
    count: u32,
) -> Result<(), StoreError> {
    let Some(id) = id else {
        return Ok(());
    };
    let sql = match state {
        StateName::Pending => return Ok(()),
        StateName::Delivered => "UPDATE replays SET delivered = delivered + ? WHERE id = ?",
        StateName::Exhausted => "UPDATE replays SET exhausted = exhausted + ? WHERE id = ?",
        StateName::Cancelled => "UPDATE replays SET cancelled = cancelled + ? WHERE id = ?",
    };
    connection.prepare_cached(sql)?.execute(params![count, id.0])?;
    Ok(())
}

/// Somebody decides against the rest of a replay.
pub(super) fn cancel(
    transaction: &mut Transaction<'_>,
    company_id: CompanyId,
    id: ReplayId,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    let replay = at_once(find(&mut OnThread::new(transaction.connection), company_id, id))?;
    if !check_cancel(&replay)? {
        return Ok(replay);
    }
    let pending = all(transaction.connection, PENDING_OF, &[&id.0], |row| {
        Ok((row.get::<i64>(0)?, row.get::<i64>(1)?))
    })?;
    for (delivery_id, webhook_id) in &pending {
        transaction
            .prepare(deliveries::CANCEL)?
            .execute(params![now.as_millis(), delivery_id])?;
        deliveries::notify_holder(transaction, WebhookId(*webhook_id), DeliveryId(*delivery_id))?;
    }
    let count = u32::try_from(pending.len()).unwrap_or(u32::MAX);
    count_ended(transaction.connection, Some(id), StateName::Cancelled, count)?;
    let sql = &mut TransactionOnThread::new(transaction);
    at_once(close(sql, id, ReplayStateName::Cancelled, None, now))
}

/// Its order keys are its own, so nobody else waits for these.
pub(super) const PENDING_OF: &str = "SELECT id, webhook_id FROM deliveries INDEXED BY deliveries_of_replay \
     WHERE replay_id = ? AND state = 'pending'";
