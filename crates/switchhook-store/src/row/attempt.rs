//! An attempt as a row.

use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{
    Answer, Attempt, AttemptOutcome, AttemptRequest, HeaderRecord, Phases, Silence,
};
use switchhook_domain::id::DeliveryId;

use super::{Cells, Row};
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
    let mut cells = Cells::of("attempts", row)?;
    Ok(LastAttempt {
        delivery_id: DeliveryId(cells.id()),
        number: cells.read()?,
        status: cells.read()?,
        took: Duration::from_micros(cells.read()?),
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
    let mut cells = Cells::of("attempts", row)?;
    let number = cells.read()?;
    let (started_at, finished_at) = (cells.time()?, cells.time()?);
    let outcome: String = cells.read()?;
    let reason: Option<String> = cells.read()?;
    let mut detail: Option<String> = cells.read()?;
    let status: Option<u16> = cells.read()?;
    let retry_after = cells.maybe_time()?;
    Ok(Attempt {
        number,
        started_at,
        finished_at,
        outcome: match (outcome.as_str(), status) {
            ("answered", Some(status)) => AttemptOutcome::Answered { status, retry_after },
            ("unanswered", _) => AttemptOutcome::Unanswered {
                reason: read_reason(&cells, reason.as_deref())?,
                detail: detail.take().unwrap_or_default(),
            },
            ("lost", _) => AttemptOutcome::Lost,
            _ => return Err(cells.corrupt(format_args!("attempt {number} has the outcome `{outcome}`"))),
        },
        request: read_request(&mut cells)?,
        answer: read_answer(&mut cells, status, detail)?,
        phases: read_phases(&mut cells)?,
    })
}

fn read_reason(cells: &Cells<'_>, reason: Option<&str>) -> Result<Silence, StoreError> {
    reason
        .unwrap_or_default()
        .parse()
        .map_err(|error| cells.corrupt(error))
}

fn read_request(cells: &mut Cells<'_>) -> Result<Option<AttemptRequest>, StoreError> {
    let url = cells.maybe_text()?;
    let headers = read_headers(cells)?;
    Ok(url.map(|url| AttemptRequest {
        url: url.into(),
        headers: headers.unwrap_or_default(),
    }))
}

fn read_answer(
    cells: &mut Cells<'_>,
    status: Option<u16>,
    note: Option<String>,
) -> Result<Option<Answer>, StoreError> {
    let headers = read_headers(cells)?;
    let body: Option<Vec<u8>> = cells.read()?;
    let is_truncated = cells.read()?;
    Ok(headers.map(|headers| Answer {
        status: status.unwrap_or_default(),
        headers,
        body_head: body.unwrap_or_default(),
        is_truncated,
        note,
    }))
}

fn read_phases(cells: &mut Cells<'_>) -> Result<Phases, StoreError> {
    let mut phase = || Ok::<_, StoreError>(cells.read::<Option<i64>>()?.map(duration));
    Ok(Phases {
        dns: phase()?,
        connect: phase()?,
        tls: phase()?,
        first_byte: phase()?,
        total: phase()?.unwrap_or_default(),
    })
}

fn read_headers(cells: &mut Cells<'_>) -> Result<Option<HeaderRecord>, StoreError> {
    let text = cells.maybe_text()?;
    text.map(HeaderRecord::from_json)
        .transpose()
        .map_err(|error| cells.corrupt(error))
}

/// How a duration is kept.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}
