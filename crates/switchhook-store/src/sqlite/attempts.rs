//! Attempts: what is kept of a POST, and what its end does to its delivery.

use rusqlite::{Connection, params};
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{Failure, HeaderRecord};
use switchhook_domain::delivery::{Delivery, DeliveryState, StateName};
use switchhook_domain::id::{DeliveryId, ReplayId};
use switchhook_domain::order::OrderKey;

use super::row::first;
use super::sql::{TransactionOnThread, at_once};
use super::transaction::Transaction;
use super::{attempt_row, order_queue, replays};
use crate::claim::FinishedAttempt;
use crate::error::StoreError;
use crate::given_up::GivenUpDeliveries;
use crate::order_queue::InitialState;
use crate::row::attempt;
use crate::row::{Columns, Row};
use crate::shared::notices;

/// Records how attempts ended; answers how many came too late.
pub(super) fn finish(
    transaction: &mut Transaction<'_>,
    finished: &[FinishedAttempt],
) -> Result<usize, StoreError> {
    let (mut late, mut given_up) = (0, GivenUpDeliveries::default());
    for one in finished {
        let delivery_id = one.delivery_id;
        transaction.effects.finished(one);
        if let Some(delivery) = transaction.deferred.take(delivery_id, one.attempt.number) {
            if one.state.is_final() {
                if let Some(key) = &delivery.order_key {
                    order_queue::free_follower(transaction, one.webhook_id, key, one.attempt.finished_at)?;
                }
                let ended = ended_by(one, delivery);
                transaction.deferred.put_ended(ended, one.attempt.clone());
                given_up.note(one);
                continue;
            }
            transaction.insert_delivery(&delivery, InitialState::Claimed)?;
        }
        match open_attempt(transaction.connection, delivery_id)? {
            Some(open) if open.number == one.attempt.number => {
                finish_one(transaction, one, &open)?;
                if open.is_pending {
                    given_up.note(one);
                }
            }
            _ => late += 1,
        }
    }
    if !given_up.is_empty() {
        let sql = &mut TransactionOnThread::new(transaction);
        at_once(notices::add_given_up(sql, &given_up))?;
    }
    Ok(late)
}

/// One that has no row yet, as its row will always be.
fn ended_by(one: &FinishedAttempt, delivery: Delivery) -> Delivery {
    Delivery {
        state: one.state,
        failures: one.failures,
        blocks_until: one.blocks_until,
        suspended: one.suspended,
        last_failure: Failure::of(&one.attempt.outcome),
        ..delivery
    }
}

fn finish_one(
    transaction: &mut Transaction<'_>,
    one: &FinishedAttempt,
    open: &OpenAttempt,
) -> Result<(), StoreError> {
    match open.is_pending {
        true => attempt_row::insert(&mut transaction.statements, one.delivery_id, &one.attempt)?,
        false => insert_of_cancelled(transaction, one)?,
    }
    let state = if open.is_pending { Some(one.state) } else { None };
    settle(transaction.connection, one, state)?;
    if let Some(state) = state.filter(|state| state.is_final()) {
        replays::count_ended(transaction.connection, open.replay_id, state.name(), 1)?;
    }
    if let Some(DeliveryState::Pending { due_at }) = state {
        transaction.effects.due(one.webhook_id, due_at);
    }
    if let Some(key) = &open.order_key {
        order_queue::free_follower(transaction, one.webhook_id, key, one.attempt.finished_at)?;
    }
    Ok(())
}

/// The payload may have been erased while the attempt was under way: what was answered then goes too.
fn insert_of_cancelled(transaction: &mut Transaction<'_>, one: &FinishedAttempt) -> Result<(), StoreError> {
    let mut attempt = one.attempt.clone();
    if first(
        transaction.connection,
        PAYLOAD_IS_GONE,
        &[&one.delivery_id.0],
        |_| Ok(()),
    )?
    .is_some()
    {
        attempt.answer.iter_mut().for_each(|answer| {
            answer.headers = HeaderRecord::default();
            answer.body_head.clear();
        });
    }
    attempt_row::insert(&mut transaction.statements, one.delivery_id, &attempt)
}

pub(super) const PAYLOAD_IS_GONE: &str = "SELECT 1 FROM deliveries JOIN events ON events.id = deliveries.event_id \
     WHERE deliveries.id = ? AND payload_removed_at IS NOT NULL";

/// Ends the claim; `state` is where the delivery goes, if it is not final already.
fn settle(
    connection: &Connection,
    one: &FinishedAttempt,
    state: Option<DeliveryState>,
) -> Result<(), StoreError> {
    let status = attempt::status(&one.attempt);
    let outcome = attempt::outcome_name(&one.attempt.outcome);
    let failures = one.failures;
    let failure = Failure::of(&one.attempt.outcome).map(|failure| failure.to_string());
    let Some(state) = state else {
        connection.prepare_cached(SETTLE_FINAL)?.execute(params![
            failures.answered,
            failures.unanswered,
            outcome,
            status,
            failure,
            one.delivery_id.0,
        ])?;
        return Ok(());
    };
    let (due_at, ended_at) = if state.is_final() {
        (None, Some(state.at()))
    } else {
        (Some(state.at()), None)
    };
    connection.prepare_cached(SETTLE)?.execute(params![
        state.name().as_str(),
        due_at.map(Timestamp::as_millis),
        ended_at.map(Timestamp::as_millis),
        failures.answered,
        failures.unanswered,
        one.blocks_until.as_millis(),
        i64::try_from(one.suspended.as_millis()).unwrap_or(i64::MAX),
        outcome,
        status,
        failure,
        one.delivery_id.0,
    ])?;
    Ok(())
}

const SETTLE: &str = "UPDATE deliveries SET claimed_by = NULL, claimed_at = NULL, state = ?, due_at = ?, ended_at = ?, \
     failures_answered = ?, failures_unanswered = ?, blocks_until = ?, held_ms = ?, last_outcome = ?, last_status = ?, \
     last_failure = coalesce(?, last_failure) WHERE id = ?";

const SETTLE_FINAL: &str = "UPDATE deliveries SET claimed_by = NULL, claimed_at = NULL, \
     failures_answered = ?, failures_unanswered = ?, last_outcome = ?, last_status = ?, \
     last_failure = coalesce(?, last_failure) WHERE id = ?";

/// The attempt of a delivery that is under way.
pub(super) struct OpenAttempt {
    pub(super) number: u32,
    pub(super) is_pending: bool,
    pub(super) order_key: Option<OrderKey>,
    pub(super) blocks_until: Timestamp,
    replay_id: Option<ReplayId>,
}

/// The open attempt of a delivery. (All are this node's: no other may have the file.)
pub(super) fn open_attempt(
    connection: &Connection,
    id: DeliveryId,
) -> Result<Option<OpenAttempt>, StoreError> {
    first(connection, OPEN, &[&id.0], read_open)
}

pub(super) const OPEN: &str = "SELECT id, attempt_number, state, order_key, blocks_until, replay_id FROM deliveries \
     WHERE id = ? AND claimed_by IS NOT NULL";

fn read_open(row: &Row<'_>) -> Result<OpenAttempt, StoreError> {
    let mut columns = Columns::of("deliveries", row)?;
    Ok(OpenAttempt {
        number: columns.read()?,
        is_pending: columns.word::<StateName>()? == StateName::Pending,
        order_key: columns.maybe_text()?.map(OrderKey::new),
        blocks_until: columns.time()?,
        replay_id: columns.read::<Option<i64>>()?.map(ReplayId),
    })
}
