//! `/v1/dead-letters`: deliveries that were given up and that nobody has dealt with since, by what they have in common.
//!
//! They are sent again, dismissed, or taken out with their events, line by line.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::Stream;
use http::header::CONTENT_TYPE;
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use switchhook_domain::attempt::{Failure, FailureReason};
use switchhook_domain::credential::shown_url;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::WebhookId;
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::blocking;
use switchhook_node::dead_letters::{self, Group, Groups};
use switchhook_node::deliveries;
use switchhook_node::lease::Lease;
use switchhook_node::sight::Sight;
use switchhook_store::{DeadLetterFilter, EventHead, PageRequest, StoreError};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

use super::auth::{Caller, Reader, Writer};
use super::compat::{IdText, LooseId};
use super::deliveries::{AttemptAnswer, DeliveryAnswer};
use super::error::ApiError;
use super::events::EventSummary;
use super::replays::{DryRunAnswer, Instant, ReplayAnswer, shown};
use super::request::{JsonBody, PageQuery, Query};
use super::{SharedApi, words};

/// How many dead letters are exported at the most.
const MOST_EXPORTED: u32 = 10_000;

/// How many are read at a time.
const AT_ONCE: u32 = 50;

/// Which dead letters.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by name from the query; the fields are there for the document"
)]
pub(crate) struct DeadLetterQuery {
    /// Only those to this webhook.
    #[param(value_type = Option<String>)]
    webhook_id: Option<WebhookId>,
    /// Only those whose last attempt failed so: an HTTP status, or why no answer came.
    #[param(schema_with = words::failure)]
    failure: Option<Failure>,
    /// Only this kind.
    #[param(schema_with = words::kept_kind)]
    kind: Option<Kind>,
    /// Made at this time or later: RFC 3339 or unix milliseconds.
    #[param(value_type = Option<String>)]
    since: Option<Timestamp>,
    /// Made before this time.
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
}

impl DeadLetterQuery {
    fn read(query: Query<'_>) -> Result<DeadLetterFilter, ApiError> {
        Ok(DeadLetterFilter {
            webhook_id: query.id("webhook_id")?,
            failure: query.word("failure")?,
            kind: query.kind()?,
            since: query.instant("since")?,
            until: query.instant("until")?,
        })
    }
}

/// Which dead letters: everything in it must hold.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object", deny_unknown_fields)]
pub(crate) struct DeadLetterFilterRequest {
    /// Only those to this webhook.
    webhook_id: Option<LooseId>,
    /// Only those whose last attempt failed so.
    #[schema(schema_with = words::failure_or_null)]
    failure: Option<Failure>,
    /// Only this kind.
    #[schema(schema_with = words::kept_kind_or_null)]
    kind: Option<Kind>,
    /// Made at this time or later: RFC 3339 or unix milliseconds.
    #[schema(value_type = Option<String>)]
    since: Option<Instant>,
    /// Made before this time.
    #[schema(value_type = Option<String>)]
    until: Option<Instant>,
}

impl DeadLetterFilterRequest {
    fn read(self) -> DeadLetterFilter {
        DeadLetterFilter {
            webhook_id: self.webhook_id.map(|id| WebhookId(id.0)),
            failure: self.failure,
            kind: self.kind,
            since: self.since.map(|at| at.0),
            until: self.until.map(|at| at.0),
        }
    }
}

/// Dead letters to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object", deny_unknown_fields)]
pub(crate) struct ResendRequest {
    /// Which; without it all of the company.
    filter: Option<DeadLetterFilterRequest>,
    /// Events a second at the most. Without it, as fast as the receivers take them.
    #[schema(example = 50)]
    rate: Option<f64>,
    /// Only tell how many deliveries it would make.
    dry_run: Option<bool>,
}

/// Dead letters to dismiss.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object", deny_unknown_fields)]
pub(crate) struct DismissRequest {
    /// Which; without it all of the company.
    filter: Option<DeadLetterFilterRequest>,
}

/// What came of dismissing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DismissAnswer {
    /// How many dead letters were dismissed.
    dismissed: u64,
    /// Whether there are more, so that the request is to be sent again.
    more: bool,
}

/// The dead letters of a company, by what they have in common.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetterGroups {
    /// The largest group first.
    items: Vec<DeadLetterGroupAnswer>,
    /// Whether there are groups that are not here: narrow the filter to see them.
    more: bool,
}

/// Dead letters of one webhook that failed alike.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetterGroupAnswer {
    webhook_id: IdText,
    /// Where the webhook posts to; null if it was deleted, so that these cannot be sent again.
    #[schema(required, example = "https://example.com/hooks/dialpad")]
    hook_url: Option<String>,
    /// How their last attempts failed, in a word, to narrow lists by.
    #[schema(schema_with = words::failure)]
    failure: Failure,
    /// The HTTP status that was answered; null if no answer came.
    #[schema(required, example = 503)]
    http_status: Option<u16>,
    /// Why no answer came; null if one did.
    #[schema(required)]
    error: Option<&'static str>,
    /// The same in words, as the end of a sentence about the receiver.
    #[schema(example = "answered 503")]
    text: String,
    /// The first line of what was answered to the newest of them, or why no answer came; null if the key may not see it.
    #[schema(required)]
    last_line: Option<String>,
    /// How many, counted up to 10,000.
    count: u32,
    /// Whether there may be more than were counted.
    more: bool,
    /// When the oldest was made, in unix milliseconds.
    #[schema(value_type = i64)]
    oldest_at: Timestamp,
    /// When the newest was made, in unix milliseconds.
    #[schema(value_type = i64)]
    newest_at: Timestamp,
    /// The newest of them.
    newest_delivery_id: IdText,
}

impl From<Group> for DeadLetterGroupAnswer {
    fn from(group: Group) -> Self {
        let (http_status, reason) = group.failure.parts();
        Self {
            webhook_id: IdText(group.webhook_id.0),
            hook_url: group.hook_url.map(|url| shown_url(&url).into_owned()),
            failure: group.failure,
            http_status,
            error: reason.map(FailureReason::as_str),
            text: group.failure.in_words(),
            last_line: group.last_line,
            count: group.count,
            more: group.is_more,
            oldest_at: group.oldest_at,
            newest_at: group.newest_at,
            newest_delivery_id: IdText(group.newest.0),
        }
    }
}

/// A dead letter with its event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExportedDelivery<'a> {
    #[serde(flatten)]
    delivery: DeliveryAnswer,
    /// How its last attempt went.
    #[schema(required)]
    last_attempt: Option<AttemptAnswer>,
    event: ExportedEvent<'a>,
}

/// An event with its bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExportedEvent<'a> {
    #[serde(flatten)]
    summary: EventSummary,
    /// The event itself; null if it was removed.
    #[schema(value_type = Option<Object>, required)]
    payload: Option<&'a RawValue>,
}

/// Lists dead letters by webhook and by how they failed.
///
/// A dead letter is a delivery that was given up, until its event is sent to the webhook again or somebody dismisses it. Kinds that
/// the key may not see are left out.
#[utoipa::path(
    get, path = "/v1/dead-letters", tag = "deliveries", operation_id = "dead_letters.list",
    params(DeadLetterQuery),
    responses((status = 200, description = "The groups", body = DeadLetterGroups)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<DeadLetterGroups>, ApiError> {
    let filter = DeadLetterQuery::read(Query::of(&uri))?;
    let Groups { groups, are_more } = dead_letters::list(&api.node, caller, filter).await?;
    Ok(Json(DeadLetterGroups {
        items: groups.into_iter().map(Into::into).collect(),
        more: are_more,
    }))
}

/// Sends dead letters again, each to the webhook that it was for, or counts them.
///
/// What does it is a replay: it goes on after a restart, and can be watched and cancelled under `/v1/replays`. It sends nothing that
/// the key may not see. What it sends is no dead letter any more, unless it is given up once more.
#[utoipa::path(
    post, path = "/v1/dead-letters/resend", tag = "deliveries", operation_id = "dead_letters.resend",
    request_body = ResendRequest,
    responses(
        (status = 202, description = "The replay, which is running", body = ReplayAnswer),
        (status = 200, description = "What it would do: nothing was sent", body = DryRunAnswer),
    ),
)]
pub(crate) async fn resend(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(request): JsonBody<ResendRequest>,
) -> Result<Response, ApiError> {
    let filter = request.filter.unwrap_or_default().read();
    if request.dry_run.unwrap_or_default() {
        let tally = dead_letters::count(&api.node, caller, filter).await?;
        return Ok(Json(DryRunAnswer::of(tally)).into_response());
    }
    let replay = dead_letters::resend(&api.node, caller, filter, request.rate).await?;
    let answer = shown(&api, &replay, replay.created_at);
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// Dismisses dead letters: they stay in the history, and need nobody any more. Kinds that the key may not see stay as they are.
#[utoipa::path(
    post, path = "/v1/dead-letters/dismiss", tag = "deliveries", operation_id = "dead_letters.dismiss",
    request_body = DismissRequest,
    responses((status = 200, description = "What was done", body = DismissAnswer)),
)]
pub(crate) async fn dismiss(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(request): JsonBody<DismissRequest>,
) -> Result<Json<DismissAnswer>, ApiError> {
    let filter = request.filter.unwrap_or_default().read();
    let done = dead_letters::dismiss(&api.node, caller, filter).await?;
    Ok(Json(DismissAnswer {
        dismissed: done.count,
        more: done.is_more,
    }))
}

/// Exports dead letters with their events, oldest first: one JSON object a line.
///
/// Up to 10,000 lines come, or up to `limit`; if there are fewer, these are the last. Go on with the id of the last line's delivery as
/// `cursor`. Events are shown as by `GET /v1/events/{event}`: without what the key's scopes hide, and masked if the server masks.
#[utoipa::path(
    get, path = "/v1/dead-letters/export", tag = "deliveries", operation_id = "dead_letters.export",
    params(PageQuery, DeadLetterQuery),
    responses((status = 200, description = "A line for each, as `ExportedDelivery` says", body = String, content_type = "application/x-ndjson")),
)]
pub(crate) async fn export(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    let query = Query::of(&uri);
    let page = PageQuery::read(query)?.ours()?;
    let left = match query.text("limit") {
        Some(_) => page.limit,
        None => MOST_EXPORTED,
    };
    let mut export = Export {
        filter: DeadLetterQuery::read(query)?,
        caller,
        after: page.after,
        left,
        ready: VecDeque::new(),
        is_last: false,
        lease: api.node.leases.hold(caller),
        _place: api.node.shares.place_to_read(caller.company_id).await?,
        api,
    };
    // What cannot be read at all is an error, and no line.
    export.read_on().await?;
    let lines = Body::from_stream(export.lines());
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}

/// An export on its way.
struct Export {
    api: SharedApi,
    caller: Caller,
    filter: DeadLetterFilter,
    after: Option<i64>,
    /// How many more there may be.
    left: u32,
    ready: VecDeque<Delivery>,
    is_last: bool,
    lease: Lease,
    _place: OwnedSemaphorePermit,
}

impl Export {
    fn lines(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        futures_util::stream::try_unfold(self, |mut export| async move {
            let ended = export.lease.token();
            let next = tokio::select! {
                biased;
                () = ended.cancelled() => Err(io::Error::other("the key was revoked or has expired")),
                next = export.next() => next.map_err(|error| io::Error::other(error.message())),
            };
            Ok(next?.map(|line| (line, export)))
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            while let Some(delivery) = self.ready.pop_front() {
                let line = self.line(delivery).await?;
                if line.is_some() {
                    self.left -= 1;
                    return Ok(line);
                }
            }
            if self.is_last || self.left == 0 {
                return Ok(None);
            }
            self.read_on().await?;
        }
    }

    async fn read_on(&mut self) -> Result<(), ApiError> {
        let page = PageRequest {
            after: self.after,
            limit: AT_ONCE.min(self.left),
        };
        let page = dead_letters::page(&self.api.node, self.caller, self.filter, page).await?;
        self.ready.extend(page.items);
        self.after = page.next;
        self.is_last = page.next.is_none();
        Ok(())
    }

    /// A dead letter as a line; `None` if it was removed meanwhile.
    async fn line(&self, delivery: Delivery) -> Result<Option<Bytes>, ApiError> {
        let node = &self.api.node;
        let event = match node.store.event(self.caller.company_id, delivery.event_id).await {
            Err(StoreError::NotFound(_)) => return Ok(None),
            event => event?,
        };
        let attempts = node.store.attempts_of(delivery.id).await?;
        let standing = deliveries::standing(node, &delivery).await?;
        let sight = Sight::of(self.caller, node);
        let bytes = event.body.len();
        let write = move || {
            let body = sight.text(event.kind, &event.body);
            let body = on_one_line(&body);
            let is_there = event.payload_removed.is_none();
            let read = || serde_json::from_str(&body).expect("only JSON is accepted, and it stays JSON");
            let payload = is_there.then(read);
            let last = attempts.into_iter().next_back();
            let exported = ExportedDelivery {
                last_attempt: last.map(|attempt| AttemptAnswer::of(attempt, &delivery, sight)),
                delivery: DeliveryAnswer::of(delivery, standing, sight.mask),
                event: ExportedEvent {
                    payload,
                    summary: EventSummary::of(EventHead::from(event), sight.mask),
                },
            };
            let mut line = serde_json::to_vec(&exported).expect("an answer is plain text");
            line.push(b'\n');
            Bytes::from(line)
        };
        Ok(Some(blocking::run(bytes, write).await))
    }
}

/// JSON without its line breaks: they stand between tokens only.
fn on_one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) {
        Cow::Owned(json.replace(['\n', '\r'], " "))
    } else {
        Cow::Borrowed(json)
    }
}
