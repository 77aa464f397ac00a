//! `POST /v1/events/{kind}`: accepting events, one by one or line by line.
//!
//! Nearly all requests of a busy server send an event in, so they pass the routes by: those would take the path apart, keep its parts and box
//! one service after the other for each request, a twelfth of the cost of accepting one. Accepting is `ingest` of the node; size, key
//! and form of the requests are here.

mod answer;

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use serde::Serialize;
use switchhook_domain::Kind;
use switchhook_domain::key::Right;
use switchhook_http::server::{Answer, BodyReadError, is_packed, next_piece, read_body};
use switchhook_node::Node;
use switchhook_node::caller::Caller;
use switchhook_node::ingest::batch::{Batch, Report, WarnedLine};
use switchhook_node::ingest::{self, Accepted, LARGEST_EVENT, Rejected, SentAs, Submission};
use switchhook_node::lease::Lease;
use switchhook_protocol::headers::IDEMPOTENCY_KEY;
use tokio::time::Instant;

pub use self::answer::{
    AcceptedDeliveryAnswer, AcceptedEvent, BatchAnswer, Deliveries, RejectedLineAnswer, WarnedLineAnswer,
};
use crate::auth::{authenticate, key_has_ended, still_allowed};
use crate::error::ApiError;
use crate::forbid_caching;
use crate::id::IdText;
use crate::request_log::{LoggedCompany, LoggedRequest};

/// Route of the requests that bring events, for metrics and logs.
const EVENTS: &str = "/v1/events/{event}";

/// The longest idempotency key.
pub const LONGEST_KEY: usize = 255;

/// True if a request brings events and its path has the usual spelling. Other spellings go by the routes.
#[must_use]
pub fn brings_events(request: &Request) -> bool {
    let kind = request.uri().path().strip_prefix("/v1/events/");
    request.method() == Method::POST
        // The routes check parameters.
        && request.uri().query().is_none()
        && kind.is_some_and(|kind| Kind::ALL.iter().any(|known| known.route() == kind))
}

/// Answers a request that brings events. What calls it is optimized for size, and would copy what is inlined there byte by byte.
#[inline(never)]
pub fn answer_to(node: Arc<Node>, request: Request) -> Answer {
    Box::pin(take(node, request))
}

async fn take(node: Arc<Node>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let observed = LoggedRequest::begin(&parts.method, &mut parts.extensions);
    let answered = async {
        let caller = authenticate(&node, &parts.headers, &parts.uri).await?;
        LoggedCompany::note(&parts.extensions, caller.company_id);
        let caller = caller.require(Right::Ingest)?;
        send(&node, caller, Request::from_parts(parts, body)).await
    };
    let mut response = answered.await.unwrap_or_else(IntoResponse::into_response);
    forbid_caching(response.headers_mut());
    observed.end(&node.telemetry, EVENTS, response.status());
    response
}

/// Accepts the event of a request, or its lines.
///
/// # Errors
/// If it is not accepted, or not all lines were read.
pub async fn send(node: &Arc<Node>, caller: Caller, request: Request) -> Result<Response, ApiError> {
    let sent_as = sent_as(request.uri())?;
    let (parts, body) = request.into_parts();
    let idempotency_key = idempotency_key(&parts.headers)?;
    if is_lines(&parts.headers) {
        if is_packed(&parts.headers) {
            return Err(ApiError::unknown_coding("identity"));
        }
        let batch = Batch::new(node, caller.company_id, sent_as, idempotency_key);
        // In a box: few requests need the room that this takes.
        return Box::pin(send_lines(batch, body, &node.leases.hold(caller))).await;
    }
    let began = Instant::now();
    let read = read_body(&parts.headers, body, LARGEST_EVENT).await;
    let body = read.map_err(|trouble| refused(node, trouble))?;
    still_allowed(node, &parts, began).await?;
    let company_id = caller.company_id;
    let kind = sent_as.kind_of(&body);
    let submission = Submission {
        company_id,
        kind: kind.inspect_err(|rejected| node.telemetry.rejected(rejected.reason()))?,
        body,
        idempotency_key: idempotency_key.map(Into::into),
    };
    let accepted = ingest::accept(node, submission).await?;
    Ok(accepted_answer(&accepted))
}

/// Answer to an accepted event.
pub fn accepted_answer(accepted: &Accepted) -> Response {
    answer(&AcceptedEvent {
        id: IdText(accepted.id.0),
        kind: accepted.kind,
        duplicate: accepted.is_duplicate,
        warnings: Cow::Borrowed(&accepted.warnings),
        deliveries: Deliveries(Cow::Borrowed(&accepted.deliveries)),
    })
}

/// Size of the answer to an event with one delivery, in bytes, so that its memory is allocated once.
const USUAL_ANSWER: usize = 256;

fn answer(value: &impl Serialize) -> Response {
    let mut body = Vec::with_capacity(USUAL_ANSWER);
    serde_json::to_writer(&mut body, value).expect("an answer is plain text");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn send_lines(mut batch: Batch<'_>, mut body: Body, lease: &Lease) -> Result<Response, ApiError> {
    let error = loop {
        let piece = tokio::select! {
            biased;
            () = lease.ended() => break key_has_ended(),
            piece = next_piece(&mut body) => piece,
        };
        let kept = match piece {
            Ok(Some(piece)) => batch.feed(piece).await,
            Ok(None) => match batch.finish().await {
                Ok(()) => return Ok(batch_answer(batch.into_report())),
                Err(error) => Err(error),
            },
            Err(trouble) => break ApiError::unread(trouble, LARGEST_EVENT),
        };
        if let Err(error) = kept {
            break error.into();
        }
    };
    let Report {
        accepted,
        duplicates,
        rejected_count,
        last_line,
        ..
    } = batch.report();
    Err(ApiError::with_preface(
        error,
        &format!(
            "stopped after line {last_line} ({accepted} accepted, {duplicates} duplicates, {rejected_count} \
             rejected; send the rest again): "
        ),
    ))
}

fn batch_answer(report: Report) -> Response {
    let line = |(line, reason): (u64, Rejected)| RejectedLineAnswer {
        line,
        error: ApiError::from(reason).body(),
    };
    answer(&BatchAnswer {
        accepted: report.accepted,
        duplicates: report.duplicates,
        rejected: report
            .rejected
            .into_iter()
            .map(|bad| line((bad.line, bad.reason)))
            .collect(),
        rejected_count: report.rejected_count,
        warnings: report
            .warned
            .into_iter()
            .map(|WarnedLine { line, warnings }| WarnedLineAnswer { line, warnings })
            .collect(),
        warnings_count: report.warned_count,
    })
}

fn refused(node: &Node, trouble: BodyReadError) -> ApiError {
    match trouble {
        BodyReadError::TooLarge => {
            let rejected = Rejected::TooLarge { limit: LARGEST_EVENT };
            node.telemetry.rejected(rejected.reason());
            rejected.into()
        }
        other => ApiError::unread(other, LARGEST_EVENT),
    }
}

fn sent_as(uri: &Uri) -> Result<SentAs, ApiError> {
    let word = uri.path().rsplit('/').next().unwrap_or_default();
    let exact = Kind::ALL.into_iter().find(|kind| kind.route() == word);
    exact.map(SentAs::Kind).map_or_else(
        || {
            word.parse()
                .map_err(|error| ApiError::not_found(format!("{error}")))
        },
        Ok,
    )
}

fn is_lines(headers: &HeaderMap) -> bool {
    const LINES: [&str; 4] = [
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
    ];
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type
        .and_then(|value| value.split(';').next())
        .map(str::trim);
    essence.is_some_and(|essence| LINES.iter().any(|lines| essence.eq_ignore_ascii_case(lines)))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(header) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    match header.to_str() {
        Ok(key) if (1..=LONGEST_KEY).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(ApiError::invalid(format!(
            "Idempotency-Key: send 1 to {LONGEST_KEY} visible ASCII characters, or leave the header out"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_what_sends_events_in_passes_the_routes_by() {
        for (method, path, passes) in [
            (Method::POST, "/v1/events/call", true),
            (Method::POST, "/v1/events/agent_status", true),
            (Method::POST, "/v1/events/agent_status?x=1", false),
            (Method::GET, "/v1/events/call", false),
            (Method::POST, "/v1/events/call/", false),
            (Method::POST, "/v1/events/agent-status", false),
            (Method::POST, "/v1/events", false),
        ] {
            let request = Request::builder()
                .method(&method)
                .uri(path)
                .body(Body::empty())
                .unwrap();
            assert_eq!(brings_events(&request), passes, "{method} {path}");
        }
    }
}
