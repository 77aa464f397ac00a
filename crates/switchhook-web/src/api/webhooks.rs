//! `/api/v2/webhooks`: receivers' URLs, as Dialpad's API shows them.
//!
//! Webhooks with their settings are `webhook_settings.rs`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use switchhook_domain::id::WebhookId;
use switchhook_domain::webhook::WebhookRequest;
use switchhook_node::webhooks;
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::{Reader, Writer};
use super::compat::{Items, WebhookAnswer};
use super::query::{PageQuery, Query};
use super::request::{Field, JsonBody, PathId};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;

/// A webhook to make or to change.
#[derive(Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
#[schema(as = WebhookRequest)]
pub(crate) struct CompatibleRequest {
    /// URL that deliveries are posted to. Required to create a webhook.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "https://example.com/hooks/dialpad")]
    hook_url: Field<String>,
    /// Secret with which deliveries are signed (HS256); null or an empty text means none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    secret: Field<String>,
}

impl From<CompatibleRequest> for WebhookRequest {
    fn from(request: CompatibleRequest) -> Self {
        Self {
            hook_url: request.hook_url.change(),
            secret: request.secret.change(),
            ..Self::default()
        }
    }
}

/// Lists the company's webhooks, oldest first.
#[utoipa::path(
    get, path = "/api/v2/webhooks", tag = "webhooks", operation_id = "webhooks.list",
    params(PageQuery),
    responses((status = 200, description = "A page of webhooks.", body = Items<WebhookAnswer>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(query): Query<PageQuery>,
) -> Result<Json<Items<WebhookAnswer>>, ApiError> {
    let page = query.compatible();
    let page = webhooks::list(&api.node, caller, page).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for webhook in page.items {
        let shown = webhooks::shown_to(&api.node, caller, webhook).await?;
        items.push(WebhookAnswer::of(&shown));
    }
    Ok(Json(Items {
        items,
        cursor: page.next.map(IdText),
    }))
}

/// Makes a webhook.
#[utoipa::path(
    post, path = "/api/v2/webhooks", tag = "webhooks", operation_id = "webhooks.create",
    request_body = CompatibleRequest,
    responses((status = 200, description = "The webhook.", body = WebhookAnswer)),
)]
pub(crate) async fn create(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(request): JsonBody<CompatibleRequest>,
) -> Result<Json<WebhookAnswer>, ApiError> {
    let made = webhooks::create(&api.node, caller, request.into()).await?;
    Ok(Json(WebhookAnswer::of(&made)))
}

/// Shows a webhook.
#[utoipa::path(
    get, path = "/api/v2/webhooks/{id}", tag = "webhooks", operation_id = "webhooks.get",
    params(("id" = IdText, Path, description = "The webhook's id.")),
    responses((status = 200, description = "The webhook.", body = WebhookAnswer)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<WebhookAnswer>, ApiError> {
    let shown = webhooks::get(&api.node, caller, id).await?;
    Ok(Json(WebhookAnswer::of(&shown)))
}

/// Changes a webhook: what is not sent stays.
///
/// Another URL or secret takes a key that may see everything that goes there: each subscription with its scopes, and the
/// deliveries that wait.
#[utoipa::path(
    patch, path = "/api/v2/webhooks/{id}", tag = "webhooks", operation_id = "webhooks.update",
    params(("id" = IdText, Path, description = "The webhook's id.")),
    request_body = CompatibleRequest,
    responses((status = 200, description = "The webhook.", body = WebhookAnswer)),
)]
pub(crate) async fn update(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
    JsonBody(request): JsonBody<CompatibleRequest>,
) -> Result<Json<WebhookAnswer>, ApiError> {
    let changed = webhooks::update(&api.node, caller, id, request.into()).await?;
    Ok(Json(WebhookAnswer::of(&changed)))
}

/// Deletes a webhook and shows it. Its subscriptions stay, with `webhook: null`, and deliver nothing.
#[utoipa::path(
    delete, path = "/api/v2/webhooks/{id}", tag = "webhooks", operation_id = "webhooks.delete",
    params(("id" = IdText, Path, description = "The webhook's id.")),
    responses((status = 200, description = "The deleted webhook.", body = WebhookAnswer)),
)]
pub(crate) async fn delete(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<WebhookAnswer>, ApiError> {
    let deleted = webhooks::delete(&api.node, caller, id).await?;
    Ok(Json(WebhookAnswer::of(&deleted)))
}
