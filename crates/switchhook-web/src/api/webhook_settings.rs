//! `/v1/webhooks`: webhooks with their settings, and what can be done with them beyond Dialpad's API.
//!
//! What is done is done by the node's verbs; here requests are read and webhooks are shown.

mod health_answer;
mod schema;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use serde::{Deserialize, Serialize};
use switchhook_domain::breaker::Breaker;
use switchhook_domain::credential::MASK;
use switchhook_domain::id::{EventId, WebhookId};
use switchhook_domain::retry::Profile;
use switchhook_domain::secret::Secret;
use switchhook_domain::webhook::{DeliveryDefaults, OldSecret, Webhook, WebhookSettings};
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::Node;
use switchhook_node::caller::Caller;
use switchhook_node::secrets_shown::{SecretsShown, shown_settings};
use switchhook_node::sight::Sight;
use switchhook_node::webhooks::{self, PreviewRequest, Rotation, Shown};
use switchhook_node::{health, history};
use switchhook_protocol::key_id;
use utoipa::ToSchema;

use self::health_answer::HealthAnswer;
use self::schema::{SettingsAnswer, SettingsRequest};
use super::SharedApi;
use super::auth::{Reader, Writer};
use super::compat::{IdText, Items, LooseId, WebhookAnswer};
use super::error::ApiError;
use super::events::{AcceptedEvent, accepted_answer};
use super::request::{Field, JsonBody, PageQuery, PathId, Query};
use super::words;

/// A webhook with its settings; what is null follows the server.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookWithSettings {
    #[serde(flatten)]
    webhook: WebhookAnswer,
    #[serde(flatten)]
    settings: SettingsAnswer,
    /// The name of the secret: what `kid` is, if it is announced. `***` for keys that may only look: guesses could be tried on it.
    #[schema(required, example = "9f86d081884c7d65")]
    kid: Option<String>,
    /// The secret as libraries for Standard Webhooks take it; null unless `standard_webhooks` is on and the secret is shown.
    #[schema(required, example = "whsec_YSBzaGFyZWQgc2VjcmV0")]
    standard_secret: Option<String>,
    /// The secrets before it that still count, the newest first.
    old_secrets: Vec<OldSecretAnswer>,
    /// What should not stay as it is.
    warnings: Vec<String>,
    /// What holds now, whoever decided it.
    in_force: SettingsInForce,
    /// Since when its deliveries are held back, in unix milliseconds; null if they are not.
    #[schema(value_type = Option<i64>, required)]
    paused_at: Option<Timestamp>,
    /// Since when it is held back because its receiver had failed for too long or asked for it; null if that is not why.
    #[schema(value_type = Option<i64>, required)]
    disabled_at: Option<Timestamp>,
    /// How it does.
    health: HealthAnswer,
    /// Whether its receiver is sent to.
    breaker: BreakerAnswer,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    #[schema(value_type = i64)]
    updated_at: Timestamp,
}

/// A secret that was replaced. No JWT is signed with it any more; Standard Webhooks have a signature with it, too.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OldSecretAnswer {
    /// Its name.
    kid: String,
    /// When it stops counting, in unix milliseconds.
    #[schema(value_type = i64)]
    valid_until: Timestamp,
    /// The secret; absent if the webhook or the server hides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    secret: Option<String>,
}

/// How the breaker is. It opens after failures in a row, and then lets one attempt through now and then.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BreakerAnswer {
    /// `closed`, `open`, or `probing` when the next attempt is due.
    #[schema(example = "closed")]
    state: &'static str,
    /// Failures since the last success.
    failures: u32,
    /// Since when it is open, in unix milliseconds.
    #[schema(value_type = Option<i64>, required)]
    since: Option<Timestamp>,
    /// When the next attempt is made, in unix milliseconds.
    #[schema(value_type = Option<i64>, required)]
    next_probe_at: Option<Timestamp>,
}

/// The settings that hold, the server's defaults included.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SettingsInForce {
    #[schema(schema_with = words::profile)]
    profile: Profile,
    ordered: bool,
    max_in_flight: u32,
    connect_timeout_ms: u64,
    head_timeout_ms: u64,
    timeout_ms: u64,
    /// 0 for never.
    disable_after_days: u32,
}

/// How to replace a secret; an empty body will do.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct RotationRequest {
    /// The new secret; without one it is made up: 32 random bytes.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    secret: Field<String>,
    /// For how long the old one still counts: `24h`, at most `90d`; `0s` forgets it at once.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "24h")]
    overlap: Field<String>,
    /// Whether the header of signed deliveries names the secret (`kid`) from now on; what is not sent stays.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    announce_kid: Field<bool>,
}

/// What to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub(crate) struct SampleRequest {
    /// The kind of event; `call` unless told otherwise.
    #[serde(default)]
    #[schema(schema_with = words::kind_or_null)]
    kind: Field<Kind>,
}

/// A template to preview.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct PreviewBody {
    /// The template or the name of a ready one; without it the webhook's own.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "slack-missed-call")]
    template: Field<String>,
    /// The content type of what it makes; without it the webhook's own.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "application/json")]
    content_type: Field<String>,
    /// Of this event; without it of the last one.
    #[serde(default)]
    #[schema(value_type = Option<LooseId>)]
    event_id: Field<LooseId>,
    /// Of the last event of this kind; `call` unless told otherwise.
    #[serde(default)]
    #[schema(schema_with = words::kind_or_null)]
    kind: Field<Kind>,
}

/// What a template makes of an event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviewAnswer {
    /// The event; null if there is none yet, and it is a sample.
    #[schema(required)]
    event_id: Option<IdText>,
    #[schema(schema_with = words::kept_kind)]
    kind: Kind,
    content_type: String,
    /// What would be sent; null if nothing can be made.
    #[schema(required)]
    body: Option<String>,
    /// What is wrong with the template, and in which line; null if nothing is.
    #[schema(required, example = "line 2: syntax error: unexpected end of input")]
    error: Option<String>,
}

/// Shows what a template makes of an event, as far as the key may see that. Nothing is sent or changed.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/preview", tag = "webhooks", operation_id = "webhooks.preview",
    params(("id" = IdText, Path, description = "The webhook's id")),
    request_body = PreviewBody,
    responses((status = 200, description = "What it makes, or why nothing", body = PreviewAnswer)),
)]
pub(crate) async fn preview(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<WebhookId>,
    JsonBody(request): JsonBody<PreviewBody>,
) -> Result<Json<PreviewAnswer>, ApiError> {
    let request = PreviewRequest {
        template: request.template.given(),
        content_type: request.content_type.given(),
        event_id: request.event_id.given().map(|id| EventId(id.0)),
        kind: request.kind.given(),
    };
    let preview = webhooks::preview(&api.node, caller, Some(id), request).await?;
    let (body, error) = match preview.made {
        Ok(body) => (Some(body), None),
        Err(error) => (None, Some(error)),
    };
    Ok(Json(PreviewAnswer {
        event_id: preview.event_id.map(|id| IdText(id.0)),
        kind: preview.kind,
        content_type: preview.content_type,
        body,
        error,
    }))
}

/// Lists the company's webhooks with their settings, oldest first.
#[utoipa::path(
    get, path = "/v1/webhooks", tag = "webhooks", operation_id = "webhook_settings.list",
    params(PageQuery),
    responses((status = 200, description = "A page of webhooks", body = Items<WebhookWithSettings>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<Items<WebhookWithSettings>>, ApiError> {
    let page = PageQuery::read(Query::of(&uri))?.ours()?;
    let page = api.node.store.list_webhooks(caller.company_id, page).await?;
    let mut items = Vec::with_capacity(page.items.len());
    let healths = health::of_all(&api.node, &page.items).await?;
    let ids: Vec<_> = page.items.iter().map(|webhook| webhook.id).collect();
    let rates = history::rates(&api.node, caller.company_id, &ids).await?;
    let sight = Sight::of(caller, &api.node);
    for (webhook, health) in page.items.into_iter().zip(healths) {
        let health = HealthAnswer::of(&api.node, sight, &webhook, health, &rates[&webhook.id]).await?;
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
    responses((status = 200, description = "The webhook", body = WebhookWithSettings)),
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
    params(("id" = IdText, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook", body = WebhookWithSettings)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<WebhookWithSettings>, ApiError> {
    let webhook = api.node.store.webhook(caller.company_id, id).await?;
    let shown = webhooks::shown_to(&api.node, caller, webhook).await?;
    Ok(Json(WebhookWithSettings::of(&api.node, caller, shown).await?))
}

/// Changes a webhook's URL, secret and settings in one change: what is not sent stays, null follows the server again.
///
/// Another URL, secret or header, and showing a secret that was hidden, take a key that may see everything that goes
/// there: each subscription with its scopes, and the deliveries that wait.
#[utoipa::path(
    patch, path = "/v1/webhooks/{id}", tag = "webhooks", operation_id = "webhook_settings.update",
    params(("id" = IdText, Path, description = "The webhook's id")),
    request_body = SettingsRequest,
    responses((status = 200, description = "The webhook", body = WebhookWithSettings)),
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
    params(("id" = IdText, Path, description = "The webhook's id")),
    responses((status = 200, description = "What the webhook was", body = WebhookWithSettings)),
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
    params(("id" = IdText, Path, description = "The webhook's id")),
    request_body = RotationRequest,
    responses((status = 200, description = "The webhook with its new secret", body = WebhookWithSettings)),
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

/// Holds a webhook's deliveries back: none is lost, none is sent.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/pause", tag = "webhooks", operation_id = "webhooks.pause",
    params(("id" = IdText, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook", body = WebhookWithSettings)),
)]
pub(crate) async fn pause(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<WebhookWithSettings>, ApiError> {
    let changed = webhooks::pause(&api.node, caller, id).await?;
    Ok(Json(WebhookWithSettings::of(&api.node, caller, changed).await?))
}

/// Sends what was held back, oldest first, and tries at once if the receiver had failed. `health.waiting` says how much waits.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/resume", tag = "webhooks", operation_id = "webhooks.resume",
    params(("id" = IdText, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook", body = WebhookWithSettings)),
)]
pub(crate) async fn resume(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<WebhookWithSettings>, ApiError> {
    let changed = webhooks::resume(&api.node, caller, id).await?;
    Ok(Json(WebhookWithSettings::of(&api.node, caller, changed).await?))
}

/// Tries a webhook now, whatever its breaker and its retry schedule say: one attempt at once, and if it succeeds everything that
/// waits is sent.
///
/// The answer shows the webhook as it is before that attempt. A webhook that is paused, or in its quiet hours, is refused (409).
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/retry", tag = "webhooks", operation_id = "webhooks.retry",
    params(("id" = IdText, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook", body = WebhookWithSettings)),
)]
pub(crate) async fn retry(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<WebhookWithSettings>, ApiError> {
    let shown = webhooks::retry(&api.node, caller, id).await?;
    Ok(Json(WebhookWithSettings::of(&api.node, caller, shown).await?))
}

/// What a webhook was made to skip.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SkippedAnswer {
    /// How many deliveries were cancelled.
    #[schema(example = 214)]
    skipped: usize,
    /// Whether there are more: one request cancels 50,000 or a few more at the most.
    has_more: bool,
}

/// Cancels the deliveries that wait for a webhook, so that it goes on with the events that come from now on.
///
/// Each of them stays in the log as `cancelled`, with a `note` that says why, and can be delivered again by itself or by a replay.
/// An attempt that is under way may still arrive.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/skip-to-now", tag = "webhooks", operation_id = "webhooks.skip_to_now",
    params(("id" = IdText, Path, description = "The webhook's id")),
    responses((status = 200, description = "What was skipped", body = SkippedAnswer)),
)]
pub(crate) async fn skip_to_now(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<SkippedAnswer>, ApiError> {
    let skipped = webhooks::skip_to_now(&api.node, caller, id).await?;
    Ok(Json(SkippedAnswer {
        skipped: skipped.count,
        has_more: skipped.has_more,
    }))
}

/// Sends a small sample event to this webhook only, at once and also while its breaker is open; of a webhook that is paused, or in its
/// quiet hours, it waits until that ends. It is kept like any other event.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/test", tag = "webhooks", operation_id = "webhooks.test",
    params(("id" = IdText, Path, description = "The webhook's id")),
    request_body = SampleRequest,
    responses((status = 202, description = "The event is kept and on its way", body = AcceptedEvent<'_>)),
)]
pub(crate) async fn test(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
    JsonBody(request): JsonBody<SampleRequest>,
) -> Result<Response, ApiError> {
    let kind = request.kind.given().unwrap_or(Kind::Call);
    let accepted = webhooks::test(&api.node, caller, id, kind).await?;
    Ok(accepted_answer(&accepted))
}

impl WebhookWithSettings {
    async fn of(node: &Node, caller: Caller, shown: Shown) -> Result<Self, ApiError> {
        let health = health::of(node, &shown.webhook).await?;
        let sight = Sight::of(caller, node);
        let id = shown.webhook.id;
        let rates = history::rates(node, caller.company_id, &[id]).await?;
        let health = HealthAnswer::of(node, sight, &shown.webhook, health, &rates[&id]).await?;
        Ok(Self::with_health(node, shown, health))
    }

    fn with_health(node: &Node, shown: Shown, health: HealthAnswer) -> Self {
        let webhook = WebhookAnswer::of(&shown);
        let Shown {
            webhook: own,
            secret_shown,
            shown,
        } = shown;
        let standard = own.secret.as_ref().filter(|_| own.settings.standard_webhooks);
        let standard_secret = standard.and_then(|secret| secret_shown.of(secret, &own.settings));
        let standard_secret = standard_secret
            .as_deref()
            .map(switchhook_protocol::standard_secret);
        Self {
            webhook,
            standard_secret,
            kid: own.secret.as_ref().map(|secret| name_of(secret, shown)),
            old_secrets: old_secrets(node, &own, shown),
            warnings: own.secret.iter().filter_map(Secret::weakness).collect(),
            in_force: SettingsInForce::of(&own.settings, &node.settings.delivery),
            paused_at: own.paused_at,
            disabled_at: own.disabled_at,
            health,
            breaker: BreakerAnswer::of(node, own.id),
            created_at: own.created_at,
            updated_at: own.updated_at,
            settings: SettingsAnswer::of(shown_settings(own.settings, shown)),
        }
    }
}

fn name_of(secret: &Secret, shown: SecretsShown) -> String {
    match shown {
        SecretsShown::Masked => MASK.to_owned(),
        SecretsShown::AsSet | SecretsShown::Never | SecretsShown::Always => key_id(secret.expose()),
    }
}

fn old_secrets(node: &Node, webhook: &Webhook, shown: SecretsShown) -> Vec<OldSecretAnswer> {
    let now = node.clock.now();
    let valid = webhook
        .old_secrets
        .iter()
        .rev()
        .filter(|old| old.valid_until > now);
    let answer = |old: &OldSecret| OldSecretAnswer {
        kid: name_of(&old.secret, shown),
        valid_until: old.valid_until,
        secret: shown.of(&old.secret, &webhook.settings),
    };
    valid.map(answer).collect()
}

impl BreakerAnswer {
    fn of(node: &Node, id: WebhookId) -> Self {
        let destination = node.registry.destination(id);
        let breaker = destination.map_or_else(Breaker::default, |destination| destination.breaker());
        match breaker {
            Breaker::Closed { failures } => Self {
                state: "closed",
                failures,
                since: None,
                next_probe_at: None,
            },
            Breaker::Open {
                since,
                probe_at,
                failures,
            } => Self {
                state: if probe_at <= node.clock.now() {
                    "probing"
                } else {
                    "open"
                },
                failures,
                since: Some(since),
                next_probe_at: Some(probe_at),
            },
        }
    }
}

impl SettingsInForce {
    fn of(settings: &WebhookSettings, defaults: &DeliveryDefaults) -> Self {
        let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            profile: settings.profile(defaults),
            ordered: settings.ordered(defaults),
            max_in_flight: settings.max_in_flight(defaults),
            connect_timeout_ms: millis(settings.connect_timeout(defaults)),
            head_timeout_ms: millis(
                settings
                    .head_timeout(defaults)
                    .unwrap_or(settings.timeout(defaults)),
            ),
            timeout_ms: millis(settings.timeout(defaults)),
            disable_after_days: settings.disable_after_days.unwrap_or(defaults.disable_after_days),
        }
    }
}
