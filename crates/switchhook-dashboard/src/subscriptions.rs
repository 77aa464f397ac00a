//! Subscriptions: the list and what can be done with one. The forms of the five kinds are `subscription_form.rs`.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use switchhook_domain::Kind;
use switchhook_domain::credential::shown_url;
use switchhook_domain::id::SubscriptionId;
use switchhook_domain::subscription::{Endpoint, Subscription};
use switchhook_domain::webhook::Webhook;
use switchhook_node::blocking;
use switchhook_node::caller::Caller;
use switchhook_node::events::{self, FilterTrial, UnmetClause};
use switchhook_node::refusal::Refusal;
use switchhook_node::subscriptions;
use switchhook_node::webhooks::{self, hook_url};
use switchhook_store::{EventFilter, PageRequest, SubscriptionFilter};

use super::event_row::bytes_of;
use super::page::{Flash, Frame, PageError, go, id_of, show, show_again};
use super::session::{SignedForm, Viewer};
use super::subscription_form::{KnownTarget, SubscriptionForm, known_targets};
use super::widgets::{self, Choice, Moment};
use super::{DashboardState, SharedState};

/// Bound on the options of the webhook field.
const MOST_WEBHOOKS: u32 = 500;

/// Bound on the events in which targets are looked for.
const EVENTS_WITH_TARGETS: u32 = 400;

/// A row about a subscription.
#[derive(Debug)]
pub(super) struct SubscriptionRow {
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) kind_name: &'static str,
    /// Filter, in words.
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
    /// Trial of the filter on recent events, if the button was pressed.
    trial: Option<Trial>,
}

/// Decisions of a filter on recent events.
struct Trial {
    matching: usize,
    rows: Vec<TriedRow>,
}

/// Decision on one event.
struct TriedRow {
    event_id: String,
    accepted_at: Moment,
    summary: String,
    /// Clause that rejects it.
    refused_by: Option<String>,
}

impl TriedRow {
    fn of(tried: FilterTrial) -> Self {
        let why = |by: UnmetClause| match by.seen {
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

fn route(kind: &str, id: &str) -> Result<(Kind, SubscriptionId), PageError> {
    let kind = kind
        .parse()
        .map_err(|error| PageError::not_found(format!("{error}")))?;
    Ok((kind, id_of(id)?))
}

pub(super) async fn list(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    let kind = viewer.query("kind").and_then(|kind| kind.parse::<Kind>().ok());
    let page = viewer.page();
    let filter = SubscriptionFilter {
        kind,
        ..SubscriptionFilter::default()
    };
    let (node, caller) = (&dashboard.node, viewer.caller);
    let subscriptions = subscriptions::list_all(node, caller, filter, page).await?;
    let webhooks = webhooks::list(node, caller, PageRequest::first(MOST_WEBHOOKS)).await?;
    let urls: HashMap<_, _> = webhooks
        .items
        .iter()
        .map(|one| (one.id, one.hook_url.as_str()))
        .collect();
    let url = |subscription: &Subscription| urls.get(&subscription.webhook_id()?).copied();
    let visibility = viewer.visibility(&dashboard);
    let rows = subscriptions
        .items
        .iter()
        .filter(|one| visibility.sees(one.filter.kind()))
        .map(|one| SubscriptionRow::of(one, url(one)));
    Ok(show(&SubscriptionsPage {
        rows: rows.collect(),
        frame: viewer.frame(&dashboard, "subscriptions", "Subscriptions"),
        kinds: widgets::known_kinds(kind.map(Kind::route)),
        next: subscriptions.next,
        kind: kind.map_or("", Kind::route).to_owned(),
        is_first: page.after.is_none(),
        has_webhook: !webhooks.items.is_empty(),
    }))
}

/// The form for a new subscription.
pub(super) async fn blank(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    viewer.must_write()?;
    let kind = viewer
        .query("kind")
        .and_then(|kind| kind.parse().ok())
        .unwrap_or(Kind::Call);
    let form = SubscriptionForm::blank(kind, viewer.query("webhook"));
    Ok(show(&form_page(&dashboard, &viewer, None, form, None).await?))
}

async fn form_page(
    dashboard: &DashboardState,
    viewer: &Viewer,
    id: Option<String>,
    form: SubscriptionForm,
    error: Option<String>,
) -> Result<FormPage, Refusal> {
    let title = match &id {
        Some(_) => "Edit subscription",
        None => "New subscription",
    };
    let first = PageRequest::first(MOST_WEBHOOKS);
    let webhooks = webhooks::list(&dashboard.node, viewer.caller, first).await?;
    let targets = if form.has_target() {
        recent_targets(dashboard, viewer.caller).await?
    } else {
        Vec::new()
    };
    Ok(FormPage {
        frame: viewer.frame(dashboard, "subscriptions", title).with_error(error),
        id,
        kinds: widgets::known_kinds(Some(form.kind.route())),
        endpoints: endpoints(&webhooks.items, form.endpoint_id.as_deref()),
        form,
        targets,
        trial: None,
    })
}

/// The form again, with what its filter would say to the last events.
async fn try_filter(
    dashboard: &DashboardState,
    viewer: &Viewer,
    id: Option<String>,
    form: SubscriptionForm,
) -> Result<Response, PageError> {
    let kind = form.kind;
    let (trial, error) = match form.payload_filter() {
        Ok(None) => (
            None,
            Some("filter: write one to see what it lets through".to_owned()),
        ),
        Ok(Some(filter)) => {
            let tried = events::try_filter(&dashboard.node, viewer.caller, kind, &filter).await?;
            let trial = Trial {
                matching: tried.iter().filter(|one| one.refused_by.is_none()).count(),
                rows: tried.into_iter().map(TriedRow::of).collect(),
            };
            (Some(trial), None)
        }
        Err(why) => (None, Some(why)),
    };
    let page = form_page(dashboard, viewer, id, form, error).await?;
    Ok(show(&FormPage { trial, ..page }))
}

/// The webhooks, and a websocket if the subscription has one: those are made by their listeners.
fn endpoints(webhooks: &[Webhook], chosen: Option<&str>) -> Vec<Choice> {
    let mut choices = widgets::webhooks(webhooks, chosen);
    if let Some(id) = chosen.filter(|id| !choices.iter().any(|choice| choice.value == *id)) {
        choices.push(Choice::new(id, format!("websocket {id}"), chosen));
    }
    choices
}

async fn recent_targets(dashboard: &DashboardState, caller: Caller) -> Result<Vec<KnownTarget>, Refusal> {
    let page = PageRequest::first(EVENTS_WITH_TARGETS);
    let events = events::read(&dashboard.node, caller, EventFilter::default(), page).await?;
    let events = events.items;
    Ok(blocking::run(bytes_of(&events), move || known_targets(&events)).await)
}

pub(super) async fn create(
    State(dashboard): State<SharedState>,
    SignedForm(viewer, form): SignedForm,
) -> Result<Response, PageError> {
    viewer.must_write()?;
    let is_trial = form.text("do") == Some("try");
    let form = SubscriptionForm::read(&form);
    viewer.must_see(form.kind)?;
    if is_trial {
        return try_filter(&dashboard, &viewer, None, form).await;
    }
    let made = match form.request() {
        Ok(request) => subscriptions::create(&dashboard.node, viewer.caller, form.kind, request).await,
        Err(why) => Err(Refusal::Invalid(why)),
    };
    match made {
        Ok(_) => Ok(match &form.endpoint_id {
            Some(id) => go(&format!("/dashboard/webhooks/{id}"), Flash::Created),
            None => go("/dashboard/subscriptions", Flash::Created),
        }),
        Err(refusal) => {
            let error = PageError::from(refusal).message;
            let page = form_page(&dashboard, &viewer, None, form, Some(error)).await?;
            Ok(show_again(&page))
        }
    }
}

/// The form for changing a subscription.
pub(super) async fn edit(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Response, PageError> {
    viewer.must_write()?;
    let (kind, id) = route(&kind, &id)?;
    viewer.must_see(kind)?;
    let shown = subscriptions::get(&dashboard.node, viewer.caller, kind, id).await?;
    let form = SubscriptionForm::of(&shown.subscription);
    Ok(show(
        &form_page(&dashboard, &viewer, Some(id.to_string()), form, None).await?,
    ))
}

pub(super) async fn update(
    State(dashboard): State<SharedState>,
    Path((kind, id)): Path<(String, String)>,
    SignedForm(viewer, form): SignedForm,
) -> Result<Response, PageError> {
    let (kind, id) = route(&kind, &id)?;
    viewer.must_write()?;
    viewer.must_see(kind)?;
    let is_trial = form.text("do") == Some("try");
    let mut form = SubscriptionForm::read(&form);
    form.kind = kind;
    if is_trial {
        return try_filter(&dashboard, &viewer, Some(id.to_string()), form).await;
    }
    let changed = match form.request() {
        Ok(request) => subscriptions::update(&dashboard.node, viewer.caller, kind, id, request).await,
        Err(why) => Err(Refusal::Invalid(why)),
    };
    match changed {
        Ok(_) => Ok(go("/dashboard/subscriptions", Flash::Saved)),
        Err(refusal) => {
            let error = Some(PageError::from(refusal).message);
            let page = form_page(&dashboard, &viewer, Some(id.to_string()), form, error).await?;
            Ok(show_again(&page))
        }
    }
}

/// Puts it in force.
pub(super) async fn enable(
    State(dashboard): State<SharedState>,
    Path(path): Path<(String, String)>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    switch(&dashboard, &viewer, path, true).await
}

/// Puts it out of force.
pub(super) async fn disable(
    State(dashboard): State<SharedState>,
    Path(path): Path<(String, String)>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    switch(&dashboard, &viewer, path, false).await
}

async fn switch(
    dashboard: &DashboardState,
    viewer: &Viewer,
    (kind, id): (String, String),
    enabled: bool,
) -> Result<Response, PageError> {
    let (kind, id) = route(&kind, &id)?;
    subscriptions::set_enabled(&dashboard.node, viewer.caller, kind, id, enabled).await?;
    let flash = if enabled { Flash::Enabled } else { Flash::Disabled };
    Ok(go("/dashboard/subscriptions", flash))
}

/// Asks whether to delete it.
pub(super) async fn ask_to_delete(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let (kind, id) = route(&kind, &id)?;
    viewer.must_write()?;
    viewer.must_see(kind)?;
    let (node, caller) = (&dashboard.node, viewer.caller);
    let subscription = subscriptions::get(node, caller, kind, id).await?.subscription;
    let url = match subscription.webhook_id() {
        Some(id) => hook_url(node, caller.company_id, id).await?,
        None => None,
    };
    Ok(show(&DeletePage {
        frame: viewer.frame(&dashboard, "subscriptions", "Delete subscription"),
        row: SubscriptionRow::of(&subscription, url.as_deref()),
    }))
}

pub(super) async fn delete(
    State(dashboard): State<SharedState>,
    Path((kind, id)): Path<(String, String)>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    let (kind, id) = route(&kind, &id)?;
    subscriptions::delete(&dashboard.node, viewer.caller, kind, id).await?;
    Ok(go("/dashboard/subscriptions", Flash::Deleted))
}
