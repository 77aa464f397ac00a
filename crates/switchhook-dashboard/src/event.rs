//! One event: what came, the call that it belongs to, where it went and why, or why not.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use switchhook_domain::Kind;
use switchhook_domain::id::{DeliveryId, EventId, SubscriptionId, WebhookId};
use switchhook_domain::matching::Verdict;
use switchhook_store::{EventRecord, PageRequest};

use super::SharedState;
use super::call_timeline::{CallTimeline, around};
use super::deliveries::rows;
use super::json_text::pretty;
use super::page::{Frame, PageError, id_of, show as show_page};
use super::session::Viewer;
use super::widgets::{DeliveryRow, Moment, Sentence};
use switchhook_node::events::{self, Explained, Explanation};
use switchhook_node::json_text::raw_head;
use switchhook_node::mask::Mask;
use switchhook_node::summary::Summary;
use switchhook_node::{blocking, deliveries};

/// Bound on the deliveries, and on the subscriptions, shown.
const MOST_ROWS: u32 = 200;

/// The longest event that is offered as a command, in bytes.
const LONGEST_ARGUMENT: usize = 100_000;

/// Verdict of one subscription on the event.
#[derive(Debug)]
struct SubscriptionVerdict {
    subscription_id: SubscriptionId,
    kind: &'static str,
    webhook_id: Option<WebhookId>,
    was_sent: bool,
    explanation: Sentence,
    changed: bool,
    delivery_id: Option<DeliveryId>,
}

impl SubscriptionVerdict {
    fn of(explained: Explained) -> Self {
        let subscription = explained.subscription;
        Self {
            subscription_id: subscription.id,
            kind: subscription.filter.kind().route(),
            webhook_id: subscription.webhook_id(),
            was_sent: explained.verdict == Verdict::Matches,
            explanation: Sentence(explained.explanation),
            changed: explained.changed_at.is_some(),
            delivery_id: explained.delivery.map(|(delivery, _)| delivery.id),
        }
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
    /// The command that sends the same event in again.
    curl: Option<String>,
    bytes: usize,
    is_payload_gone: bool,
    timeline: Option<CallTimeline>,
    deliveries: Vec<DeliveryRow>,
    sent: Vec<SubscriptionVerdict>,
    passed_over: Vec<SubscriptionVerdict>,
    advice: Option<String>,
    has_more: bool,
}

pub(super) async fn show(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let id: EventId = id_of(&id)?;
    let company_id = viewer.caller.company_id;
    let node = &dashboard.node;
    let mask = node.settings.mask;
    let event = events::get(node, viewer.caller, id).await?;
    let bytes = event.body.len();
    let event = viewer
        .visibility(&dashboard)
        .event(event)
        .expect("its kind may be seen");
    let first = PageRequest::first(MOST_ROWS);
    let deliveries = deliveries::of_event(node, viewer.caller, id, first).await?;
    let explained = events::explain(node, viewer.caller, id, None, first).await?;
    let timeline = around(node, viewer.caller, &event, mask).await?;
    let rows = rows(&dashboard, company_id, &deliveries).await?;
    let frame = viewer.frame(&dashboard, "events", event.kind.title());
    let page = move || page(frame, event, explained, timeline, rows, mask);
    Ok(blocking::run(bytes, page).await)
}

/// The command that sends an event of this kind and body in, at the server that shows it.
fn curl(kind: Kind, body: &str) -> String {
    let body = body.replace('\'', r"'\''");
    format!(
        "curl -X POST \"$SWITCHHOOK_URL/v1/events/{}\" \\\n  -H \"Authorization: Bearer $SWITCHHOOK_API_KEY\" \\\n  \
         -H 'Content-Type: application/json' \\\n  --data-binary '{body}'",
        kind.route()
    )
}

fn page(
    mut frame: Frame,
    event: EventRecord,
    explained: Explanation,
    timeline: Option<CallTimeline>,
    deliveries: Vec<DeliveryRow>,
    mask: Mask,
) -> Response {
    let summary = Summary::of(event.kind, &event.body, mask);
    frame.title = format!("{} {}", frame.title, summary.what);
    let body = String::from_utf8_lossy(&event.body);
    let verdicts = explained.items.into_iter().map(SubscriptionVerdict::of);
    let (sent, passed_over) = verdicts.partition(|one| one.was_sent);
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
        // Part of an event, or what is masked, is not to be sent, nor can one of no kind be; and no shell takes a long argument.
        curl: (event.kind != Kind::Unknown && mask.is_nothing() && body.len() <= LONGEST_ARGUMENT)
            .then(|| curl(event.kind, &body)),
        raw: raw_head(&body, mask),
        bytes: event.body.len(),
        is_payload_gone: event.payload_removed.is_some(),
        timeline,
        deliveries,
        sent,
        passed_over,
        advice: explained.advice,
        has_more: explained.next.is_some(),
    })
}
