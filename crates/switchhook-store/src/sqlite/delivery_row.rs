//! A delivery becomes a row.

use rusqlite::params;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{Attempt, AttemptOutcome};
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::order::OrderKey;

use super::attempt_row;
use super::bulk::{self, Insertion, Values};
use super::queues_with_rows::QueuesWithRows;
use super::statements::Statements;
use crate::error::StoreError;
use crate::order_queue::InitialState;
use crate::row::attempt::{outcome_name, status};
use crate::row::delivery::ids;

/// The node that owns the file. There is only one: on PostgreSQL each has a number of its own.
pub(super) const THIS_NODE: i64 = 1;

/// Part of a delivery's row beyond the delivery itself.
#[derive(Clone, Copy)]
enum RowState<'a> {
    Started(InitialState),
    /// This was its last attempt.
    Ended(&'a Attempt),
}

/// Inserts a new delivery.
pub(super) fn insert(
    statements: &mut Statements<'_>,
    queues: &mut QueuesWithRows,
    delivery: &Delivery,
    start: InitialState,
) -> Result<(), StoreError> {
    if delivery.state.is_final() {
        return Err(StoreError::Conflict(
            "a delivery cannot be made in a final state".into(),
        ));
    }
    queues.note(delivery);
    bulk::insert(statements, &INSERT, &[delivery], |delivery, values| {
        bind(delivery, RowState::Started(start), values)
    })
}

/// New deliveries that this node has claimed.
pub(super) fn insert_claimed(
    statements: &mut Statements<'_>,
    queues: &mut QueuesWithRows,
    claimed: &[Delivery],
) -> Result<(), StoreError> {
    for delivery in claimed {
        queues.note(delivery);
    }
    bulk::insert(statements, &INSERT, claimed, |delivery, values| {
        bind(delivery, RowState::Started(InitialState::Claimed), values)
    })
}

/// Deliveries that ended with their first attempt, before they had a row.
pub(super) fn insert_ended(
    statements: &mut Statements<'_>,
    ended: &[(Delivery, Attempt)],
) -> Result<(), StoreError> {
    bulk::insert(statements, &INSERT, ended, |(delivery, last), values| {
        bind(delivery, RowState::Ended(last), values)
    })
}

/// Deliveries that were delivered with their first attempt, before they had a row: that is in the delivery's, too.
pub(super) fn insert_delivered(
    statements: &mut Statements<'_>,
    delivered: &[(Delivery, Attempt)],
) -> Result<(), StoreError> {
    bulk::insert(
        statements,
        &INSERT_DELIVERED,
        delivered,
        |(delivery, first), values| bind_delivered(delivery, first, values),
    )
}

/// True if [`insert_delivered`] has a column for everything there is to say.
pub(super) fn holds_attempt(delivery: &Delivery, first: &Attempt) -> bool {
    let DeliveryState::Delivered { at } = delivery.state else {
        return false;
    };
    let is_plain = delivery.note.is_none()
        && delivery.origin.is_none()
        && delivery.replay_id.is_none()
        && delivery.last_failure.is_none();
    let AttemptOutcome::Answered { retry_after, .. } = first.outcome else {
        return false;
    };
    is_plain
        && at == first.finished_at
        && delivery.attempt_number == first.number
        && retry_after.is_none()
        && first.detail().is_none()
}

fn bind_delivered(
    delivery: &Delivery,
    first: &Attempt,
    values: &mut Values<'_, '_>,
) -> Result<(), StoreError> {
    bind_common(delivery, values)?;
    values.bind(params![
        first.finished_at.as_millis(),
        delivery.attempt_number,
        delivery.failures.answered,
        delivery.failures.unanswered,
        delivery.blocks_until.as_millis(),
        outcome_name(&first.outcome),
        status(first),
        delivery.created_at.as_millis(),
        held_ms(delivery),
        first.started_at.as_millis(),
    ])?;
    attempt_row::bind_exchange(first, values)
}

/// What both kinds of rows begin with: what is delivered to whom, and its state.
fn bind_common(delivery: &Delivery, values: &mut Values<'_, '_>) -> Result<(), StoreError> {
    values.bind(params![
        delivery.id.0,
        delivery.event_id.0,
        delivery.ordinal,
        delivery.company_id.0,
        delivery.webhook_id.0,
        delivery.kind.route(),
        ids(&delivery.subscription_ids),
        delivery.hidden.as_str(),
        delivery.order_key.as_ref().map(OrderKey::as_str),
        delivery.state.name().as_str(),
    ])
}

fn held_ms(delivery: &Delivery) -> i64 {
    i64::try_from(delivery.suspended.as_millis()).unwrap_or(i64::MAX)
}

fn bind(delivery: &Delivery, state: RowState<'_>, values: &mut Values<'_, '_>) -> Result<(), StoreError> {
    let (due_at, ended_at) = match delivery.state {
        DeliveryState::Pending { due_at } => (Some(due_at), None),
        ended => (None, Some(ended.at())),
    };
    let (is_claimed, is_waiting, last) = match state {
        RowState::Started(start) => (
            start == InitialState::Claimed,
            start == InitialState::Waiting,
            None,
        ),
        RowState::Ended(last) => (false, false, Some(last)),
    };
    bind_common(delivery, values)?;
    values.bind(params![
        due_at.map(Timestamp::as_millis),
        ended_at.map(Timestamp::as_millis),
        is_waiting.then_some("order"),
        is_claimed.then_some(THIS_NODE),
        is_claimed.then_some(delivery.created_at.as_millis()),
        delivery.attempt_number,
        delivery.failures.answered,
        delivery.failures.unanswered,
        delivery.blocks_until.as_millis(),
        last.map(|attempt| outcome_name(&attempt.outcome)),
        last.and_then(status),
        delivery.origin.map(|origin| origin.0),
        delivery.replay_id.map(|id| id.0),
        delivery.created_at.as_millis(),
        delivery.note,
        held_ms(delivery),
        delivery.last_failure.map(|failure| failure.to_string()),
    ])
}

static INSERT: Insertion = Insertion::new(INSERT_ONE, || bulk::many(INSERT_ONE));

const INSERT_ONE: &str = "INSERT OR FAIL INTO deliveries (id, event_id, ordinal, company_id, webhook_id, kind, subscription_ids, \
     hidden, order_key, state, due_at, ended_at, held, claimed_by, claimed_at, attempt_number, failures_answered, \
     failures_unanswered, blocks_until, last_outcome, last_status, origin_id, replay_id, created_at, note, held_ms, last_failure) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

static INSERT_DELIVERED: Insertion =
    Insertion::new(INSERT_ONE_DELIVERED, || bulk::many(INSERT_ONE_DELIVERED));

const INSERT_ONE_DELIVERED: &str = "INSERT OR FAIL INTO deliveries (id, event_id, ordinal, company_id, webhook_id, kind, \
     subscription_ids, hidden, order_key, state, ended_at, attempt_number, failures_answered, failures_unanswered, blocks_until, \
     last_outcome, last_status, created_at, held_ms, first_started_at, first_url, first_request_headers, first_answer_headers, \
     first_answer_body, first_answer_truncated, first_dns_us, first_connect_us, first_tls_us, first_first_byte_us, first_total_us) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
