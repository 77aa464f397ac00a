//! `/v1/events`: sending events in, listing and reading them.

pub(super) mod answer;

use std::borrow::Cow;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use switchhook_domain::id::EventId;
use switchhook_domain::order::OrderKey;
use switchhook_domain::{Kind, Timestamp};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;
use switchhook_ingress::words;
use switchhook_node::visibility::Visibility;
use switchhook_node::{blocking, deliveries, events};
use switchhook_store::{EventFilter, EventHead, PageRequest};

use self::answer::{EventAnswer, EventSummary, SendAnswer};
use super::SharedApi;
use super::auth::{Ingester, Reader};
use super::compat::Items;
use super::deliveries::listed;
use super::query::{PageQuery, Query, query};
use super::request::PathId;

/// Bound on the deliveries shown with an event. The list of deliveries has them all.
pub(super) const MOST_DELIVERIES: u32 = 200;

/// Accepts an event, or many.
///
/// Every line is an event if the content type is `application/x-ndjson`: good lines are kept, bad ones are named. The body is one
/// event with any other content type. The response is sent once the accepted events are stored. The bytes of an event are sent on as
/// they are. An `Idempotency-Key` counts for {idempotency-key-lasts}; each line's own is `KEY:LINE`. Sent as `auto`, each event's shape
/// tells its kind.
#[utoipa::path(
    post, path = "/v1/events/{event}", tag = "events", operation_id = "events.send",
    params(
        ("event" = String, Path, description = "Kind of the events, such as `call`; or `auto`, by which each event's kind is found in its body."),
        ("Idempotency-Key" = Option<String>, Header, description = "Key that identifies a repeated request."),
    ),
    request_body(
        description = "An event of that kind, at most {largest-event}; or one a line.",
        content((Object = "application/json"), (String = "application/x-ndjson")),
    ),
    responses(
        (status = 202, description = "The accepted event; for lines, the counts of accepted and rejected ones.", body = SendAnswer<'_>),
    ),
)]
pub(crate) async fn send(
    State(api): State<SharedApi>,
    Ingester(caller): Ingester,
    request: Request,
) -> Result<Response, ApiError> {
    switchhook_ingress::events::send(&api.node, caller, request).await
}

query! {
    /// Filter for a list of events.
    EventQuery {
        /// Kind to narrow to.
        #[param(schema_with = words::kept_kind)]
        kind: Kind,
        /// Order key to narrow to: one call, message, agent or contact.
        #[param(example = "call:4513924407164928")]
        order_key: String,
        /// Start of the period in which they were accepted: RFC 3339 or unix milliseconds.
        #[param(value_type = Option<String>)]
        since: Timestamp,
        /// End of that period.
        #[param(value_type = Option<String>)]
        until: Timestamp,
    }
}

/// Lists the company's events, newest first.
///
/// Kinds that the key may not see are left out, and a page that skips many events outside the filter may have fewer items
/// than `limit`, even none: it is the last one only if it has no `cursor`.
#[utoipa::path(
    get, path = "/v1/events", tag = "events", operation_id = "events.list",
    params(PageQuery, EventQuery),
    responses((status = 200, description = "A page of events.", body = Items<EventSummary>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(page): Query<PageQuery>,
    Query(query): Query<EventQuery>,
) -> Result<Json<Items<EventSummary>>, ApiError> {
    let page = page.ours()?;
    let filter = EventFilter {
        kind: query.kind,
        order_key: query.order_key.map(OrderKey::new),
        since: query.since,
        until: query.until,
    };
    let page = events::list(&api.node, caller, filter, page).await?;
    let ids = page.items.iter().map(|event| event.id).collect();
    let summaries = events::summaries(&api.node, caller, ids).await?;
    let mask = api.node.settings.mask;
    let shown = page.items.into_iter().map(|event| {
        let summary = summaries.get(&event.id);
        EventSummary::of(event, summary, mask)
    });
    Ok(Json(Items {
        items: shown.collect(),
        cursor: page.next.map(IdText),
    }))
}

/// Shows an event as it came, with its deliveries; without what the key's scopes hide, and masked if the server masks.
#[utoipa::path(
    get, path = "/v1/events/{event}", tag = "events", operation_id = "events.get",
    params(("event" = IdText, Path, description = "The event's id.")),
    responses((status = 200, description = "The event.", body = EventAnswer<'_>)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<EventId>,
) -> Result<Response, ApiError> {
    let event = events::get(&api.node, caller, id).await?;
    let bytes = event.body.len();
    let first = PageRequest::first(MOST_DELIVERIES);
    let deliveries = deliveries::of_event(&api.node, caller, id, first).await?;
    let visibility = Visibility::of(caller, &api.node);
    let sum_up = {
        let event = event.clone();
        move || events::summary(event, visibility)
    };
    let summary = blocking::run(bytes, sum_up).await;
    let summaries = summary.into_iter().map(|summary| (id, summary)).collect();
    let deliveries = listed(&api, deliveries, &summaries).await?;
    let answer = move || {
        let body = visibility.text(event.kind, &event.body);
        let is_there = event.payload_removed.is_none();
        let read = || serde_json::from_str(&body).expect("only JSON is accepted, and it stays JSON");
        let payload = is_there.then(read).map(Cow::Borrowed);
        Json(EventAnswer {
            payload,
            deliveries,
            head: EventSummary::of(EventHead::from(event), summaries.get(&id), visibility.mask),
        })
        .into_response()
    };
    Ok(blocking::run(bytes, answer).await)
}
