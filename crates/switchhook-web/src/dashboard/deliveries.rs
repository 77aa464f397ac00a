//! The list of deliveries, and what it can be narrowed to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use switchhook_domain::Kind;
use switchhook_domain::attempt::{CountsAs, OutcomeClass};
use switchhook_domain::delivery::{Delivery, StateName};
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_store::{DeliveryFilter, PageRequest, StoreError};
use tokio::time::Instant;

use super::events::{instant, kind, next_page, told, word};
use super::page::{Frame, Trouble, show};
use super::part::{self, Choice, DeliveryRow, many};
use super::session::Visitor;
use super::{Desk, SharedDesk};
use switchhook_node::deliveries::standings;
use switchhook_node::sight::Sight;

/// How many deliveries a page has.
const A_PAGE: u32 = 50;

/// How many webhooks there are to choose from.
const MOST_WEBHOOKS: u32 = 500;

/// How many deliveries are looked at.
const MOST_LOOKED_AT: usize = 10_000;

/// How long they are looked at, about.
const LONGEST: Duration = Duration::from_millis(1_500);

/// How many are read at a time.
const AT_ONCE: u32 = 500;

/// How many have their attempts read, which tell the outcome.
const MOST_READ: usize = 1_000;

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage {
    frame: Frame,
    webhooks: Vec<Choice>,
    states: Vec<Choice>,
    kinds: Vec<Choice>,
    outcomes: Vec<Choice>,
    since: String,
    until: String,
    is_narrowed: bool,
    rows: Vec<DeliveryRow>,
    looked: Option<String>,
    next: Option<String>,
    is_live: bool,
}

/// Lists deliveries.
pub(super) async fn list(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    let company_id = visitor.caller.company_id;
    let query = |name: &str| visitor.query(name);
    let mut troubles = Vec::new();
    let state = word::<StateName>("state", query("state"), &mut troubles);
    let kind = kind(query("kind"), &mut troubles);
    let filter = DeliveryFilter {
        event_id: None,
        replay_id: None,
        webhook_id: None,
        state: None,
        has_failed: false,
        kind: None,
        since: instant("from", query("since"), &mut troubles),
        until: instant("until", query("until"), &mut troubles),
    };
    let outcome = query("outcome");
    let class = OutcomeClass::ALL
        .into_iter()
        .find(|class| Some(class.as_str()) == outcome.as_deref());
    let page = PageRequest {
        after: query("cursor").and_then(|cursor| cursor.parse().ok()),
        limit: A_PAGE,
    };
    let sought = Sought {
        webhook_id: word("webhook", query("webhook"), &mut troubles),
        state,
        kind,
        class,
        sight: visitor.sight(&desk),
    };
    let found = seek(&desk, company_id, &filter, sought, page).await?;
    let is_search = kind.is_some() || class.is_some() || state == Some(StateName::Delivered);
    let webhooks = desk
        .node
        .store
        .list_webhooks(company_id, PageRequest::first(MOST_WEBHOOKS))
        .await?;
    let names = ["webhook", "state", "kind", "outcome", "since", "until"];
    let states = StateName::ALL.iter().map(|state| state.as_str());
    let classes = OutcomeClass::ALL.iter().map(|class| class.as_str());
    Ok(show(&DeliveriesPage {
        frame: Frame::new(&desk, &visitor, "deliveries", "Deliveries").troubled(told(&troubles)),
        webhooks: part::webhooks(&webhooks.items, query("webhook").as_deref()),
        states: states
            .map(|state| Choice::new(state, state, query("state").as_deref()))
            .collect(),
        kinds: part::kinds(query("kind").as_deref()),
        outcomes: classes
            .map(|class| Choice::new(class, class, outcome.as_deref()))
            .collect(),
        since: query("since").unwrap_or_default(),
        until: query("until").unwrap_or_default(),
        is_narrowed: names.iter().any(|name| query(name).is_some()),
        rows: rows(&desk, company_id, &found.deliveries).await?,
        looked: (is_search || found.is_cut_short).then(|| many(found.looked_at, "delivery")),
        next: found
            .next
            .map(|cursor| next_page("/dashboard/deliveries", &visitor, &names, cursor)),
        is_live: page.after.is_none() && class.is_none(),
    }))
}

/// What no index helps to find, or not all of it at once.
#[derive(Debug, Clone, Copy)]
struct Sought {
    webhook_id: Option<WebhookId>,
    state: Option<StateName>,
    kind: Option<Kind>,
    class: Option<OutcomeClass>,
    sight: Sight,
}

impl Sought {
    async fn is_in(self, desk: &Desk, delivery: &Delivery) -> Result<bool, StoreError> {
        let is_other = !self.sight.sees(delivery.kind)
            || self.webhook_id.is_some_and(|id| id != delivery.webhook_id)
            || self.state.is_some_and(|state| state != delivery.state.name())
            || self.kind.is_some_and(|kind| kind != delivery.kind);
        if is_other {
            return Ok(false);
        }
        let Some(class) = self.class else { return Ok(true) };
        let attempts = desk.node.store.attempts_of(delivery.id).await?;
        Ok(attempts
            .last()
            .is_some_and(|attempt| attempt.outcome.class() == class))
    }

    /// The ways to go over what there is, each along one index. A webhook may have few among many of a state, or few of a
    /// state among many: which way is short shows on the way.
    fn ways(self, filter: &DeliveryFilter) -> Vec<DeliveryFilter> {
        let has_failed = self.class.is_some_and(has_failed);
        let by_webhook = DeliveryFilter {
            webhook_id: self.webhook_id,
            has_failed,
            ..filter.clone()
        };
        // What arrived is the rule, so no index knows it.
        match self.state.filter(|state| *state != StateName::Delivered) {
            None => vec![by_webhook],
            Some(state) => {
                let by_state = DeliveryFilter {
                    state: Some(state),
                    ..filter.clone()
                };
                let both = self.webhook_id.is_some() || has_failed;
                [Some(by_state), both.then_some(by_webhook)]
                    .into_iter()
                    .flatten()
                    .collect()
            }
        }
    }
}

/// Whether a delivery whose last attempt ended so has failed at least once: those have an index of their own.
const fn has_failed(class: OutcomeClass) -> bool {
    matches!(
        class.consequences().counts_as,
        CountsAs::Answered | CountsAs::Unanswered
    )
}

/// What was found on one way.
struct Found {
    deliveries: Vec<Delivery>,
    /// Where to go on.
    next: Option<i64>,
    looked_at: usize,
    /// Whether it was given up before there was a page, or nothing more.
    is_cut_short: bool,
}

/// A page of deliveries, sought among a bounded number.
async fn seek(
    desk: &Desk,
    company_id: CompanyId,
    filter: &DeliveryFilter,
    sought: Sought,
    page: PageRequest,
) -> Result<Found, StoreError> {
    let mut best: Option<Found> = None;
    for way in sought.ways(filter) {
        let found = go_over(desk, company_id, way, sought, page).await?;
        let is_done = !found.is_cut_short;
        let reached = |found: &Found| found.next.unwrap_or_default();
        if is_done || best.as_ref().is_none_or(|best| reached(&found) < reached(best)) {
            best = Some(found);
        }
        if is_done {
            break;
        }
    }
    Ok(best.expect("there is always a way"))
}

async fn go_over(
    desk: &Desk,
    company_id: CompanyId,
    way: DeliveryFilter,
    sought: Sought,
    page: PageRequest,
) -> Result<Found, StoreError> {
    let most = match sought.class {
        Some(_) => MOST_READ,
        None => MOST_LOOKED_AT,
    };
    let mut found = Found {
        deliveries: Vec::new(),
        next: page.after,
        looked_at: 0,
        is_cut_short: false,
    };
    let begun = Instant::now();
    // What fills the page at once needs no more than the page.
    let mut limit = page.limit;
    loop {
        let request = PageRequest {
            after: found.next,
            limit,
        };
        let read = desk
            .node
            .store
            .list_deliveries(company_id, way.clone(), request)
            .await?;
        let last = read.items.last().map(|delivery| delivery.id.0);
        for delivery in read.items {
            found.looked_at += 1;
            let id = delivery.id.0;
            if sought.is_in(desk, &delivery).await? {
                found.deliveries.push(delivery);
            }
            if found.deliveries.len() >= page.limit as usize {
                found.next = if last == Some(id) { read.next } else { Some(id) };
                return Ok(found);
            }
        }
        found.next = read.next;
        let is_enough = found.looked_at >= most || begun.elapsed() > LONGEST;
        found.is_cut_short = read.next.is_some() && is_enough;
        if found.next.is_none() || found.is_cut_short {
            return Ok(found);
        }
        limit = AT_ONCE;
    }
}

/// Rows about deliveries, with where they go.
pub(super) async fn rows(
    desk: &Desk,
    company_id: CompanyId,
    deliveries: &[Delivery],
) -> Result<Vec<DeliveryRow>, StoreError> {
    let mut urls: HashMap<WebhookId, Option<String>> = HashMap::new();
    let mut rows = Vec::with_capacity(deliveries.len());
    let standings = standings(&desk.node, deliveries).await?;
    let ids = deliveries.iter().map(|delivery| delivery.id).collect();
    let last = desk.node.store.last_attempts(ids).await?;
    let last: HashMap<_, _> = last.iter().map(|last| (last.delivery_id, last)).collect();
    for (delivery, standing) in deliveries.iter().zip(standings) {
        let id = delivery.webhook_id;
        let url = match urls.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(url_of(desk, company_id, id).await?),
        };
        let last = last.get(&delivery.id).copied();
        rows.push(DeliveryRow::of(delivery, &standing, last, url.as_deref()));
    }
    Ok(rows)
}

/// Where a webhook posts to; `None` if it is gone.
pub(super) async fn url_of(
    desk: &Desk,
    company_id: CompanyId,
    id: WebhookId,
) -> Result<Option<String>, StoreError> {
    match desk.node.store.webhook(company_id, id).await {
        Ok(webhook) => Ok(Some(webhook.hook_url)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
