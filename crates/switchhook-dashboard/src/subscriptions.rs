//! Subscriptions: the list and what can be done with one. The forms of the five kinds are `subscription_form.rs`.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use switchhook_domain::Kind;
use switchhook_domain::credential::shown_url;
use switchhook_domain::id::{CompanyId, SubscriptionId};
use switchhook_domain::subscription::{Endpoint, Subscription};
use switchhook_domain::webhook::Webhook;
use switchhook_node::blocking;
use switchhook_node::events::{self, RefusedBy, Tried};
use switchhook_node::refusal::Refusal;
use switchhook_node::subscriptions;
use switchhook_store::{EventFilter, PageRequest, StoreError, SubscriptionFilter};

use super::event_row::bytes_of;
use super::page::{Frame, Said, Trouble, go, id_of, show, show_again};
use super::part::{self, Choice, Moment};
use super::session::{Filled, Visitor};
use super::subscription_form::{KnownTarget, SubscriptionForm, known_targets};
use super::{Desk, SharedDesk};

/// How many subscriptions a page has.
const A_PAGE: u32 = 50;

/// How many webhooks there are to choose from.
const MOST_WEBHOOKS: u32 = 500;

/// In how many events targets are looked for.
const EVENTS_WITH_TARGETS: u32 = 400;

/// A row about a subscription.
#[derive(Debug)]
pub(super) struct SubscriptionRow {
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) kind_name: &'static str,
    /// What it lets through, in words.
    pub(super) filter: String,
    pub(super) webhook_id: Option<String>,
    pub(super) url: String,
    pub(super) state: &'static str,
    pub(super) tone: &'static str,
    pub(super) enabled: bool,
    pub(super) created_at: Moment,
}

impl SubscriptionRow {
    pub(super) fn of(subscription: &Subscription, url: Option<&str>) -> Self {
        let kind = subscription.filter.kind();
        let (state, tone) = match (subscription.enabled, subscription.endpoint) {
            (_, None) => ("sends nowhere", "bad"),
            (false, _) => ("disabled", "off"),
            (true, _) => ("enabled", "good"),
        };
        let without_url = match subscription.endpoint {
            Some(Endpoint::Websocket(id)) => format!("whoever listens at websocket {id}"),
            Some(Endpoint::Webhook(_)) | None => "nowhere: it has no webhook".to_owned(),
        };
        Self {
            id: subscription.id.to_string(),
            kind: kind.route(),
            kind_name: kind.title(),
            filter: match &subscription.payload_filter {
                None => subscription.filter.in_words(),
                Some(filter) => format!("{}, where {}", subscription.filter.in_words(), filter.as_json()),
            },
            webhook_id: subscription.webhook_id().map(|id| id.to_string()),
            url: url.map_or(without_url, |url| shown_url(url).into_owned()),
            state,
            tone,
            enabled: subscription.enabled,
            created_at: Moment(subscription.created_at),
        }
    }
}

#[derive(Template)]
#[template(path = "subscriptions.html")]
struct SubscriptionsPage {
    frame: Frame,
    kinds: Vec<Choice>,
    rows: Vec<SubscriptionRow>,
    next: Option<i64>,
    kind: String,
    is_first: bool,
    has_webhook: bool,
}

#[derive(Template)]
#[template(path = "subscription_form.html")]
struct FormPage {
    frame: Frame,
    /// The subscription to change; a new one without.
    id: Option<String>,
    kinds: Vec<Choice>,
    endpoints: Vec<Choice>,
    form: SubscriptionForm,
    targets: Vec<KnownTarget>,
    /// What the filter would say to the last events, if that was asked.
    trial: Option<Trial>,
}

/// What a filter would say to the last events.
struct Trial {
    matching: usize,
    rows: Vec<TriedRow>,
}

/// What it would say to one.
struct TriedRow {
    event_id: String,
    accepted_at: Moment,
    summary: String,
    /// What says no.
    refused_by: Option<String>,
}

impl TriedRow {
    fn of(tried: Tried) -> Self {
        let why = |by: RefusedBy| match by.seen {
            Some(seen) => format!("{}, and it is {seen}", by.clause),
            None => format!("{}, and there is nothing", by.clause),
        };
        Self {
            event_id: tried.id.to_string(),
            accepted_at: Moment(tried.accepted_at),
            summary: tried.summary.in_a_line(),
            refused_by: tried.refused_by.map(why),
        }
    }
}

#[derive(Template)]
#[template(path = "subscription_delete.html")]
struct DeletePage {
    frame: Frame,
    row: SubscriptionRow,
}

fn route(kind: &str, id: &str) -> Result<(Kind, SubscriptionId), Trouble> {
    let kind = kind
        .parse()
        .map_err(|error| Trouble::not_found(format!("{error}")))?;
    Ok((kind, id_of(id)?))
}

/// Lists subscriptions.
pub(super) async fn list(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    let company_id = visitor.caller.company_id;
    let kind = visitor.query("kind").and_then(|kind| kind.parse::<Kind>().ok());
    let page = visitor.page(A_PAGE);
    let filter = SubscriptionFilter {
        kind,
        ..SubscriptionFilter::default()
    };
    let subscriptions = desk
        .node
        .store
        .list_subscriptions(company_id, filter, page)
        .await?;
    let webhooks = desk
        .node
        .store
        .list_webhooks(company_id, PageRequest::first(MOST_WEBHOOKS))
        .await?;
    let urls: HashMap<_, _> = webhooks
        .items
        .iter()
        .map(|one| (one.id, one.hook_url.as_str()))
        .collect();
    let url = |subscription: &Subscription| urls.get(&subscription.webhook_id()?).copied();
    let sight = visitor.sight(&desk);
    let rows = subscriptions
        .items
        .iter()
        .filter(|one| sight.sees(one.filter.kind()))
        .map(|one| SubscriptionRow::of(one, url(one)));
    Ok(show(&SubscriptionsPage {
        rows: rows.collect(),
        frame: visitor.frame(&desk, "subscriptions", "Subscriptions"),
        kinds: part::known_kinds(kind.map(Kind::route)),
        next: subscriptions.next,
        kind: kind.map_or("", Kind::route).to_owned(),
        is_first: page.after.is_none(),
        has_webhook: !webhooks.items.is_empty(),
    }))
}

/// The form for a new subscription.
pub(super) async fn blank(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    visitor.must_write()?;
    let kind = visitor
        .query("kind")
        .and_then(|kind| kind.parse().ok())
        .unwrap_or(Kind::Call);
    let form = SubscriptionForm::blank(kind, visitor.query("webhook"));
    Ok(show(&form_page(&desk, &visitor, None, form, None).await?))
}

async fn form_page(
    desk: &Desk,
    visitor: &Visitor,
    id: Option<String>,
    form: SubscriptionForm,
    trouble: Option<String>,
) -> Result<FormPage, StoreError> {
    let company_id = visitor.caller.company_id;
    let title = match &id {
        Some(_) => "Edit subscription",
        None => "New subscription",
    };
    let webhooks = desk
        .node
        .store
        .list_webhooks(company_id, PageRequest::first(MOST_WEBHOOKS))
        .await?;
    let targets = if form.has_target() {
        recent_targets(desk, company_id).await?
    } else {
        Vec::new()
    };
    Ok(FormPage {
        frame: visitor.frame(desk, "subscriptions", title).troubled(trouble),
        id,
        kinds: part::known_kinds(Some(form.kind.route())),
        endpoints: endpoints(&webhooks.items, form.endpoint_id.as_deref()),
        form,
        targets,
        trial: None,
    })
}

/// The form again, with what its filter would say to the last events.
async fn try_filter(
    desk: &Desk,
    visitor: &Visitor,
    id: Option<String>,
    form: SubscriptionForm,
) -> Result<Response, Trouble> {
    let kind = form.kind;
    let (trial, trouble) = match form.payload_filter() {
        Ok(None) => (
            None,
            Some("filter: write one to see what it lets through".to_owned()),
        ),
        Ok(Some(filter)) => {
            let tried = events::try_filter(&desk.node, visitor.caller, kind, &filter).await?;
            let trial = Trial {
                matching: tried.iter().filter(|one| one.refused_by.is_none()).count(),
                rows: tried.into_iter().map(TriedRow::of).collect(),
            };
            (Some(trial), None)
        }
        Err(why) => (None, Some(why)),
    };
    let page = form_page(desk, visitor, id, form, trouble).await?;
    Ok(show(&FormPage { trial, ..page }))
}

/// The webhooks, and a websocket if the subscription has one: those are made by their listeners.
fn endpoints(webhooks: &[Webhook], chosen: Option<&str>) -> Vec<Choice> {
    let mut choices = part::webhooks(webhooks, chosen);
    if let Some(id) = chosen.filter(|id| !choices.iter().any(|choice| choice.value == *id)) {
        choices.push(Choice::new(id, format!("websocket {id}"), chosen));
    }
    choices
}

async fn recent_targets(desk: &Desk, company_id: CompanyId) -> Result<Vec<KnownTarget>, StoreError> {
    let page = PageRequest::first(EVENTS_WITH_TARGETS);
    let events = desk
        .node
        .store
        .list_events(company_id, EventFilter::default(), page)
        .await?;
    let events = events.items;
    Ok(blocking::run(bytes_of(&events), move || known_targets(&events)).await)
}

/// Makes a subscription.
pub(super) async fn create(
    State(desk): State<SharedDesk>,
    Filled(visitor, form): Filled,
) -> Result<Response, Trouble> {
    visitor.must_write()?;
    let is_trial = form.text("do") == Some("try");
    let form = SubscriptionForm::read(&form);
    visitor.must_see(form.kind)?;
    if is_trial {
        return try_filter(&desk, &visitor, None, form).await;
    }
    let made = match form.request() {
        Ok(request) => subscriptions::create(&desk.node, visitor.caller, form.kind, request).await,
        Err(why) => Err(Refusal::Invalid(why)),
    };
    match made {
        Ok(_) => Ok(match &form.endpoint_id {
            Some(id) => go(&format!("/dashboard/webhooks/{id}"), Said::Created),
            None => go("/dashboard/subscriptions", Said::Created),
        }),
        Err(refusal) => {
            let trouble = Trouble::from(refusal).message;
            let page = form_page(&desk, &visitor, None, form, Some(trouble)).await?;
            Ok(show_again(&page))
        }
    }
}

/// The form for changing a subscription.
pub(super) async fn edit(
    State(desk): State<SharedDesk>,
    visitor: Visitor,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Response, Trouble> {
    visitor.must_write()?;
    let (kind, id) = route(&kind, &id)?;
    visitor.must_see(kind)?;
    let subscription = desk
        .node
        .store
        .subscription(visitor.caller.company_id, kind, id)
        .await?;
    let form = SubscriptionForm::of(&subscription);
    Ok(show(
        &form_page(&desk, &visitor, Some(id.to_string()), form, None).await?,
    ))
}

/// Changes a subscription.
pub(super) async fn update(
    State(desk): State<SharedDesk>,
    Path((kind, id)): Path<(String, String)>,
    Filled(visitor, form): Filled,
) -> Result<Response, Trouble> {
    let (kind, id) = route(&kind, &id)?;
    visitor.must_write()?;
    visitor.must_see(kind)?;
    let is_trial = form.text("do") == Some("try");
    let mut form = SubscriptionForm::read(&form);
    form.kind = kind;
    if is_trial {
        return try_filter(&desk, &visitor, Some(id.to_string()), form).await;
    }
    let changed = match form.request() {
        Ok(request) => subscriptions::update(&desk.node, visitor.caller, kind, id, request).await,
        Err(why) => Err(Refusal::Invalid(why)),
    };
    match changed {
        Ok(_) => Ok(go("/dashboard/subscriptions", Said::Saved)),
        Err(refusal) => {
            let trouble = Some(Trouble::from(refusal).message);
            let page = form_page(&desk, &visitor, Some(id.to_string()), form, trouble).await?;
            Ok(show_again(&page))
        }
    }
}

/// Puts it in force.
pub(super) async fn enable(
    State(desk): State<SharedDesk>,
    Path(path): Path<(String, String)>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    switch(&desk, &visitor, path, true).await
}

/// Puts it out of force.
pub(super) async fn disable(
    State(desk): State<SharedDesk>,
    Path(path): Path<(String, String)>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    switch(&desk, &visitor, path, false).await
}

async fn switch(
    desk: &Desk,
    visitor: &Visitor,
    (kind, id): (String, String),
    enabled: bool,
) -> Result<Response, Trouble> {
    let (kind, id) = route(&kind, &id)?;
    subscriptions::set_enabled(&desk.node, visitor.caller, kind, id, enabled).await?;
    let said = if enabled { Said::Enabled } else { Said::Disabled };
    Ok(go("/dashboard/subscriptions", said))
}

/// Asks whether to delete it.
pub(super) async fn ask_to_delete(
    State(desk): State<SharedDesk>,
    visitor: Visitor,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Response, Trouble> {
    let (kind, id) = route(&kind, &id)?;
    visitor.must_write()?;
    visitor.must_see(kind)?;
    let company_id = visitor.caller.company_id;
    let subscription = desk.node.store.subscription(company_id, kind, id).await?;
    let url = match subscription.webhook_id() {
        Some(id) => super::deliveries::url_of(&desk, company_id, id).await?,
        None => None,
    };
    Ok(show(&DeletePage {
        frame: visitor.frame(&desk, "subscriptions", "Delete subscription"),
        row: SubscriptionRow::of(&subscription, url.as_deref()),
    }))
}

/// Deletes it.
pub(super) async fn delete(
    State(desk): State<SharedDesk>,
    Path((kind, id)): Path<(String, String)>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    let (kind, id) = route(&kind, &id)?;
    subscriptions::delete(&desk.node, visitor.caller, kind, id).await?;
    Ok(go("/dashboard/subscriptions", Said::Deleted))
}
