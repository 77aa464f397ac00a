//! `/api/v2/webhooks`: where we send, as Dialpad's API shows it.
//!
//! How each webhook wants to be sent to is `webhook_settings.rs`.

use axum::Json;
use axum::extract::State;
use http::Uri;
use serde::Deserialize;
use switchhook_domain::id::WebhookId;
use switchhook_domain::webhook::{Webhook, WebhookChange, WebhookSettings};
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::{Reader, Writer};
use super::compat::{IdText, Items, WebhookAnswer, secret_or_none};
use super::error::ApiError;
use super::request::{Field, JsonBody, PageQuery, PathId, Query};

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

/// The longest URL and the longest secret.
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
    let page = api.system.store.list_webhooks(caller.company_id, page).await?;
    let items = page
        .items
        .iter()
        .map(|webhook| WebhookAnswer::of(webhook, api.secrets_shown()))
        .collect();
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
    let now = api.system.clock.now();
    let webhook = Webhook {
        id: WebhookId(api.system.ids.next(now)),
        company_id: caller.company_id,
        hook_url,
        secret: secret.and_then(secret_or_none),
        old_secrets: Vec::new(),
        settings: WebhookSettings::default(),
        paused_at: None,
        created_at: now,
        updated_at: now,
    };
    let webhook = api.system.store.create_webhook(webhook).await?;
    api.system.registry.refresh(caller.company_id).await?;
    Ok(Json(WebhookAnswer::of(&webhook, api.secrets_shown())))
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
    let webhook = api.system.store.webhook(caller.company_id, id).await?;
    Ok(Json(WebhookAnswer::of(&webhook, api.secrets_shown())))
}

/// Changes a webhook: what is not sent stays.
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
    let change = WebhookChange {
        hook_url,
        secret: secret.map(|secret| secret.and_then(secret_or_none)),
        ..WebhookChange::default()
    };
    let now = api.system.clock.now();
    let webhook = api
        .system
        .store
        .update_webhook(caller.company_id, id, change, now)
        .await?;
    api.system.registry.refresh(caller.company_id).await?;
    api.system.engine.nudge(id);
    Ok(Json(WebhookAnswer::of(&webhook, api.secrets_shown())))
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
    let now = api.system.clock.now();
    let webhook = api
        .system
        .store
        .delete_webhook(caller.company_id, id, now)
        .await?;
    api.system.registry.refresh(caller.company_id).await?;
    api.system.engine.nudge(id);
    Ok(Json(WebhookAnswer::of(&webhook, api.secrets_shown())))
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
    if url.len() > LONGEST_TEXT {
        return Err(ApiError::invalid(format!(
            "{name} is longer than {LONGEST_TEXT} bytes"
        )));
    }
    if url.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
        return Err(ApiError::invalid(format!(
            "{name} has white space in it: escape it as %20"
        )));
    }
    let checked = api.system.address_guard.check_url(url);
    checked.map_err(|refused| ApiError::invalid(format!("{name}: {refused}")))
}

pub(crate) fn check_secret(secret: Option<&str>) -> Result<(), ApiError> {
    if secret.is_some_and(|secret| secret.len() > LONGEST_TEXT) {
        return Err(ApiError::invalid(format!(
            "secret is longer than {LONGEST_TEXT} bytes"
        )));
    }
    Ok(())
}
