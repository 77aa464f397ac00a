//! The list of deliveries, and what it can be narrowed to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use switchhook_domain::Kind;
use switchhook_domain::attempt::OutcomeClass;
use switchhook_domain::delivery::{Delivery, StateName};
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_store::{DeliveryFilter, PageRequest, StoreError};

use super::events::{instant, next_page, told, word};
use super::page::{Frame, Trouble, show};
use super::part::{self, Choice, DeliveryRow, many};
use super::session::Visitor;
use super::{Desk, SharedDesk};

/// How many deliveries a page has.
const A_PAGE: u32 = 50;

/// How many webhooks there are to choose from.
const MOST_WEBHOOKS: u32 = 500;

/// How many deliveries are looked at.
const MOST_LOOKED_AT: usize = 10_000;

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
    let kind = word("kind", query("kind"), &mut troubles);
    let filter = DeliveryFilter {
        event_id: None,
        replay_id: None,
        webhook_id: word("webhook", query("webhook"), &mut troubles),
        state: state.filter(|state| *state != StateName::Delivered),
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
        kind,
        is_delivered: state == Some(StateName::Delivered),
        class,
    };
    let (deliveries, next, looked) = seek(&desk, company_id, filter, sought, page).await?;
    let webhooks = desk
        .system
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
        rows: rows(&desk, company_id, &deliveries).await?,
        looked,
        next: next.map(|cursor| next_page("/dashboard/deliveries", &visitor, &names, cursor)),
        is_live: page.after.is_none() && class.is_none(),
    }))
}

/// What no index helps to find.
#[derive(Debug, Clone, Copy)]
struct Sought {
    kind: Option<Kind>,
    is_delivered: bool,
    class: Option<OutcomeClass>,
}

impl Sought {
    const fn is_anything(self) -> bool {
        self.kind.is_some() || self.is_delivered || self.class.is_some()
    }

    async fn is_in(self, desk: &Desk, delivery: &Delivery) -> Result<bool, StoreError> {
        let is_state = !self.is_delivered || delivery.state.name() == StateName::Delivered;
        if !is_state || self.kind.is_some_and(|kind| kind != delivery.kind) {
            return Ok(false);
        }
        let Some(class) = self.class else { return Ok(true) };
        let attempts = desk.system.store.attempts_of(delivery.id).await?;
        Ok(attempts
            .last()
            .is_some_and(|attempt| attempt.outcome.class() == class))
    }
}

type Found = (Vec<Delivery>, Option<i64>, Option<String>);

/// A page of deliveries. What no index helps to find is sought among a bounded number, which is told.
async fn seek(
    desk: &Desk,
    company_id: CompanyId,
    filter: DeliveryFilter,
    sought: Sought,
    page: PageRequest,
) -> Result<Found, StoreError> {
    let store = &desk.system.store;
    if !sought.is_anything() {
        let read = store.list_deliveries(company_id, filter, page).await?;
        return Ok((read.items, read.next, None));
    }
    let most = if sought.class.is_some() {
        MOST_READ
    } else {
        MOST_LOOKED_AT
    };
    let mut found = Vec::new();
    let mut looked_at = 0;
    let mut after = page.after;
    let next = 'looking: loop {
        let request = PageRequest { after, limit: 200 };
        let read = store.list_deliveries(company_id, filter.clone(), request).await?;
        for delivery in read.items {
            looked_at += 1;
            let id = delivery.id;
            if sought.is_in(desk, &delivery).await? {
                found.push(delivery);
            }
            if found.len() >= page.limit as usize {
                break 'looking Some(id.0);
            }
        }
        match read.next {
            Some(next) if looked_at >= most => break Some(next),
            Some(next) => after = Some(next),
            None => break None,
        }
    };
    Ok((found, next, Some(many(looked_at, "delivery"))))
}

/// Rows about deliveries, with where they go.
pub(super) async fn rows(
    desk: &Desk,
    company_id: CompanyId,
    deliveries: &[Delivery],
) -> Result<Vec<DeliveryRow>, StoreError> {
    let mut urls: HashMap<WebhookId, Option<String>> = HashMap::new();
    let mut rows = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        let id = delivery.webhook_id;
        let url = match urls.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(url_of(desk, company_id, id).await?),
        };
        rows.push(DeliveryRow::of(delivery, url.as_deref()));
    }
    Ok(rows)
}

/// Where a webhook posts to; `None` if it is gone.
pub(super) async fn url_of(
    desk: &Desk,
    company_id: CompanyId,
    id: WebhookId,
) -> Result<Option<String>, StoreError> {
    match desk.system.store.webhook(company_id, id).await {
        Ok(webhook) => Ok(Some(webhook.hook_url)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
