//! An attempt as a row.

use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{
    Answer, Attempt, AttemptOutcome, AttemptRequest, FailureReason, HeaderRecord, Phases,
};
use switchhook_domain::id::DeliveryId;

use super::{Columns, Row};
use crate::attempt::LastAttempt;
use crate::error::StoreError;

/// What [`read`] reads, in its order.
macro_rules! attempt_columns {
    () => {
        "delivery_id, number, started_at, finished_at, outcome, reason, detail, status, \
     retry_after_at, url, request_headers, answer_headers, answer_body, answer_truncated, dns_us, connect_us, tls_us, \
     first_byte_us, total_us"
    };
}
pub(crate) use attempt_columns;

/// What [`read_last`] reads, in its order.
macro_rules! last_attempt_columns {
    () => {
        "delivery_id, number, status, total_us"
    };
}
pub(crate) use last_attempt_columns;

pub(crate) fn read_last(row: &Row<'_>) -> Result<LastAttempt, StoreError> {
    let mut columns = Columns::of("attempts", row)?;
    Ok(LastAttempt {
        delivery_id: DeliveryId(columns.id()),
        number: columns.read()?,
        status: columns.read()?,
        took: Duration::from_micros(columns.read()?),
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
    let outcome: String = columns.read()?;
    let reason: Option<String> = columns.read()?;
    let mut detail: Option<String> = columns.read()?;
    let status: Option<u16> = columns.read()?;
    let retry_after = columns.maybe_time()?;
    Ok(Attempt {
        number,
        started_at,
        finished_at,
        outcome: match (outcome.as_str(), status) {
            ("answered", Some(status)) => AttemptOutcome::Answered { status, retry_after },
            ("unanswered", _) => AttemptOutcome::Unanswered {
                reason: read_reason(&columns, reason.as_deref())?,
                detail: detail.take().unwrap_or_default(),
            },
            ("lost", _) => AttemptOutcome::Lost,
            _ => return Err(columns.corrupt(format_args!("attempt {number} has the outcome `{outcome}`"))),
        },
        request: read_request(&mut columns)?,
        answer: read_answer(&mut columns, status, detail)?,
        phases: read_phases(&mut columns)?,
    })
}

fn read_reason(columns: &Columns<'_>, reason: Option<&str>) -> Result<FailureReason, StoreError> {
    reason
        .unwrap_or_default()
        .parse()
        .map_err(|error| columns.corrupt(error))
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

/// How a duration is kept.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}
