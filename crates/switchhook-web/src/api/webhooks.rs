//! `/api/v2/webhooks`: where we send, as Dialpad's API shows it.
//!
//! How each webhook wants to be sent to is `webhook_settings.rs`.

use axum::Json;
use axum::extract::State;
use http::Uri;
use serde::Deserialize;
use switchhook_domain::credential::shown_url;
use switchhook_domain::id::WebhookId;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::webhook::{Webhook, WebhookChange};
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::{Reader, Writer};
use super::compat::{IdText, Items, WebhookAnswer, secret_or_none};
use super::error::ApiError;
use super::limits::too_many;
use super::request::{Field, JsonBody, PageQuery, PathId, Query};
use super::traffic::{require_clearance, secrets_shown};
use super::webhook_settings::change_webhook;
use switchhook_node::caller::Caller;
use switchhook_node::inspector;

/// A webhook to make or to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub(crate) struct WebhookRequest {
    /// Where deliveries are posted to. Required to make a webhook.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "https://example.com/hooks/dialpad")]
    hook_url: Field<String>,
    /// With a secret deliveries are signed (HS256); null or an empty text means none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    secret: Field<String>,
}

/// The longest URL and the longest secret, in characters.
const LONGEST_TEXT: usize = 2_048;

/// Lists the company's webhooks, oldest first.
#[utoipa::path(
    get, path = "/api/v2/webhooks", tag = "webhooks", operation_id = "webhooks.list",
    params(PageQuery),
    responses((status = 200, description = "A page of webhooks", body = Items<WebhookAnswer>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<Items<WebhookAnswer>>, ApiError> {
    let page = PageQuery::read(Query::of(&uri))?.compatible();
    let page = api.node.store.list_webhooks(caller.company_id, page).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for webhook in &page.items {
        items.push(shown_to(&api, caller, webhook).await?);
    }
    Ok(Json(Items {
        items,
        cursor: page.next.map(IdText),
    }))
}

/// Makes a webhook.
#[utoipa::path(
    post, path = "/api/v2/webhooks", tag = "webhooks", operation_id = "webhooks.create",
    request_body = WebhookRequest,
    responses((status = 200, description = "The webhook", body = WebhookAnswer)),
)]
pub(crate) async fn create(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(request): JsonBody<WebhookRequest>,
) -> Result<Json<WebhookAnswer>, ApiError> {
    let hook_url = request
        .hook_url
        .given()
        .ok_or_else(|| ApiError::required("hook_url is required: the URL that events are posted to"))?;
    check_url(&api, &hook_url)?;
    let secret = request.secret.given();
    check_secret(secret.as_deref())?;
    let now = api.node.clock.now();
    let id = WebhookId(api.node.ids.next(now));
    let webhook =
        Webhook::new(id, caller.company_id, hook_url, now).with_secret(secret.and_then(secret_or_none));
    let share = api.node.shares.of(caller.company_id);
    let _turn = share.change.lock().await;
    let there = api.node.registry.webhook_count(caller.company_id);
    if !api.node.shares.limits().webhooks.allows_more_than(there) {
        return Err(too_many("webhooks", there, "--limit-webhooks"));
    }
    let webhook = api.node.store.create_webhook(webhook).await?;
    api.node.registry.refresh(caller.company_id).await?;
    shown_to(&api, caller, &webhook).await.map(Json)
}

/// Shows a webhook.
#[utoipa::path(
    get, path = "/api/v2/webhooks/{id}", tag = "webhooks", operation_id = "webhooks.get",
    params(("id" = IdText, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook", body = WebhookAnswer)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<WebhookAnswer>, ApiError> {
    let webhook = api.node.store.webhook(caller.company_id, id).await?;
    shown_to(&api, caller, &webhook).await.map(Json)
}

/// Changes a webhook: what is not sent stays.
///
/// Another URL or secret takes a key that may see everything that goes there: each subscription with its scopes, and the
/// deliveries that wait.
#[utoipa::path(
    patch, path = "/api/v2/webhooks/{id}", tag = "webhooks", operation_id = "webhooks.update",
    params(("id" = IdText, Path, description = "The webhook's id")),
    request_body = WebhookRequest,
    responses((status = 200, description = "The webhook", body = WebhookAnswer)),
)]
pub(crate) async fn update(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
    JsonBody(request): JsonBody<WebhookRequest>,
) -> Result<Json<WebhookAnswer>, ApiError> {
    let hook_url = request.hook_url.change_required("hook_url")?;
    if let Some(url) = &hook_url {
        check_url(&api, url)?;
    }
    let secret = request.secret.change();
    check_secret(secret.iter().flatten().next().map(String::as_str))?;
    let mut change = WebhookChange {
        hook_url,
        secret: secret.map(|secret| secret.and_then(secret_or_none)),
        ..WebhookChange::default()
    };
    // What leads there must not change between the look at it and the change.
    let share = api.node.shares.of(caller.company_id);
    let _turn = share.change.lock().await;
    let before = api.node.store.webhook(caller.company_id, id).await?;
    // What was shown masked and comes back so stays.
    if change.hook_url.as_deref() == Some(&*shown_url(&before.hook_url)) {
        change.hook_url = None;
    }
    // Whether it is the same credential as before is not told to whoever may not know that.
    let signs = change
        .secret
        .as_ref()
        .is_some_and(|secret| secret.is_some() || before.secret.is_some());
    if change.hook_url.is_some() || signs {
        require_clearance(&api, caller, Endpoint::Webhook(id)).await?;
    }
    let webhook = change_webhook(&api, caller, id, change).await?;
    shown_to(&api, caller, &webhook).await.map(Json)
}

/// Deletes a webhook and shows what it was. Its subscriptions stay, with `webhook: null`, and deliver nothing.
#[utoipa::path(
    delete, path = "/api/v2/webhooks/{id}", tag = "webhooks", operation_id = "webhooks.delete",
    params(("id" = IdText, Path, description = "The webhook's id")),
    responses((status = 200, description = "What the webhook was", body = WebhookAnswer)),
)]
pub(crate) async fn delete(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<WebhookAnswer>, ApiError> {
    let now = api.node.clock.now();
    let shown = secrets_shown(&api, caller, Endpoint::Webhook(id)).await?;
    let webhook = api.node.store.delete_webhook(caller.company_id, id, now).await?;
    api.node.registry.refresh(caller.company_id).await?;
    api.node.engine.nudge(id);
    Ok(Json(WebhookAnswer::of(&webhook, shown)))
}

/// The webhook as this caller may see it.
async fn shown_to(api: &SharedApi, caller: Caller, webhook: &Webhook) -> Result<WebhookAnswer, ApiError> {
    let shown = secrets_shown(api, caller, Endpoint::Webhook(webhook.id)).await?;
    Ok(WebhookAnswer::of(webhook, shown))
}

fn check_url(api: &SharedApi, url: &str) -> Result<(), ApiError> {
    check_named_url(api, "hook_url", url)
}

/// Checks a URL that events are to be posted to, and that stands under this name in the request.
pub(super) fn check_named_url(api: &SharedApi, name: &str, url: &str) -> Result<(), ApiError> {
    if url.is_empty() {
        return Err(ApiError::required(format!(
            "{name} is empty: send the URL that events are posted to"
        )));
    }
    if url.chars().count() > LONGEST_TEXT {
        return Err(ApiError::invalid(format!(
            "{name} is longer than {LONGEST_TEXT} characters"
        )));
    }
    if url.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
        return Err(ApiError::invalid(format!(
            "{name} has white space in it: escape it as %20"
        )));
    }
    if api.node.inspector.is_some() && inspector::name_of(url).is_some() {
        return Ok(());
    }
    let checked = api.node.address_guard.check_url(url);
    checked.map_err(|refused| ApiError::invalid(format!("{name}: {refused}")))
}

pub(crate) fn check_secret(secret: Option<&str>) -> Result<(), ApiError> {
    if secret.is_some_and(|secret| secret.chars().count() > LONGEST_TEXT) {
        return Err(ApiError::invalid(format!(
            "secret is longer than {LONGEST_TEXT} characters"
        )));
    }
    Ok(())
}
