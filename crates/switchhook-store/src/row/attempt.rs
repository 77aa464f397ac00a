//! An attempt as a row.

use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{Answer, Attempt, AttemptOutcome, AttemptRequest, HeaderRecord, Phases};
use switchhook_domain::id::DeliveryId;

use super::{Columns, Row};
use crate::attempt::{FailedAttempt, LastAttempt};
use crate::error::StoreError;

/// Columns for [`read`].
macro_rules! attempt_columns {
    () => {
        "delivery_id, number, started_at, finished_at, outcome, reason, detail, status, \
     retry_after_at, url, request_headers, answer_headers, answer_body, answer_truncated, dns_us, connect_us, tls_us, \
     first_byte_us, total_us"
    };
}
pub(crate) use attempt_columns;

/// Columns for [`read_last`].
macro_rules! last_attempt_columns {
    () => {
        "delivery_id, number, outcome, reason, status, total_us"
    };
}
pub(crate) use last_attempt_columns;

/// Columns for [`read_failed`].
macro_rules! failed_attempt_columns {
    () => {
        "delivery_id, reason, detail, answer_body"
    };
}
pub(crate) use failed_attempt_columns;

pub(crate) fn read_last(row: &Row<'_>) -> Result<LastAttempt, StoreError> {
    let mut columns = Columns::of("attempts", row)?;
    let number = columns.read()?;
    let (outcome, reason, status) = (columns.text()?, columns.maybe_text()?, columns.read()?);
    Ok(LastAttempt {
        delivery_id: DeliveryId(columns.id()),
        number,
        class: read_outcome(&columns, outcome, reason, status)?.class(),
        status,
        took: Duration::from_micros(columns.read()?),
    })
}

pub(crate) fn read_failed(row: &Row<'_>) -> Result<FailedAttempt, StoreError> {
    let mut columns = Columns::of("attempts", row)?;
    Ok(FailedAttempt {
        delivery_id: DeliveryId(columns.id()),
        reason: columns.maybe_word()?,
        detail: columns.read()?,
        answer_head: columns.read::<Option<_>>()?.unwrap_or_default(),
    })
}

/// An attempt of which nobody knows how it ended.
pub(crate) fn lost(number: u32, started_at: Timestamp, now: Timestamp) -> Attempt {
    Attempt {
        number,
        started_at,
        finished_at: now,
        outcome: AttemptOutcome::Lost,
        request: None,
        answer: None,
        phases: Phases {
            total: now.since(started_at),
            ..Phases::default()
        },
    }
}

pub(crate) const fn outcome_name(outcome: &AttemptOutcome) -> &'static str {
    match outcome {
        AttemptOutcome::Answered { .. } => "answered",
        AttemptOutcome::Unanswered { .. } => "unanswered",
        AttemptOutcome::Lost => "lost",
    }
}

/// The status that came, also with half an answer.
pub(crate) fn status(attempt: &Attempt) -> Option<u16> {
    match attempt.outcome {
        AttemptOutcome::Answered { status, .. } => Some(status),
        _ => attempt.answer.as_ref().map(|answer| answer.status),
    }
}

pub(crate) fn read(row: &Row<'_>) -> Result<Attempt, StoreError> {
    let mut columns = Columns::of("attempts", row)?;
    let number = columns.read()?;
    let (started_at, finished_at) = (columns.time()?, columns.time()?);
    let (outcome, reason) = (columns.text()?, columns.maybe_text()?);
    let mut told: Option<String> = columns.read()?;
    let status: Option<u16> = columns.read()?;
    let until = columns.maybe_time()?;
    let mut outcome = read_outcome(&columns, outcome, reason, status)?;
    match &mut outcome {
        AttemptOutcome::Answered { retry_after, .. } => *retry_after = until,
        AttemptOutcome::Unanswered { detail, .. } => *detail = told.take().unwrap_or_default(),
        AttemptOutcome::Lost => {}
    }
    Ok(Attempt {
        number,
        started_at,
        finished_at,
        outcome,
        request: read_request(&mut columns)?,
        answer: read_answer(&mut columns, status, told)?,
        phases: read_phases(&mut columns)?,
    })
}

/// Outcome without its explanation.
fn read_outcome(
    columns: &Columns<'_>,
    outcome: &str,
    reason: Option<&str>,
    status: Option<u16>,
) -> Result<AttemptOutcome, StoreError> {
    let reason = reason.unwrap_or_default();
    Ok(match (outcome, status) {
        ("answered", Some(status)) => AttemptOutcome::Answered {
            status,
            retry_after: None,
        },
        ("unanswered", _) => AttemptOutcome::Unanswered {
            reason: reason.parse().map_err(|error| columns.corrupt(error))?,
            detail: String::new(),
        },
        ("lost", _) => AttemptOutcome::Lost,
        _ => return Err(columns.corrupt(format_args!("an attempt has the outcome `{outcome}`"))),
    })
}

fn read_request(columns: &mut Columns<'_>) -> Result<Option<AttemptRequest>, StoreError> {
    let url = columns.maybe_text()?;
    let headers = read_headers(columns)?;
    Ok(url.map(|url| AttemptRequest {
        url: url.into(),
        headers: headers.unwrap_or_default(),
    }))
}

fn read_answer(
    columns: &mut Columns<'_>,
    status: Option<u16>,
    note: Option<String>,
) -> Result<Option<Answer>, StoreError> {
    let headers = read_headers(columns)?;
    let body: Option<Vec<u8>> = columns.read()?;
    let is_truncated = columns.read()?;
    Ok(headers.map(|headers| Answer {
        status: status.unwrap_or_default(),
        headers,
        body_head: body.unwrap_or_default(),
        is_truncated,
        note,
    }))
}

fn read_phases(columns: &mut Columns<'_>) -> Result<Phases, StoreError> {
    let mut phase = || Ok::<_, StoreError>(columns.read::<Option<i64>>()?.map(duration));
    Ok(Phases {
        dns: phase()?,
        connect: phase()?,
        tls: phase()?,
        first_byte: phase()?,
        total: phase()?.unwrap_or_default(),
    })
}

fn read_headers(columns: &mut Columns<'_>) -> Result<Option<HeaderRecord>, StoreError> {
    let text = columns.maybe_text()?;
    text.map(HeaderRecord::from_json)
        .transpose()
        .map_err(|error| columns.corrupt(error))
}

/// Stored form of a duration.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}
