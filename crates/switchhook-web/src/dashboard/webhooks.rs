//! Webhooks: the list, one of them, and what can be done with it. Its form is `webhook_form.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use switchhook_domain::credential::shown_url;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::outage::Outage;
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::{Endpoint, Subscription};
use switchhook_domain::webhook::{Severity, Webhook};
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::{DeliveryFilter, PageRequest, StoreError, SubscriptionFilter};

use super::deliveries::rows_about_events;
use super::history::Charts;
use super::page::{Frame, Said, Trouble, go, show as show_page, show_again};
use super::part::{self, Choice, DeliveryRow, Moment, Sentence, many, millis, span, tone_of};
use super::session::{Filled, Visitor};
use super::subscriptions::SubscriptionRow;
use super::webhook_form::WebhookForm;
use super::{Desk, SharedDesk};
use switchhook_node::health;
use switchhook_node::inspector::name_of;
use switchhook_node::refusal::Refusal;
use switchhook_node::traffic::secrets_shown;
use switchhook_node::webhooks::{self, PreviewRequest, Rotation};

/// How many webhooks a page has.
const A_PAGE: u32 = 50;

/// How many subscriptions are looked through for those of a webhook.
const MOST_SUBSCRIPTIONS: u32 = 1_000;

/// How many outages are shown.
const MOST_OUTAGES: u32 = 5;

/// How many of the latest deliveries are shown.
const LATEST: u32 = 10;

/// A row about a webhook.
#[derive(Debug)]
struct WebhookRow {
    id: String,
    url: String,
    state: &'static str,
    tone: &'static str,
    waiting: u32,
    /// Whether more wait than were counted.
    is_more: bool,
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

/// How the last attempt of an outage failed.
#[derive(Debug)]
struct FailurePart {
    delivery_id: String,
    line: Option<String>,
}

/// A time in which every attempt failed.
#[derive(Debug)]
struct OutageRow {
    since: Moment,
    until: Option<Moment>,
    lasted: String,
    attempts: u32,
    last: String,
    delivery_id: String,
}

impl OutageRow {
    fn of(outage: &Outage, now: Timestamp) -> Self {
        Self {
            since: Moment(outage.since),
            until: outage.until.map(Moment),
            lasted: span(outage.until.unwrap_or(now).since(outage.since)),
            attempts: outage.attempts,
            last: outage.last.in_words(),
            delivery_id: outage.last.delivery_id.to_string(),
        }
    }
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct WebhookPage {
    frame: Frame,
    id: String,
    url: String,
    state: &'static str,
    tone: &'static str,
    state_in_words: Sentence,
    /// The last attempt of an outage: its delivery, and the first line of what was answered.
    failure: Option<FailurePart>,
    outages: Vec<OutageRow>,
    is_paused: bool,
    /// Whether it can be tried now.
    can_retry: bool,
    /// For those who may change it, unless it is hidden.
    secret: Option<String>,
    is_signed: bool,
    /// What should be known of the secret.
    weakness: Option<String>,
    inspector: Option<String>,
    facts: Vec<(&'static str, String)>,
    subscriptions: Vec<SubscriptionRow>,
    deliveries: Vec<DeliveryRow>,
    charts: Charts,
    kinds: Vec<Choice>,
    created_at: Moment,
    updated_at: Moment,
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

/// What the template makes of the last event.
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

fn id_of(text: &str) -> Result<WebhookId, Trouble> {
    text.parse()
        .map_err(|_| Trouble::not_found("Ids are whole numbers."))
}

/// Lists webhooks.
pub(super) async fn list(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    let company_id = visitor.caller.company_id;
    let page = PageRequest {
        after: visitor.query("cursor").and_then(|cursor| cursor.parse().ok()),
        limit: A_PAGE,
    };
    let webhooks = desk.node.store.list_webhooks(company_id, page).await?;
    let subscriptions = all_subscriptions(&desk, company_id).await?;
    let healths = health::of_all(&desk.node, &webhooks.items).await?;
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
            subscriptions: kinds.into_iter().collect(),
            is_signed: webhook.secret.is_some(),
            created_at: Moment(webhook.created_at),
        }
    });
    Ok(show_page(&WebhooksPage {
        rows: rows.collect(),
        frame: Frame::new(&desk, &visitor, "webhooks", "Webhooks"),
        next: webhooks.next,
        is_first: page.after.is_none(),
    }))
}

async fn all_subscriptions(desk: &Desk, company_id: CompanyId) -> Result<Vec<Subscription>, StoreError> {
    let page = PageRequest::first(MOST_SUBSCRIPTIONS);
    let every = SubscriptionFilter::default();
    Ok(desk
        .node
        .store
        .list_subscriptions(company_id, every, page)
        .await?
        .items)
}

/// Shows a webhook.
pub(super) async fn show(
    State(desk): State<SharedDesk>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let company_id = visitor.caller.company_id;
    let store = &desk.node.store;
    let webhook = store.webhook(company_id, id).await?;
    let subscriptions = all_subscriptions(&desk, company_id).await?;
    let health = health::of(&desk.node, &webhook).await?;
    let failure = match &health.outage {
        Some(outage) => Some(FailurePart {
            delivery_id: outage.last.delivery_id.to_string(),
            line: health::last_line(&desk.node, visitor.sight(&desk), &webhook, outage).await?,
        }),
        None => None,
    };
    let failing_since = health.outage.as_ref().map(|outage| outage.since);
    let outages = store.outages_of(id, MOST_OUTAGES).await?;
    let now = desk.node.clock.now();
    let filter = DeliveryFilter {
        webhook_id: Some(id),
        ..DeliveryFilter::default()
    };
    let deliveries = store
        .list_deliveries(company_id, filter, PageRequest::first(LATEST))
        .await?;
    let url = shown_url(&webhook.hook_url).into_owned();
    let frame = Frame::new(&desk, &visitor, "webhooks", url.clone());
    let sight = visitor.sight(&desk);
    let own = subscriptions
        .iter()
        .filter(|one| one.webhook_id() == Some(id) && sight.sees(one.filter.kind()));
    let deliveries: Vec<_> = deliveries
        .items
        .into_iter()
        .filter(|delivery| sight.sees(delivery.kind))
        .collect();
    let secret = match &webhook.secret {
        Some(secret) => {
            let shown = secrets_shown(&desk.node, visitor.caller, Endpoint::Webhook(id)).await?;
            shown.of(secret, &webhook.settings)
        }
        None => None,
    };
    Ok(show_page(&WebhookPage {
        id: id.to_string(),
        url,
        state: health.condition.in_words(),
        tone: tone_of(health.condition.severity()),
        state_in_words: Sentence(health.text),
        failure,
        outages: outages.iter().map(|outage| OutageRow::of(outage, now)).collect(),
        is_paused: webhook.paused_at.is_some(),
        can_retry: webhook.paused_at.is_none()
            && (health.condition.severity() == Severity::Wrong || health.waiting.count > 0),
        secret,
        is_signed: webhook.secret.is_some(),
        weakness: webhook.secret.as_ref().and_then(Secret::weakness),
        inspector: name_of(&webhook.hook_url).map(ToOwned::to_owned),
        facts: facts(&desk, &webhook),
        subscriptions: own
            .map(|one| SubscriptionRow::of(one, Some(&webhook.hook_url)))
            .collect(),
        deliveries: rows_about_events(&desk, &visitor, &deliveries).await?,
        charts: Charts::of(&desk, &visitor, Some(id), failing_since).await?,
        kinds: part::kinds(Some("call")),
        created_at: Moment(webhook.created_at),
        updated_at: Moment(webhook.updated_at),
        frame,
    }))
}

/// What holds for a webhook, the server's defaults included.
fn facts(desk: &Desk, webhook: &Webhook) -> Vec<(&'static str, String)> {
    let defaults = &desk.node.settings.delivery;
    let settings = &webhook.settings;
    let mut facts = vec![
        ("Retry rules", settings.profile(defaults).to_string()),
        (
            "Order",
            if settings.ordered(defaults) {
                "one call, message, agent or contact after the other".to_owned()
            } else {
                "none".to_owned()
            },
        ),
        (
            "Concurrency",
            format!("up to {} attempts", settings.max_in_flight(defaults)),
        ),
        (
            "Rate",
            settings
                .rate
                .map_or_else(|| "not limited".to_owned(), |rate| format!("{rate} a second")),
        ),
        (
            "Timeouts",
            format!(
                "connect {}, whole attempt {}",
                millis(settings.connect_timeout(defaults).as_secs_f64() * 1_000.0),
                millis(settings.timeout(defaults).as_secs_f64() * 1_000.0)
            ),
        ),
    ];
    if !settings.retry_schedule.is_empty() {
        let waits = settings
            .retry_schedule
            .iter()
            .map(|seconds| span(Duration::from_secs((*seconds).into())));
        facts.push(("Retried after", waits.collect::<Vec<_>>().join(", ")));
    }
    if let Some(after) = settings.disable_after(defaults) {
        facts.push(("Disabled after", format!("{} without a success", span(after))));
    }
    if let Some(hours) = &settings.quiet_hours {
        facts.push(("Quiet hours", hours.clone()));
    }
    if !settings.headers.is_empty() {
        let names: Vec<_> = settings.headers.keys().map(String::as_str).collect();
        facts.push(("Own headers", names.join(", ")));
    }
    if let Some(content_type) = &settings.jwt_content_type {
        facts.push(("Content-Type", content_type.clone()));
    }
    facts
}

/// The form for a new webhook.
pub(super) async fn blank(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    visitor.must_write()?;
    let form = WebhookForm::blank();
    Ok(show_page(&form_page(&desk, &visitor, None, form, None)))
}

fn form_page(
    desk: &Desk,
    visitor: &Visitor,
    id: Option<String>,
    form: WebhookForm,
    trouble: Option<String>,
) -> FormPage {
    let title = match &id {
        Some(_) => "Edit webhook",
        None => "New webhook",
    };
    FormPage {
        frame: Frame::new(desk, visitor, "webhooks", title).troubled(trouble),
        id,
        form,
        has_inspector: desk.node.inspector.is_some(),
        preview: None,
    }
}

/// The form again, with what its template makes of the last event.
async fn preview(
    desk: &Desk,
    visitor: &Visitor,
    id: Option<String>,
    form: WebhookForm,
) -> Result<Response, Trouble> {
    let request = PreviewRequest {
        template: Some(form.text_of("template").unwrap_or_default()),
        content_type: form.text_of("content_type"),
        ..PreviewRequest::default()
    };
    let made = webhooks::preview(&desk.node, visitor.caller, None, request).await?;
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
    let page = form_page(desk, visitor, id, form, None);
    Ok(show_page(&FormPage {
        preview: Some(part),
        ..page
    }))
}

/// Makes a webhook.
pub(super) async fn create(
    State(desk): State<SharedDesk>,
    Filled(visitor, form): Filled,
) -> Result<Response, Trouble> {
    visitor.must_write()?;
    let is_preview = form.text("do") == Some("preview");
    let form = WebhookForm::read(&form);
    if is_preview {
        return preview(&desk, &visitor, None, form).await;
    }
    let made = match form.request() {
        Ok(request) => webhooks::create(&desk.node, visitor.caller, request).await,
        Err(why) => Err(Refusal::Invalid(why)),
    };
    match made {
        Ok(made) => Ok(go(
            &format!("/dashboard/webhooks/{}", made.webhook.id),
            Said::Created,
        )),
        Err(refusal) => {
            let trouble = Trouble::from(refusal).message;
            Ok(show_again(&form_page(&desk, &visitor, None, form, Some(trouble))))
        }
    }
}

/// The form for changing a webhook.
pub(super) async fn edit(
    State(desk): State<SharedDesk>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    visitor.must_write()?;
    let form = as_shown(&desk, &visitor, id_of(&id)?).await?;
    Ok(show_page(&form_page(&desk, &visitor, Some(id), form, None)))
}

/// The form of a webhook as it stands, as far as the visitor may see it.
async fn as_shown(desk: &Desk, visitor: &Visitor, id: WebhookId) -> Result<WebhookForm, Trouble> {
    let webhook = desk.node.store.webhook(visitor.caller.company_id, id).await?;
    let shown = secrets_shown(&desk.node, visitor.caller, Endpoint::Webhook(id)).await?;
    Ok(WebhookForm::of(&webhook, shown))
}

/// Changes a webhook.
pub(super) async fn update(
    State(desk): State<SharedDesk>,
    Path(id): Path<String>,
    Filled(visitor, form): Filled,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    visitor.must_write()?;
    let is_preview = form.text("do") == Some("preview");
    let form = WebhookForm::read(&form);
    if is_preview {
        return preview(&desk, &visitor, Some(id.to_string()), form).await;
    }
    let shown = as_shown(&desk, &visitor, id).await?;
    let changed = match form.request_over(&shown) {
        Ok(request) => webhooks::update(&desk.node, visitor.caller, id, request).await,
        Err(why) => Err(Refusal::Invalid(why)),
    };
    match changed {
        Ok(_) => Ok(go(&format!("/dashboard/webhooks/{id}"), Said::Saved)),
        Err(refusal) => {
            let trouble = Trouble::from(refusal).message;
            let page = form_page(&desk, &visitor, Some(id.to_string()), form, Some(trouble));
            Ok(show_again(&page))
        }
    }
}

/// Holds its deliveries back.
pub(super) async fn pause(
    State(desk): State<SharedDesk>,
    Path(id): Path<String>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    webhooks::pause(&desk.node, visitor.caller, id).await?;
    Ok(go(&format!("/dashboard/webhooks/{id}"), Said::Paused))
}

/// Sends what was held back.
pub(super) async fn resume(
    State(desk): State<SharedDesk>,
    Path(id): Path<String>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    webhooks::resume(&desk.node, visitor.caller, id).await?;
    Ok(go(&format!("/dashboard/webhooks/{id}"), Said::Resumed))
}

/// Tries it now.
pub(super) async fn retry(
    State(desk): State<SharedDesk>,
    Path(id): Path<String>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    webhooks::retry(&desk.node, visitor.caller, id).await?;
    Ok(go(&format!("/dashboard/webhooks/{id}"), Said::Retrying))
}

/// Cancels what waits for it.
pub(super) async fn skip_to_now(
    State(desk): State<SharedDesk>,
    Path(id): Path<String>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    webhooks::skip_to_now(&desk.node, visitor.caller, id).await?;
    Ok(go(&format!("/dashboard/webhooks/{id}"), Said::Skipped))
}

/// Gives it a new secret; the old one still counts for a while.
pub(super) async fn rotate_secret(
    State(desk): State<SharedDesk>,
    Path(id): Path<String>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    webhooks::rotate_secret(&desk.node, visitor.caller, id, Rotation::default()).await?;
    Ok(go(&format!("/dashboard/webhooks/{id}"), Said::Rotated))
}

/// Sends a test event.
pub(super) async fn test(
    State(desk): State<SharedDesk>,
    Path(id): Path<String>,
    Filled(visitor, form): Filled,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    let kind = form.text("kind").unwrap_or("call").parse::<Kind>();
    let kind = kind.map_err(|error| Refusal::Invalid(format!("kind: {error}")))?;
    webhooks::test(&desk.node, visitor.caller, id, kind).await?;
    Ok(go(&format!("/dashboard/webhooks/{id}"), Said::Tested))
}

/// Asks whether to delete it, and says what that affects.
pub(super) async fn ask_to_delete(
    State(desk): State<SharedDesk>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = id_of(&id)?;
    visitor.must_write()?;
    let company_id = visitor.caller.company_id;
    let webhook = desk.node.store.webhook(company_id, id).await?;
    let subscriptions = all_subscriptions(&desk, company_id).await?;
    let subscriptions = subscriptions
        .iter()
        .filter(|one| one.webhook_id() == Some(id))
        .count();
    let pending = desk
        .node
        .store
        .pending_webhooks(Some(WebhookId(id.0 - 1)), 1)
        .await?;
    Ok(show_page(&DeletePage {
        frame: Frame::new(&desk, &visitor, "webhooks", "Delete webhook"),
        id: id.to_string(),
        url: shown_url(&webhook.hook_url).into_owned(),
        subscriptions,
        subscriptions_in_words: many(subscriptions, "subscription"),
        has_pending: pending.first().is_some_and(|one| one.webhook_id == id),
    }))
}

/// Deletes it.
pub(super) async fn delete(
    State(desk): State<SharedDesk>,
    Path(id): Path<String>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    webhooks::delete(&desk.node, visitor.caller, id_of(&id)?).await?;
    Ok(go("/dashboard/webhooks", Said::Deleted))
}
