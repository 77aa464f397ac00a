//! Outcome of a request: the answer, and a line on standard output.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use switchhook_domain::Kind;
use switchhook_domain::clock::Clock;
use switchhook_protocol::Cause;
use switchhook_receiver::{Received, Refusal};

use super::super::output;
use switchhook_node::clock::SystemClock;

/// Outcome of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Printed, not stored.
    Received,
    /// Stored on the disk.
    Stored,
    /// The command succeeded, and that is stored on the disk.
    Handled,
    /// Stored or handled before.
    Repeat,
    /// Another request with the same event is in progress.
    UnderWay,
    /// Not an event, or not signed with the secret.
    Refused(Refusal),
    /// It could not be stored; the sender sends it again.
    Failed(String),
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Stored => "stored",
            Self::Handled => "handled",
            Self::Repeat => "repeat",
            Self::UnderWay => "under_way",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Received | Self::Stored | Self::Handled | Self::Repeat => 200,
            Self::UnderWay => 503,
            Self::Refused(refusal) => refusal.answer_status(),
            Self::Failed(_) => 500,
        }
    }

    /// Details beyond the name.
    fn reason(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => Some(refusal.to_string()),
            Self::Failed(reason) => Some(reason.clone()),
            Self::UnderWay => Some("another request with this event is not answered yet".to_owned()),
            _ => None,
        }
    }
}

/// The sender learns its own mistake, and nothing about failures of this receiver.
impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let message = match &self {
            Self::Refused(refusal) => refusal.to_string(),
            other => other.name().to_owned(),
        };
        let mut response = (status, message + "\n").into_response();
        if matches!(self, Self::UnderWay) {
            let after = HeaderValue::from_static("5");
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct OutcomePrinter {
    pub(super) json: bool,
}

impl OutcomePrinter {
    /// Prints a line. An error is ignored: receiving goes on.
    pub(super) fn print(self, event: Option<&Received>, outcome: &Outcome, advice: Option<Cause>) {
        let _ = if self.json {
            output::print_data(as_json(event, outcome, advice))
        } else {
            output::print(as_text(event, outcome, advice))
        };
    }
}

fn as_json(event: Option<&Received>, outcome: &Outcome, advice: Option<Cause>) -> serde_json::Value {
    json!({
        "at": SystemClock.now().to_string(),
        "outcome": outcome.name(),
        "status": outcome.status(),
        "reason": outcome.reason(),
        "advice": advice.map(|cause| cause.to_string()),
        "kind": event.and_then(|event| event.kind),
        "event_id": event.and_then(|event| event.labels.event_id.as_deref()),
        "attempt": event.and_then(|event| event.labels.attempt),
        "summary": event.map(Received::summary),
    })
}

fn as_text(event: Option<&Received>, outcome: &Outcome, advice: Option<Cause>) -> String {
    let at = output::time(SystemClock.now());
    let what = event.map_or_else(String::new, |event| {
        let kind = event.kind.map_or("?", Kind::route);
        let id = event.labels.event_id.as_deref().map(|id| format!(" event {id}"));
        let attempt = event.labels.attempt.filter(|attempt| *attempt > 1);
        let attempt = attempt.map(|attempt| format!(" attempt {attempt}"));
        format!(
            "  {kind:<13}{}{}{}",
            event.summary(),
            id.unwrap_or_default(),
            attempt.unwrap_or_default()
        )
    });
    let reason = outcome.reason().map(|reason| format!(": {reason}"));
    let advice = advice.map(|cause| format!(" ({cause})"));
    let name = match event {
        Some(_) => format!("{:<8}", outcome.name()),
        None => outcome.name().to_owned(),
    };
    format!(
        "{at}  {name}{what}{}{}",
        reason.unwrap_or_default(),
        advice.unwrap_or_default()
    )
}
