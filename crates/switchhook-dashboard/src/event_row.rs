//! A row about an event, with a glance at its deliveries.

use std::collections::HashMap;

use switchhook_domain::id::{CompanyId, EventId};
use switchhook_store::{DeliveryFilter, EventRecord, PageRequest, StoreError};

use super::DashboardState;
use super::widgets::{Moment, result, span, tone};
use switchhook_node::blocking;
use switchhook_node::mask::Mask;
use switchhook_node::summary::Summary;
use switchhook_node::visibility::Visibility;

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
        company_id: CompanyId,
        mut rows: Vec<Self>,
    ) -> Result<Vec<Self>, StoreError> {
        let mut all = Vec::with_capacity(rows.len());
        for row in &rows {
            let filter = DeliveryFilter {
                event_id: Some(row.id),
                ..DeliveryFilter::default()
            };
            let page = PageRequest::first(MOST_GLANCES);
            let store = &dashboard.node.store;
            all.push(store.list_deliveries(company_id, filter, page).await?.items);
        }
        let ids = all.iter().flatten().map(|delivery| delivery.id).collect();
        let last = dashboard.node.store.last_attempts(ids).await?;
        let last: HashMap<_, _> = last.iter().map(|last| (last.delivery_id, last)).collect();
        for (row, deliveries) in rows.iter_mut().zip(all) {
            let glances = deliveries.iter().map(|delivery| {
                let last = last.get(&delivery.id).copied();
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
