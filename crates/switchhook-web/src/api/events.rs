//! `/v1/events`: sending events in, one by one or line by line, and looking at what came.
//!
//! What happens to an event on its way in is `ingest.rs`; here are size, key and form of the requests.

pub(super) mod answer;

use std::borrow::Cow;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use serde::Serialize;
use switchhook_domain::id::EventId;
use switchhook_domain::order::OrderKey;
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::headers::IDEMPOTENCY_KEY;
use switchhook_store::{DeliveryFilter, EventFilter, EventHead, PageRequest};
use tokio::time::Instant;

use self::answer::{
    AcceptedEvent, BatchAnswer, Deliveries, EventAnswer, EventSummary, RejectedLineAnswer, SendAnswer,
    WarnedLineAnswer,
};
use super::SharedApi;
use super::auth::{Ingester, Reader, key_has_ended, still_allowed};
use super::compat::{IdText, Items};
use super::deliveries::listed;
use super::error::ApiError;
use super::request::{PageQuery, PathId, Query};
use super::words;
use switchhook_http::server::{BodyTrouble, is_packed, next_piece, read_body};
use switchhook_node::blocking;
use switchhook_node::events;
use switchhook_node::ingest::batch::{Batch, Report, WarnedLine};
use switchhook_node::ingest::{self, Accepted, LARGEST_EVENT, Rejected, SentAs, Submission};
use switchhook_node::lease::Lease;
use switchhook_node::sight::Sight;

/// The longest idempotency key.
const LONGEST_KEY: usize = 255;

/// How many deliveries are shown with an event. The list of deliveries has them all.
const MOST_DELIVERIES: u32 = 200;

/// Takes an event in, or many.
///
/// With `application/x-ndjson` every line is an event: good lines are kept, bad ones are named. With anything else the
/// body is one event. The response is sent once the accepted events are stored. The bytes of an event are sent on as
/// they are. An `Idempotency-Key` counts for 24 hours; each line's own is `KEY:LINE`. Sent as `auto`, each event's shape
/// tells its kind.
#[utoipa::path(
    post, path = "/v1/events/{event}", tag = "events", operation_id = "events.send",
    params(
        ("event" = String, Path, description = "The events' kind: call, sms, agent_status, contact or changelog; or auto"),
        ("Idempotency-Key" = Option<String>, Header, description = "Key that identifies a repeated request"),
    ),
    request_body(
        description = "An event of that kind, at most 1 MiB; or one a line",
        content((Object = "application/json"), (String = "application/x-ndjson")),
    ),
    responses(
        (status = 202, description = "The event is kept; for lines: what became of them", body = SendAnswer<'_>),
    ),
)]
pub(crate) async fn send(
    State(api): State<SharedApi>,
    Ingester(caller): Ingester,
    request: Request,
) -> Result<Response, ApiError> {
    let sent_as = sent_as(request.uri())?;
    let (parts, body) = request.into_parts();
    let idempotency_key = idempotency_key(&parts.headers)?;
    if is_lines(&parts.headers) {
        if is_packed(&parts.headers) {
            return Err(ApiError::unknown_coding("identity"));
        }
        let batch = Batch::new(&api.node, caller.company_id, sent_as, idempotency_key);
        return send_lines(batch, body, &api.node.leases.hold(caller)).await;
    }
    let began = Instant::now();
    let read = read_body(&parts.headers, body, LARGEST_EVENT).await;
    let body = read.map_err(|trouble| refused(&api, trouble))?;
    still_allowed(&api, &parts, began).await?;
    let company_id = caller.company_id;
    let kind = sent_as.kind_of(&body);
    let submission = Submission {
        company_id,
        kind: kind.inspect_err(|rejected| api.node.telemetry.rejected(rejected.reason()))?,
        body,
        idempotency_key: idempotency_key.map(Into::into),
    };
    let accepted = ingest::accept(&api.node, submission).await?;
    Ok(accepted_answer(&accepted))
}

/// The answer to an event that is kept.
pub(crate) fn accepted_answer(accepted: &Accepted) -> Response {
    answer(&AcceptedEvent {
        id: IdText(accepted.id.0),
        kind: accepted.kind,
        duplicate: accepted.is_duplicate,
        warnings: Cow::Borrowed(&accepted.warnings),
        deliveries: Deliveries(Cow::Borrowed(&accepted.deliveries)),
    })
}

/// How many bytes the answer to an event with one delivery has at most, so that its memory is taken once.
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

fn refused(api: &SharedApi, trouble: BodyTrouble) -> ApiError {
    match trouble {
        BodyTrouble::TooLarge => {
            let rejected = Rejected::TooLarge { limit: LARGEST_EVENT };
            api.node.telemetry.rejected(rejected.reason());
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

/// Which events a list is narrowed to.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by name from the query; the fields are there for the document"
)]
pub(crate) struct EventQuery {
    /// Only this kind.
    #[param(schema_with = words::kept_kind)]
    kind: Option<Kind>,
    /// Only those of one call, message, agent or contact.
    #[param(example = "call:4513924407164928")]
    order_key: Option<String>,
    /// Accepted at this time or later: RFC 3339 or unix milliseconds.
    #[param(value_type = Option<String>)]
    since: Option<Timestamp>,
    /// Accepted before this time.
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
}

/// Lists the company's events, newest first.
///
/// Kinds that the key may not see are left out, and a page that passes by many events that are not wanted may have fewer items
/// than `limit`, even none: it is the last one only if it has no `cursor`.
#[utoipa::path(
    get, path = "/v1/events", tag = "events", operation_id = "events.list",
    params(PageQuery, EventQuery),
    responses((status = 200, description = "A page of events", body = Items<EventSummary>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<Items<EventSummary>>, ApiError> {
    let query = Query::of(&uri);
    let page = PageQuery::read(query)?.ours()?;
    let filter = EventFilter {
        kind: query.kind()?,
        order_key: query.text("order_key").map(|key| OrderKey::new(&*key)),
        since: query.instant("since")?,
        until: query.instant("until")?,
    };
    if let Some(kind) = filter.kind {
        caller.require_sight(kind)?;
    }
    let page = api
        .node
        .store
        .list_event_heads(caller.company_id, filter, page)
        .await?;
    let sight = Sight::of(caller, &api.node);
    let mut seen = page.items;
    seen.retain(|event| sight.sees(event.kind));
    let ids = seen.iter().map(|event| event.id).collect();
    let summaries = events::summaries(&api.node, caller, ids).await?;
    let shown = seen.into_iter().map(|event| {
        let summary = summaries.get(&event.id);
        EventSummary::of(event, summary, sight.mask)
    });
    Ok(Json(Items {
        items: shown.collect(),
        cursor: page.next.map(IdText),
    }))
}

/// Shows an event as it came, with its deliveries; without what the key's scopes hide, and masked if the server masks.
#[utoipa::path(
    get, path = "/v1/events/{event}", tag = "events", operation_id = "events.get",
    params(("event" = IdText, Path, description = "The event's id")),
    responses((status = 200, description = "The event", body = EventAnswer<'_>)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<EventId>,
) -> Result<Response, ApiError> {
    let event = api.node.store.event(caller.company_id, id).await?;
    caller.require_sight(event.kind)?;
    let bytes = event.body.len();
    let filter = DeliveryFilter {
        event_id: Some(id),
        ..DeliveryFilter::default()
    };
    let page = PageRequest::first(MOST_DELIVERIES);
    let deliveries = api
        .node
        .store
        .list_deliveries(caller.company_id, filter, page)
        .await?;
    let sight = Sight::of(caller, &api.node);
    let sum_up = {
        let event = event.clone();
        move || events::summary(event, sight)
    };
    let summary = blocking::run(bytes, sum_up).await;
    let summaries = summary.into_iter().map(|summary| (id, summary)).collect();
    let deliveries = listed(&api, deliveries.items, &summaries).await?;
    let answer = move || {
        let body = sight.text(event.kind, &event.body);
        let is_there = event.payload_removed.is_none();
        let read = || serde_json::from_str(&body).expect("only JSON is accepted, and it stays JSON");
        let payload = is_there.then(read).map(Cow::Borrowed);
        Json(EventAnswer {
            payload,
            deliveries,
            head: EventSummary::of(EventHead::from(event), summaries.get(&id), sight.mask),
        })
        .into_response()
    };
    Ok(blocking::run(bytes, answer).await)
}
