//! The first page: how much comes and goes, how fast, and what needs somebody.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use switchhook_store::{EventFilter, PageRequest};

use super::SharedState;
use super::attention::Attention;
use super::chart::rate;
use super::event_row::EventRow;
use super::history::Charts;
use super::page::{Frame, PageError, show as show_page};
use super::session::Viewer;
use super::widgets::{millis, span};
use switchhook_domain::history::Counts;
use switchhook_node::events;
use switchhook_node::history::percent;
use switchhook_node::live::recent::SLOT_SECONDS;

/// Number of events on the page.
const LATEST: u32 = 8;

/// Number of slots (half a minute) over which the current rates are averaged.
const NOW_SLOTS: u32 = 6;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    accepted: String,
    delivered: String,
    success: String,
    success_tone: &'static str,
    latency: String,
    latency_p95: String,
    latency_p99: String,
    oldest: String,
    oldest_tone: &'static str,
    charts: Charts,
    attention: Arc<Attention>,
    events: Vec<EventRow>,
    nodes: u32,
}

pub(super) async fn show(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    let company_id = viewer.caller.company_id;
    let node = &dashboard.node;
    let now = node.clock.now();
    let live = &node.live;
    let recent = live.total(company_id, now, NOW_SLOTS);
    let charts = Charts::of(&dashboard, &viewer, None).await?;
    let attention = dashboard.attentions.of(node, viewer.caller).await?;
    let latest = PageRequest::first(LATEST);
    let events = events::read(node, viewer.caller, EventFilter::default(), latest).await?;
    let rows = EventRow::all(events.items, viewer.visibility(&dashboard)).await;
    let events = EventRow::with_deliveries(&dashboard, viewer.caller, rows).await?;
    let oldest = attention.oldest.map(|at| now.since(at));
    let (success, success_tone) = success(&charts.total);
    let a_second = |count: u32| rate(f64::from(count) / f64::from(NOW_SLOTS * SLOT_SECONDS));
    let latency = |share| {
        let time = charts.total.latencies.percentile(share);
        time.map_or_else(|| "–".to_owned(), millis)
    };
    Ok(show_page(&Overview {
        frame: viewer.frame(&dashboard, "overview", "Overview"),
        accepted: a_second(recent.accepted),
        delivered: a_second(recent.delivered),
        success,
        success_tone,
        latency: latency(0.5),
        latency_p95: latency(0.95),
        latency_p99: latency(0.99),
        oldest: oldest.map_or_else(|| "none".to_owned(), span),
        oldest_tone: match oldest {
            Some(age) if age.as_secs() > 60 || attention.is_wrong => "bad",
            _ => "good",
        },
        charts,
        attention,
        events,
        nodes: node.live_nodes(),
    }))
}

fn success(whole: &Counts) -> (String, &'static str) {
    let Some(share) = whole.success() else {
        return ("–".to_owned(), "off");
    };
    let tone = if share >= 0.99 {
        "good"
    } else if share >= 0.9 {
        "wait"
    } else {
        "bad"
    };
    (percent(share), tone)
}
