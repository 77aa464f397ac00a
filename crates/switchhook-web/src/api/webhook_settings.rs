//! `/v1/webhooks`: webhooks with their settings, as they are made, changed and deleted.
//!
//! Requests are read and webhooks shown here; the node's verbs act on them. Holding deliveries back and sending them is `flow.rs`,
//! trying a webhook out `trial.rs`.

pub(super) mod answer;
pub(crate) mod flow;
mod schema;
pub(crate) mod trial;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use switchhook_domain::id::WebhookId;
use switchhook_node::visibility::Visibility;
use switchhook_node::webhooks::{self, Rotation};
use switchhook_node::{health, history};
use utoipa::ToSchema;

use self::answer::WebhookWithSettings;
use self::answer::health::HealthAnswer;
use self::schema::SettingsRequest;
use super::SharedApi;
use super::auth::{Reader, Writer};
use super::compat::Items;
use super::query::{PageQuery, Query};
use super::request::{Field, JsonBody, PathId};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;

/// Replacement of a secret; an empty body uses the defaults.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct RotationRequest {
    /// The new secret; without one it is made up: 32 random bytes.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    secret: Field<String>,
    /// Time for which the old one still counts, such as `12h`: {usual-overlap} by default, at most {longest-overlap}; `0s` forgets it at once.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "24h")]
    overlap: Field<String>,
    /// True if the header of signed deliveries names the secret (`kid`) from now on; absent leaves it.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    announce_kid: Field<bool>,
}

/// Lists the company's webhooks with their settings, oldest first.
#[utoipa::path(
    get, path = "/v1/webhooks", tag = "webhooks", operation_id = "webhook_settings.list",
    params(PageQuery),
    responses((status = 200, description = "A page of webhooks.", body = Items<WebhookWithSettings>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(query): Query<PageQuery>,
) -> Result<Json<Items<WebhookWithSettings>>, ApiError> {
    let page = query.ours()?;
    let page = webhooks::list(&api.node, caller, page).await?;
    let mut items = Vec::with_capacity(page.items.len());
    let healths = health::of_all(&api.node, &page.items).await?;
    let ids: Vec<_> = page.items.iter().map(|webhook| webhook.id).collect();
    let rates = history::rates(&api.node, caller.company_id, &ids).await?;
    let visibility = Visibility::of(caller, &api.node);
    for (webhook, health) in page.items.into_iter().zip(healths) {
        let health = HealthAnswer::of(&api.node, visibility, &webhook, health, &rates[&webhook.id]).await?;
        let shown = webhooks::shown_to(&api.node, caller, webhook).await?;
        items.push(WebhookWithSettings::with_health(&api.node, shown, health));
    }
    Ok(Json(Items {
        items,
        cursor: page.next.map(IdText),
    }))
}

/// Makes a webhook with its settings: all of it, or nothing.
#[utoipa::path(
    post, path = "/v1/webhooks", tag = "webhooks", operation_id = "webhook_settings.create",
    request_body = SettingsRequest,
    responses((status = 200, description = "The webhook.", body = WebhookWithSettings)),
)]
pub(crate) async fn create(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(SettingsRequest(request)): JsonBody<SettingsRequest>,
) -> Result<Json<WebhookWithSettings>, ApiError> {
    let made = webhooks::create(&api.node, caller, request).await?;
    Ok(Json(WebhookWithSettings::of(&api.node, caller, made).await?))
}

/// Shows a webhook with its settings.
#[utoipa::path(
    get, path = "/v1/webhooks/{id}", tag = "webhooks", operation_id = "webhook_settings.get",
    params(("id" = IdText, Path, description = "The webhook's id.")),
    responses((status = 200, description = "The webhook.", body = WebhookWithSettings)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<WebhookWithSettings>, ApiError> {
    let shown = webhooks::get(&api.node, caller, id).await?;
    Ok(Json(WebhookWithSettings::of(&api.node, caller, shown).await?))
}

/// Changes a webhook's URL, secret and settings in one change: what is not sent stays, null follows the server again.
///
/// Another URL, secret or header, and showing a secret that was hidden, take a key that may see everything that goes
/// there: each subscription with its scopes, and the deliveries that wait.
#[utoipa::path(
    patch, path = "/v1/webhooks/{id}", tag = "webhooks", operation_id = "webhook_settings.update",
    params(("id" = IdText, Path, description = "The webhook's id.")),
    request_body = SettingsRequest,
    responses((status = 200, description = "The webhook.", body = WebhookWithSettings)),
)]
pub(crate) async fn update(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
    JsonBody(SettingsRequest(request)): JsonBody<SettingsRequest>,
) -> Result<Json<WebhookWithSettings>, ApiError> {
    let changed = webhooks::update(&api.node, caller, id, request).await?;
    Ok(Json(WebhookWithSettings::of(&api.node, caller, changed).await?))
}

/// Deletes a webhook and shows what it was. Its subscriptions stay, with `webhook: null`, and deliver nothing.
#[utoipa::path(
    delete, path = "/v1/webhooks/{id}", tag = "webhooks", operation_id = "webhook_settings.delete",
    params(("id" = IdText, Path, description = "The webhook's id.")),
    responses((status = 200, description = "The deleted webhook.", body = WebhookWithSettings)),
)]
pub(crate) async fn delete(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<WebhookWithSettings>, ApiError> {
    let deleted = webhooks::delete(&api.node, caller, id).await?;
    Ok(Json(WebhookWithSettings::of(&api.node, caller, deleted).await?))
}

/// Replaces a webhook's secret: deliveries are signed with the new one at once.
///
/// The old one still counts for events that others signed with it, until the overlap ends. A secret that is made up is
/// shown in this answer even if the webhook hides its secret. Takes a key that may see everything that goes there.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/rotate-secret", tag = "webhooks", operation_id = "webhooks.rotate_secret",
    params(("id" = IdText, Path, description = "The webhook's id.")),
    request_body = RotationRequest,
    responses((status = 200, description = "The webhook with its new secret.", body = WebhookWithSettings)),
)]
pub(crate) async fn rotate_secret(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
    JsonBody(request): JsonBody<RotationRequest>,
) -> Result<Json<WebhookWithSettings>, ApiError> {
    let rotation = Rotation {
        secret: request.secret.given(),
        overlap: request.overlap.given(),
        announce_kid: request.announce_kid.change_or(false),
    };
    let changed = webhooks::rotate_secret(&api.node, caller, id, rotation).await?;
    Ok(Json(WebhookWithSettings::of(&api.node, caller, changed).await?))
}
