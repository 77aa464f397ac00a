//! The list of deliveries, and what it can be narrowed to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use switchhook_domain::attempt::{Failure, FailureReason, OutcomeClass};
use switchhook_domain::delivery::{Delivery, StateName};
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_store::{DeliveryFilter, PageRequest, StoreError};

use super::events::{instant, joined, kind, next_page, word};
use super::page::{Frame, PageError, show};
use super::session::Viewer;
use super::widgets::{self, Choice, DeliveryRow, many};
use super::{DashboardState, SharedState};
use switchhook_node::deliveries::{DeliverySearch, LONGEST_TEXT, last_attempts, search, statuses};
use switchhook_node::events::summaries;
use switchhook_node::webhooks::{self, hook_url};

/// Bound on the options of the webhook filter.
const MOST_WEBHOOKS: u32 = 500;

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage {
    frame: Frame,
    webhooks: Vec<Choice>,
    states: Vec<Choice>,
    kinds: Vec<Choice>,
    outcomes: Vec<Choice>,
    failure: String,
    failures: [&'static str; 11],
    error: String,
    since: String,
    until: String,
    is_narrowed: bool,
    rows: Vec<DeliveryRow>,
    looked: Option<String>,
    next: Option<String>,
    is_live: bool,
}

pub(super) async fn list(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    let query = |name: &str| viewer.query(name);
    let mut errors = Vec::new();
    let filter = DeliveryFilter {
        webhook_id: word("webhook", query("webhook"), &mut errors),
        state: word::<StateName>("state", query("state"), &mut errors),
        failure: word::<Failure>("failure", query("failure"), &mut errors),
        kind: kind(query("kind"), &mut errors),
        since: instant("from", query("since"), &mut errors),
        until: instant("until", query("until"), &mut errors),
        ..DeliveryFilter::default()
    };
    let text = query("error");
    if text
        .as_ref()
        .is_some_and(|text| text.chars().count() > LONGEST_TEXT)
    {
        errors.push(format!("error: look for at most {LONGEST_TEXT} characters"));
    }
    let outcome = query("outcome");
    let class = OutcomeClass::ALL
        .into_iter()
        .find(|class| Some(class.as_str()) == outcome.as_deref());
    let page = viewer.page();
    let sought = DeliverySearch {
        filter,
        class,
        text: text.filter(|text| text.chars().count() <= LONGEST_TEXT),
    };
    let found = search(&dashboard.node, viewer.caller, &sought, page).await?;
    let first = PageRequest::first(MOST_WEBHOOKS);
    let webhooks = webhooks::list(&dashboard.node, viewer.caller, first).await?;
    let names = [
        "webhook", "state", "kind", "outcome", "failure", "error", "since", "until",
    ];
    let states = StateName::ALL.iter().map(|state| state.as_str());
    let classes = OutcomeClass::ALL.iter().map(|class| class.as_str());
    Ok(show(&DeliveriesPage {
        frame: viewer
            .frame(&dashboard, "deliveries", "Deliveries")
            .with_error(joined(&errors)),
        webhooks: widgets::webhooks(&webhooks.items, query("webhook").as_deref()),
        states: states
            .map(|state| Choice::new(state, state, query("state").as_deref()))
            .collect(),
        kinds: widgets::kinds(query("kind").as_deref()),
        outcomes: classes
            .map(|class| Choice::new(class, class, outcome.as_deref()))
            .collect(),
        since: query("since").unwrap_or_default(),
        until: query("until").unwrap_or_default(),
        is_narrowed: names.iter().any(|name| query(name).is_some()),
        rows: rows_about_events(&dashboard, &viewer, &found.deliveries).await?,
        looked: (sought.is_search() || found.is_cut_short).then(|| many(found.looked_at, "delivery")),
        next: found
            .next
            .map(|cursor| next_page("/dashboard/deliveries", &viewer, &names, cursor)),
        failure: query("failure").unwrap_or_default(),
        failures: FailureReason::ALL.map(FailureReason::as_str),
        error: query("error").unwrap_or_default(),
        is_live: page.after.is_none() && !sought.reads_attempts(),
    }))
}

/// Rows about deliveries, with where they go.
pub(super) async fn rows(
    dashboard: &DashboardState,
    company_id: CompanyId,
    deliveries: &[Delivery],
) -> Result<Vec<DeliveryRow>, StoreError> {
    let mut urls: HashMap<WebhookId, Option<String>> = HashMap::new();
    let mut rows = Vec::with_capacity(deliveries.len());
    let statuses = statuses(&dashboard.node, deliveries).await?;
    let last = last_attempts(&dashboard.node, deliveries).await?;
    for (delivery, status) in deliveries.iter().zip(statuses) {
        let id = delivery.webhook_id;
        let url = match urls.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(hook_url(&dashboard.node, company_id, id).await?),
        };
        let last = last.get(&delivery.id);
        rows.push(DeliveryRow::of(delivery, &status, last, url.as_deref()));
    }
    Ok(rows)
}

/// The same rows with what happened and to whom, as far as this reader may see it.
pub(super) async fn rows_about_events(
    dashboard: &DashboardState,
    viewer: &Viewer,
    deliveries: &[Delivery],
) -> Result<Vec<DeliveryRow>, PageError> {
    let mut rows = rows(dashboard, viewer.caller.company_id, deliveries).await?;
    let ids = deliveries.iter().map(|delivery| delivery.event_id).collect();
    let summaries = summaries(&dashboard.node, viewer.caller, ids).await?;
    for (row, delivery) in rows.iter_mut().zip(deliveries) {
        if let Some(summary) = summaries.get(&delivery.event_id) {
            row.what.clone_from(&summary.what);
            row.who.clone_from(&summary.detail);
        }
    }
    Ok(rows)
}
