//! The first page: how much comes and goes, how fast, and what needs somebody.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use switchhook_store::{EventFilter, PageRequest};

use super::SharedDesk;
use super::attention::Attention;
use super::chart::{Line, Scale, chart, rate};
use super::events::EventRow;
use super::page::{Frame, Trouble, show as show_page};
use super::part::{millis, span};
use super::session::Visitor;
use switchhook_node::live::history::{SLOT_SECONDS, Sample};

/// How many events are shown.
const LATEST: u32 = 8;

/// How many slots the figures of "now" look back: half a minute.
const NOW_SLOTS: u32 = 6;

/// How many slots the success rate looks back: all but the one being filled.
const ALL_SLOTS: u32 = 179;

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
    oldest_due: String,
    oldest_tone: &'static str,
    rate_chart: String,
    latency_chart: String,
    attention: Arc<Attention>,
    events: Vec<EventRow>,
    nodes: u32,
}

/// Shows the overview.
pub(super) async fn show(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    let company_id = visitor.caller.company_id;
    let node = &desk.node;
    let now = node.clock.now();
    let live = &node.live;
    let recent = live.total(company_id, now, NOW_SLOTS);
    let whole = live.total(company_id, now, ALL_SLOTS);
    let samples = live.history(company_id, now);
    let attention = desk.attentions.of(node, company_id).await?;
    let latest = PageRequest::first(LATEST);
    let events = node
        .store
        .list_events(company_id, EventFilter::default(), latest)
        .await?;
    let rows = EventRow::all(events.items, visitor.sight(&desk)).await;
    let events = EventRow::with_deliveries(&desk, company_id, rows).await?;
    let oldest = attention.oldest_due.map(|at| now.since(at));
    let (success, success_tone) = success(&whole);
    let a_second = |count: u32| rate(f64::from(count) / f64::from(NOW_SLOTS * SLOT_SECONDS));
    let or_dash = |time: Option<f64>| time.map_or_else(|| "–".to_owned(), millis);
    Ok(show_page(&Overview {
        frame: Frame::new(&desk, &visitor, "overview", "Overview"),
        accepted: a_second(recent.accepted),
        delivered: a_second(recent.delivered),
        success,
        success_tone,
        latency: or_dash(whole.p50_ms),
        latency_p95: or_dash(whole.p95_ms),
        latency_p99: or_dash(whole.p99_ms),
        oldest_due: oldest.map_or_else(|| "none".to_owned(), span),
        oldest_tone: match oldest {
            Some(age) if age.as_secs() > 60 => "bad",
            _ => "good",
        },
        rate_chart: rate_chart(&samples),
        latency_chart: latency_chart(&samples),
        attention,
        events,
        nodes: node.store.nodes(),
    }))
}

fn success(whole: &Sample) -> (String, &'static str) {
    let total = f64::from(whole.delivered) + f64::from(whole.failed);
    if total == 0.0 {
        return ("–".to_owned(), "off");
    }
    let share = f64::from(whole.delivered) / total;
    // What failed must not be rounded away.
    let percent = (share * 1_000.0).floor() / 10.0;
    let tone = if share >= 0.99 {
        "good"
    } else if share >= 0.9 {
        "wait"
    } else {
        "bad"
    };
    (format!("{percent} %"), tone)
}

fn rate_chart(samples: &[Sample]) -> String {
    // The last slot is still being filled: its rate would look like a fall.
    let samples = &samples[..samples.len() - 1];
    let rates = |count: fn(&Sample) -> u32| -> Vec<Option<f64>> {
        let seconds = f64::from(SLOT_SECONDS);
        samples
            .iter()
            .map(|sample| Some(f64::from(count(sample)) / seconds))
            .collect()
    };
    let (accepted, delivered) = (rates(|sample| sample.accepted), rates(|sample| sample.delivered));
    let failed = rates(|sample| sample.failed);
    let lines = [
        Line {
            class: "a",
            name: "accepted",
            values: &accepted,
        },
        Line {
            class: "b",
            name: "delivered",
            values: &delivered,
        },
        Line {
            class: "c",
            name: "failed",
            values: &failed,
        },
    ];
    chart(
        "Events accepted, deliveries made and attempts failed a second",
        &lines,
        Scale::Linear,
        rate,
    )
}

fn latency_chart(samples: &[Sample]) -> String {
    let times = |time: fn(&Sample) -> Option<f64>| -> Vec<Option<f64>> { samples.iter().map(time).collect() };
    let (p50, p95, p99) = (
        times(|sample| sample.p50_ms),
        times(|sample| sample.p95_ms),
        times(|sample| sample.p99_ms),
    );
    let lines = [
        Line {
            class: "c",
            name: "99 %",
            values: &p99,
        },
        Line {
            class: "b",
            name: "95 %",
            values: &p95,
        },
        Line {
            class: "a",
            name: "median",
            values: &p50,
        },
    ];
    chart(
        "Time from acceptance to delivery",
        &lines,
        Scale::Logarithmic,
        millis,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_never_rounded_away() {
        let sample = Sample {
            delivered: 99_999,
            failed: 1,
            ..Sample::default()
        };
        assert_eq!(success(&sample).0, "99.9 %");
        assert_eq!(success(&Sample::default()).0, "–");
    }
}
