//! One event: what came, the call that it belongs to, where it went and why, or why not.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::Method;
use serde::Deserialize;
use serde_json::Value;
use switchhook_domain::id::EventId;
use switchhook_store::{DeliveryFilter, EventRecord, PageRequest};

use super::SharedDesk;
use super::deliveries::rows;
use super::json_text::pretty;
use super::ladder::{Ladder, around};
use super::page::{Frame, Trouble, show as show_page};
use super::part::{DeliveryRow, Moment, Sentence};
use super::session::Visitor;
use crate::blocking;
use switchhook_node::json_text::raw_head;
use switchhook_node::mask::Mask;
use switchhook_node::summary::Summary;

/// How many deliveries and subscriptions are shown.
const MOST_ROWS: u32 = 200;

/// What the API says of an event at each subscription.
#[derive(Debug, Default, Deserialize)]
struct Explanation {
    advice: Option<String>,
    items: Vec<Explained>,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Explained {
    subscription_id: String,
    kind: String,
    webhook_id: Option<String>,
    verdict: String,
    explanation: Sentence,
    changed_at: Option<i64>,
    delivery: Option<Sent>,
}

#[derive(Debug, Deserialize)]
struct Sent {
    id: String,
}

impl Explained {
    fn was_sent(&self) -> bool {
        self.verdict == "sent"
    }
}

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage {
    frame: Frame,
    id: String,
    kind_name: &'static str,
    what: String,
    detail: String,
    at: Moment,
    order_key: Option<String>,
    idempotency_key: Option<String>,
    warnings: Vec<String>,
    pretty: String,
    raw: String,
    bytes: usize,
    is_payload_gone: bool,
    ladder: Option<Ladder>,
    deliveries: Vec<DeliveryRow>,
    sent: Vec<Explained>,
    passed_over: Vec<Explained>,
    advice: Option<String>,
    has_more: bool,
}

/// Shows an event.
pub(super) async fn show(
    State(desk): State<SharedDesk>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id: EventId = id
        .parse()
        .map_err(|_| Trouble::not_found("Ids are whole numbers."))?;
    let company_id = visitor.caller.company_id;
    let node = &desk.node;
    let mask = node.settings.dashboard.mask;
    let event = node.store.event(company_id, id).await?;
    visitor.must_see(event.kind)?;
    let bytes = event.body.len();
    let event = visitor.sight(&desk).event(event).expect("its kind may be seen");
    let filter = DeliveryFilter {
        event_id: Some(id),
        ..DeliveryFilter::default()
    };
    let deliveries = node
        .store
        .list_deliveries(company_id, filter, PageRequest::first(MOST_ROWS))
        .await?;
    let path = format!("/v1/events/{id}/explain?limit={MOST_ROWS}");
    let explained = desk
        .inside
        .ask(visitor.caller, Method::GET, &path, Value::Null)
        .await?;
    let explained: Explanation = serde_json::from_value(explained).unwrap_or_default();
    let ladder = around(node, company_id, &event, mask).await?;
    let rows = rows(&desk, company_id, &deliveries.items).await?;
    let frame = Frame::new(&desk, &visitor, "events", event.kind.title());
    let page = move || page(frame, event, explained, ladder, rows, mask);
    Ok(blocking::run(bytes, page).await)
}

fn page(
    mut frame: Frame,
    event: EventRecord,
    explained: Explanation,
    ladder: Option<Ladder>,
    deliveries: Vec<DeliveryRow>,
    mask: Mask,
) -> Response {
    let summary = Summary::of(event.kind, &event.body, mask);
    frame.title = format!("{} {}", frame.title, summary.what);
    let body = String::from_utf8_lossy(&event.body);
    let (sent, passed_over) = explained.items.into_iter().partition(Explained::was_sent);
    show_page(&EventPage {
        frame,
        id: event.id.to_string(),
        kind_name: event.kind.title(),
        what: summary.what,
        detail: summary.detail,
        at: Moment(event.accepted_at),
        order_key: event.order_key.map(|key| mask.id(key.as_str()).into_owned()),
        idempotency_key: event.idempotency_key.map(|key| mask.loose(&key).into_owned()),
        warnings: mask.all_loose(event.warnings),
        pretty: pretty(&body, mask),
        raw: raw_head(&body, mask),
        bytes: event.body.len(),
        is_payload_gone: event.payload_removed.is_some(),
        ladder,
        deliveries,
        sent,
        passed_over,
        advice: explained.advice,
        has_more: explained.cursor.is_some(),
    })
}
