//! Webhooks: the list, and making, changing and deleting one. One of them is `webhook.rs`, its form `webhook_form.rs`.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use switchhook_domain::credential::shown_url;
use switchhook_domain::history::Counts;
use switchhook_domain::id::WebhookId;
use switchhook_domain::subscription::Subscription;
use switchhook_store::{PageRequest, SubscriptionFilter};

use super::page::{Flash, Frame, PageError, go, id_of, show, show_again};
use super::session::{SignedForm, Viewer};
use super::webhook_form::WebhookForm;
use super::widgets::{Moment, many, tone_of};
use super::{DashboardState, SharedState};
use switchhook_node::caller::Caller;
use switchhook_node::refusal::Refusal;
use switchhook_node::webhooks::{self, PreviewRequest};
use switchhook_node::{health, history, subscriptions};

/// Bound on the subscriptions searched for those of a webhook.
const MOST_SUBSCRIPTIONS: u32 = 1_000;

/// A row about a webhook.
#[derive(Debug)]
struct WebhookRow {
    id: String,
    url: String,
    state: &'static str,
    tone: &'static str,
    waiting: u32,
    /// True if the count was cut off.
    is_more: bool,
    /// Share of the last hour's attempts that succeeded.
    success: Option<String>,
    subscriptions: Vec<(&'static str, usize)>,
    is_signed: bool,
    created_at: Moment,
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage {
    frame: Frame,
    rows: Vec<WebhookRow>,
    next: Option<i64>,
    is_first: bool,
}

#[derive(Template)]
#[template(path = "webhook_form.html")]
struct FormPage {
    frame: Frame,
    /// The webhook to change; a new one without.
    id: Option<String>,
    form: WebhookForm,
    has_inspector: bool,
    preview: Option<PreviewPart>,
}

/// Output of the template for the last event.
struct PreviewPart {
    is_good: bool,
    words: String,
    body: String,
}

#[derive(Template)]
#[template(path = "webhook_delete.html")]
struct DeletePage {
    frame: Frame,
    id: String,
    url: String,
    subscriptions: usize,
    subscriptions_in_words: String,
    has_pending: bool,
}

pub(super) async fn list(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    let company_id = viewer.caller.company_id;
    let page = viewer.page();
    let webhooks = webhooks::list(&dashboard.node, viewer.caller, page).await?;
    let subscriptions = all_subscriptions(&dashboard, viewer.caller).await?;
    let healths = health::of_all(&dashboard.node, &webhooks.items).await?;
    let ids: Vec<_> = webhooks.items.iter().map(|webhook| webhook.id).collect();
    let last_hour = history::of_last_hour(&dashboard.node, company_id, &ids).await?;
    let rows = webhooks.items.iter().zip(healths).map(|(webhook, health)| {
        let mut kinds = BTreeMap::new();
        for own in subscriptions
            .iter()
            .filter(|one| one.webhook_id() == Some(webhook.id))
        {
            *kinds.entry(own.filter.kind().title()).or_insert(0) += 1;
        }
        WebhookRow {
            id: webhook.id.to_string(),
            url: shown_url(&webhook.hook_url).into_owned(),
            state: health.condition.in_words(),
            tone: tone_of(health.condition.severity()),
            waiting: health.waiting.count,
            is_more: health.waiting.is_more,
            success: last_hour
                .get(&webhook.id)
                .and_then(Counts::success)
                .map(history::percent),
            subscriptions: kinds.into_iter().collect(),
            is_signed: webhook.secret.is_some(),
            created_at: Moment(webhook.created_at),
        }
    });
    Ok(show(&WebhooksPage {
        rows: rows.collect(),
        frame: viewer.frame(&dashboard, "webhooks", "Webhooks"),
        next: webhooks.next,
        is_first: page.after.is_none(),
    }))
}

pub(super) async fn all_subscriptions(
    dashboard: &DashboardState,
    caller: Caller,
) -> Result<Vec<Subscription>, Refusal> {
    let page = PageRequest::first(MOST_SUBSCRIPTIONS);
    let every = SubscriptionFilter::default();
    let all = subscriptions::list_all(&dashboard.node, caller, every, page).await?;
    Ok(all.items)
}

/// The form for a new webhook.
pub(super) async fn blank(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    viewer.must_write()?;
    let form = WebhookForm::blank();
    Ok(show(&form_page(&dashboard, &viewer, None, form, None)))
}

fn form_page(
    dashboard: &DashboardState,
    viewer: &Viewer,
    id: Option<String>,
    form: WebhookForm,
    error: Option<String>,
) -> FormPage {
    let title = match &id {
        Some(_) => "Edit webhook",
        None => "New webhook",
    };
    FormPage {
        frame: viewer.frame(dashboard, "webhooks", title).with_error(error),
        id,
        form,
        has_inspector: dashboard.node.inspector.is_some(),
        preview: None,
    }
}

/// The form again, with what its template makes of the last event.
async fn preview(
    dashboard: &DashboardState,
    viewer: &Viewer,
    id: Option<String>,
    form: WebhookForm,
) -> Result<Response, PageError> {
    let request = PreviewRequest {
        template: Some(form.text_of("template").unwrap_or_default()),
        content_type: form.text_of("content_type"),
        ..PreviewRequest::default()
    };
    let made = webhooks::preview(&dashboard.node, viewer.caller, None, request).await?;
    let of = match made.event_id {
        Some(id) => format!("of the last call event, {id}"),
        None => "of a sample: there is no call event yet".to_owned(),
    };
    let part = match made.made {
        Ok(body) => PreviewPart {
            is_good: true,
            words: format!("{}, made {of}:", made.content_type),
            body,
        },
        Err(error) => PreviewPart {
            is_good: false,
            words: format!("Nothing can be made {of}: {error}"),
            body: String::new(),
        },
    };
    let page = form_page(dashboard, viewer, id, form, None);
    Ok(show(&FormPage {
        preview: Some(part),
        ..page
    }))
}

pub(super) async fn create(
    State(dashboard): State<SharedState>,
    SignedForm(viewer, form): SignedForm,
) -> Result<Response, PageError> {
    viewer.must_write()?;
    let is_preview = form.text("do") == Some("preview");
    let form = WebhookForm::read(&form);
    if is_preview {
        return preview(&dashboard, &viewer, None, form).await;
    }
    let made = match form.request() {
        Ok(request) => webhooks::create(&dashboard.node, viewer.caller, request).await,
        Err(why) => Err(Refusal::Invalid(why)),
    };
    match made {
        Ok(made) => Ok(go(
            &format!("/dashboard/webhooks/{}", made.webhook.id),
            Flash::Created,
        )),
        Err(refusal) => {
            let error = PageError::from(refusal).message;
            Ok(show_again(&form_page(
                &dashboard,
                &viewer,
                None,
                form,
                Some(error),
            )))
        }
    }
}

/// The form for changing a webhook.
pub(super) async fn edit(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    viewer.must_write()?;
    let form = as_shown(&dashboard, &viewer, id_of(&id)?).await?;
    Ok(show(&form_page(&dashboard, &viewer, Some(id), form, None)))
}

/// The form of a webhook as it stands, as far as the viewer may see it.
async fn as_shown(
    dashboard: &DashboardState,
    viewer: &Viewer,
    id: WebhookId,
) -> Result<WebhookForm, PageError> {
    let view = webhooks::get(&dashboard.node, viewer.caller, id).await?;
    Ok(WebhookForm::of(&view.webhook, view.shown))
}

pub(super) async fn update(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, form): SignedForm,
) -> Result<Response, PageError> {
    let id: WebhookId = id_of(&id)?;
    viewer.must_write()?;
    let is_preview = form.text("do") == Some("preview");
    let form = WebhookForm::read(&form);
    if is_preview {
        return preview(&dashboard, &viewer, Some(id.to_string()), form).await;
    }
    let shown = as_shown(&dashboard, &viewer, id).await?;
    let changed = match form.request_over(&shown) {
        Ok(request) => webhooks::update(&dashboard.node, viewer.caller, id, request).await,
        Err(why) => Err(Refusal::Invalid(why)),
    };
    match changed {
        Ok(_) => Ok(go(&format!("/dashboard/webhooks/{id}"), Flash::Saved)),
        Err(refusal) => {
            let error = PageError::from(refusal).message;
            let page = form_page(&dashboard, &viewer, Some(id.to_string()), form, Some(error));
            Ok(show_again(&page))
        }
    }
}

/// Asks whether to delete it, and says what that affects.
pub(super) async fn ask_to_delete(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    viewer.must_write()?;
    let (node, caller) = (&dashboard.node, viewer.caller);
    let webhook = webhooks::get(node, caller, id).await?.webhook;
    let subscriptions = all_subscriptions(&dashboard, caller).await?;
    let subscriptions = subscriptions
        .iter()
        .filter(|one| one.webhook_id() == Some(id))
        .count();
    Ok(show(&DeletePage {
        frame: viewer.frame(&dashboard, "webhooks", "Delete webhook"),
        id: id.to_string(),
        url: shown_url(&webhook.hook_url).into_owned(),
        subscriptions,
        subscriptions_in_words: many(subscriptions, "subscription"),
        has_pending: webhooks::has_pending(node, caller, id).await?,
    }))
}

pub(super) async fn delete(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    webhooks::delete(&dashboard.node, viewer.caller, id_of(&id)?).await?;
    Ok(go("/dashboard/webhooks", Flash::Deleted))
}
