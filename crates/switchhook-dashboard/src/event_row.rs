//! A row about an event, with a glance at its deliveries.

use switchhook_domain::id::EventId;
use switchhook_store::{EventRecord, PageRequest};

use super::DashboardState;
use super::widgets::{Moment, result, span, tone};
use switchhook_node::caller::Caller;
use switchhook_node::mask::Mask;
use switchhook_node::refusal::Refusal;
use switchhook_node::summary::Summary;
use switchhook_node::visibility::Visibility;
use switchhook_node::{blocking, deliveries};

/// Bound on the deliveries hinted at in the row of an event.
const MOST_GLANCES: u32 = 4;

/// A row about an event.
#[derive(Debug, Clone)]
pub(super) struct EventRow {
    pub(super) id: EventId,
    pub(super) kind_name: &'static str,
    pub(super) what: String,
    pub(super) detail: String,
    pub(super) at: Moment,
    pub(super) deliveries: Vec<Glance>,
    pub(super) has_warnings: bool,
}

/// A delivery at a glance.
#[derive(Debug, Clone)]
pub(super) struct Glance {
    pub(super) id: String,
    pub(super) tone: &'static str,
    pub(super) state: &'static str,
    /// Outcome and duration of its last attempt.
    pub(super) result: Option<String>,
    pub(super) took: Option<String>,
}

impl EventRow {
    /// A row about an event, without its deliveries.
    pub(super) fn of(event: &EventRecord, mask: Mask) -> Self {
        let summary = Summary::of(event.kind, &event.body, mask);
        Self {
            id: event.id,
            kind_name: event.kind.title(),
            what: summary.what,
            detail: summary.detail,
            at: Moment(event.accepted_at),
            deliveries: Vec::new(),
            has_warnings: !event.warnings.is_empty(),
        }
    }

    /// Rows about the events that can be seen, without their deliveries.
    pub(super) async fn all(events: Vec<EventRecord>, visibility: Visibility) -> Vec<Self> {
        let bytes = bytes_of(&events);
        let sum_up = move || {
            let seen = events.into_iter().filter_map(|event| visibility.event(event));
            seen.map(|event| Self::of(&event, visibility.mask)).collect()
        };
        blocking::run(bytes, sum_up).await
    }

    /// The same rows, each with a glance at its deliveries.
    pub(super) async fn with_deliveries(
        dashboard: &DashboardState,
        caller: Caller,
        mut rows: Vec<Self>,
    ) -> Result<Vec<Self>, Refusal> {
        let mut all = Vec::with_capacity(rows.len());
        let first = PageRequest::first(MOST_GLANCES);
        for row in &rows {
            all.push(deliveries::of_event(&dashboard.node, caller, row.id, first).await?);
        }
        let last = deliveries::last_attempts(&dashboard.node, all.iter().flatten()).await?;
        for (row, deliveries) in rows.iter_mut().zip(all) {
            let glances = deliveries.iter().map(|delivery| {
                let last = last.get(&delivery.id);
                Glance {
                    id: delivery.id.to_string(),
                    tone: tone(delivery),
                    state: delivery.state.name().as_str(),
                    result: last.map(|last| result(last, delivery)),
                    took: last.map(|last| span(last.took)),
                }
            });
            row.deliveries = glances.collect();
        }
        Ok(rows)
    }
}

/// Total size, to decide whether parsing them goes off the async threads.
pub(super) fn bytes_of(events: &[EventRecord]) -> usize {
    events.iter().map(|event| event.body.len()).sum()
}
