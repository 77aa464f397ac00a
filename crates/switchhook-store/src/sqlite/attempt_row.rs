//! An attempt becomes a row.

use rusqlite::params;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{Attempt, AttemptOutcome};
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::DeliveryId;

use super::bulk::{self, Insertion, Values};
use super::statements::Statements;
use crate::error::StoreError;
use crate::row::attempt::{lost, micros, outcome_name, status};

pub(super) fn insert(
    statements: &mut Statements<'_>,
    id: DeliveryId,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    bulk::insert(statements, &INSERT, &[attempt], |attempt, values| {
        bind(id, attempt, values)
    })
}

/// The only attempts of deliveries that ended with them.
pub(super) fn insert_only(
    statements: &mut Statements<'_>,
    ended: &[(Delivery, Attempt)],
) -> Result<(), StoreError> {
    bulk::insert(statements, &INSERT, ended, |(delivery, attempt), values| {
        bind(delivery.id, attempt, values)
    })
}

fn bind(id: DeliveryId, attempt: &Attempt, values: &mut Values<'_, '_>) -> Result<(), StoreError> {
    let (retry_after, reason) = match &attempt.outcome {
        AttemptOutcome::Answered { retry_after, .. } => (*retry_after, None),
        AttemptOutcome::Unanswered { reason, .. } => (None, Some(reason.as_str())),
        AttemptOutcome::Lost => (None, None),
    };
    values.bind(params![
        id.0,
        attempt.number,
        attempt.started_at.as_millis(),
        attempt.finished_at.as_millis(),
        outcome_name(&attempt.outcome),
        reason,
        attempt.detail(),
        status(attempt),
        retry_after.map(Timestamp::as_millis),
    ])?;
    bind_exchange(attempt, values)
}

/// What was sent and what came, which the row of a delivery can hold too: from the address to the last of the phases.
pub(super) fn bind_exchange(attempt: &Attempt, values: &mut Values<'_, '_>) -> Result<(), StoreError> {
    let (request, answer, phases) = (attempt.request.as_ref(), attempt.answer.as_ref(), attempt.phases);
    values.bind(params![
        request.map(|request| &*request.url),
        request.map(|request| request.headers.as_json()),
        answer.map(|answer| answer.headers.as_json()),
        answer.map(|answer| answer.body_head.as_slice()),
        answer.is_some_and(|answer| answer.is_truncated),
        phases.dns.map(micros),
        phases.connect.map(micros),
        phases.tls.map(micros),
        phases.first_byte.map(micros),
        micros(phases.total),
    ])
}

static INSERT: Insertion = Insertion::new(INSERT_ONE, || bulk::many(INSERT_ONE));

const INSERT_ONE: &str = "INSERT OR FAIL INTO attempt_rows (delivery_id, number, started_at, finished_at, outcome, reason, detail, \
     status, retry_after_at, url, request_headers, answer_headers, answer_body, answer_truncated, dns_us, connect_us, \
     tls_us, first_byte_us, total_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Closes an attempt of which nobody knows how it ended.
pub(super) fn insert_lost(
    statements: &mut Statements<'_>,
    id: DeliveryId,
    number: u32,
    started_at: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    insert(statements, id, &lost(number, started_at, now))
}
