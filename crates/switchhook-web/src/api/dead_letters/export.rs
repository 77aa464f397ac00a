//! `GET /v1/dead-letters/export`: dead letters with their events, a line for each.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::Stream;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::value::RawValue;
use switchhook_domain::delivery::Delivery;
use switchhook_node::events;
use switchhook_node::lease::Lease;
use switchhook_node::refusal::Refusal;
use switchhook_node::visibility::Visibility;
use switchhook_node::{Node, blocking, dead_letters, deliveries};
use switchhook_store::{DeadLetterFilter, EventHead, PageRequest, StoreError};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

use super::DeadLetterQuery;
use crate::api::SharedApi;
use crate::api::auth::{Caller, Reader};
use crate::api::deliveries::{AttemptAnswer, DeliveryAnswer};
use crate::api::events::answer::EventSummary;
use crate::api::query::{PageQuery, Query};
use switchhook_ingress::error::ApiError;

/// Bound on the dead letters of an export.
pub const MOST_EXPORTED: u32 = 10_000;

/// Page size of a read.
const AT_ONCE: u32 = 50;

/// A dead letter with its event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExportedDelivery<'a> {
    #[serde(flatten)]
    delivery: DeliveryAnswer,
    /// Last attempt.
    #[schema(required)]
    last_attempt: Option<AttemptAnswer>,
    event: ExportedEvent<'a>,
}

/// An event with its bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExportedEvent<'a> {
    #[serde(flatten)]
    head: EventSummary,
    /// The event itself; null if it was removed.
    #[schema(value_type = Option<serde_json::Value>, required)]
    payload: Option<&'a RawValue>,
}

/// Exports dead letters with their events, oldest first: one JSON object a line.
///
/// Up to {most-exported} lines come, or up to `limit`; if there are fewer, these are the last. Go on with the id of the last line's delivery as
/// `cursor`. Events are shown as by `GET /v1/events/{event}`: without what the key's scopes hide, and masked if the server masks.
#[utoipa::path(
    get, path = "/v1/dead-letters/export", tag = "deliveries", operation_id = "dead_letters.export",
    params(PageQuery, DeadLetterQuery),
    responses((status = 200, description = "A line for each dead letter, in the form of `ExportedDelivery`.", body = String, content_type = "application/x-ndjson")),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(page): Query<PageQuery>,
    Query(query): Query<DeadLetterQuery>,
) -> Result<Response, ApiError> {
    let asked = page.ours()?;
    let limit = if page.has_limit() {
        asked.limit
    } else {
        MOST_EXPORTED
    };
    let page = PageRequest { limit, ..asked };
    export(&api.node, caller, query.into(), page).await
}

/// Answers with as many lines as the page has, or fewer if there are no more.
pub async fn export(
    node: &Arc<Node>,
    caller: Caller,
    filter: DeadLetterFilter,
    page: PageRequest,
) -> Result<Response, ApiError> {
    let mut export = Export {
        filter,
        caller,
        after: page.after,
        left: page.limit,
        ready: VecDeque::new(),
        is_last: false,
        lease: node.leases.hold(caller),
        _place: node.shares.place_to_read(caller.company_id).await?,
        node: Arc::clone(node),
    };
    // An error before the first line is answered as one.
    export.read_on().await?;
    let lines = Body::from_stream(export.lines());
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}

/// An export on its way.
struct Export {
    node: Arc<Node>,
    caller: Caller,
    filter: DeadLetterFilter,
    after: Option<i64>,
    /// Number that the bound leaves.
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
        let page = dead_letters::page(&self.node, self.caller, self.filter, page).await?;
        self.ready.extend(page.items);
        self.after = page.next;
        self.is_last = page.next.is_none();
        Ok(())
    }

    /// A dead letter as a line; `None` if it was removed meanwhile.
    async fn line(&self, delivery: Delivery) -> Result<Option<Bytes>, ApiError> {
        let node = &self.node;
        let event = match events::get(node, self.caller, delivery.event_id).await {
            Err(Refusal::Store(StoreError::NotFound(_))) => return Ok(None),
            event => event?,
        };
        let attempts = deliveries::attempts_of(node, &delivery).await?;
        let status = deliveries::status(node, &delivery).await?;
        let visibility = Visibility::of(self.caller, node);
        let bytes = event.body.len();
        let write = move || {
            let body = visibility.text(event.kind, &event.body);
            let body = on_one_line(&body);
            let is_there = event.payload_removed.is_none();
            let read = || serde_json::from_str(&body).expect("only JSON is accepted, and it stays JSON");
            let payload = is_there.then(read);
            let summary = events::summary(event.clone(), visibility);
            let last = attempts.into_iter().next_back();
            let exported = ExportedDelivery {
                last_attempt: last.map(|attempt| AttemptAnswer::of(attempt, &delivery, visibility)),
                delivery: DeliveryAnswer::of(delivery, status, visibility.mask),
                event: ExportedEvent {
                    payload,
                    head: EventSummary::of(EventHead::from(event), summary.as_ref(), visibility.mask),
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
