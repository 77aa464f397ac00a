//! `/v1/webhooks`: how each webhook wants to be sent to, whether it is held back, and a test event for it.
//!
//! What the settings do is the delivery engine's; here they are read, checked and shown.

mod bounds;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use http::Uri;
use serde::{Deserialize, Serialize};
use switchhook_domain::Timestamp;
use switchhook_domain::breaker::Breaker;
use switchhook_domain::credential::{MASK, shown_value};
use switchhook_domain::id::WebhookId;
use switchhook_domain::retry::Profile;
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::webhook::{
    DeliveryDefaults, LONGEST_DISABLE_DAYS, MOST_RETRY_STEPS, OldSecret, Webhook, WebhookChange,
    WebhookSettings,
};
use switchhook_protocol::key_id;
use utoipa::ToSchema;

pub(super) use self::bounds::Bounds;
use self::bounds::changed;
use super::SharedApi;
use super::auth::{Reader, Writer};
use super::compat::{IdText, Items, SecretsShown, WebhookAnswer, shown_headers};
use super::error::ApiError;
use super::request::{Field, JsonBody, PageQuery, PathId, Query};
use super::traffic::{require_clearance, secrets_shown};
use super::words;
use switchhook_node::caller::Caller;

/// The settings to change: what is not sent stays, null follows the server again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct SettingsRequest {
    /// Which retry rules: `durable` or `dialpad`.
    #[serde(default)]
    #[schema(schema_with = words::profile_or_null)]
    profile: Field<Profile>,
    /// Whether deliveries of one call, message, agent or contact go one after the other.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    ordered: Field<bool>,
    /// How many POSTs may be under way at once.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, example = 64)]
    max_in_flight: Field<u32>,
    /// Attempts a second at the most.
    #[serde(default)]
    #[schema(value_type = Option<f64>, example = 50)]
    rate: Field<f64>,
    /// How long a connection may take to stand, in milliseconds.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, example = 5000)]
    connect_timeout_ms: Field<u32>,
    /// How long the answer's head may take once the connection stands, in milliseconds; null for as long as the attempt.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, example = 10000)]
    head_timeout_ms: Field<u32>,
    /// How long the whole attempt may take, in milliseconds.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, example = 15000)]
    timeout_ms: Field<u32>,
    /// Seconds after the first, second, … failure, ±20 %, in place of those of the profile `durable`; after the last the
    /// delivery is given up. Null for the profile's own.
    #[serde(default)]
    #[schema(value_type = Option<Vec<u32>>, max_items = 100, example = json!([5, 30, 120]))]
    retry_schedule: Field<Vec<u32>>,
    /// After how many days without a success the webhook is disabled: held back, until it is resumed. 0 for never.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 365, example = 5)]
    disable_after_days: Field<u32>,
    /// Headers added to every attempt, all of them; null for none. The value `***` keeps the one that is there.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    headers: Field<BTreeMap<String, String>>,
    /// The `Content-Type` of signed deliveries, if `application/jwt` is more than the receiver can take.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "application/jwt")]
    jwt_content_type: Field<String>,
    /// Whether API answers leave the secret out.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    hide_secret: Field<bool>,
    /// Whether the header of signed deliveries names the secret (`kid`).
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    announce_kid: Field<bool>,
}

// A schema takes only literals.
const _: () = assert!(MOST_RETRY_STEPS == 100 && LONGEST_DISABLE_DAYS == 365);

impl SettingsRequest {
    const fn shows_secret(&self) -> bool {
        !matches!(self.hide_secret, Field::Absent | Field::Given(true))
    }

    /// Whether a header's credential is among it. Which one there was before must not be told by whether that is a change.
    fn names_credentials(&self) -> bool {
        let Field::Given(headers) = &self.headers else {
            return false;
        };
        headers
            .iter()
            .any(|(name, value)| value != MASK && shown_value(name, value) != *value)
    }
}

/// A webhook with its settings; what is null follows the server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookWithSettings {
    #[serde(flatten)]
    webhook: WebhookAnswer,
    #[schema(schema_with = words::profile_or_null, required)]
    profile: Option<Profile>,
    #[schema(required)]
    ordered: Option<bool>,
    #[schema(required)]
    max_in_flight: Option<u32>,
    #[schema(required)]
    rate: Option<f64>,
    #[schema(required)]
    connect_timeout_ms: Option<u32>,
    #[schema(required)]
    head_timeout_ms: Option<u32>,
    #[schema(required)]
    timeout_ms: Option<u32>,
    #[schema(required)]
    retry_schedule: Option<Vec<u32>>,
    #[schema(required)]
    disable_after_days: Option<u32>,
    /// Values that are credentials by their names are `***` for keys that may only look.
    headers: BTreeMap<String, String>,
    #[schema(required)]
    jwt_content_type: Option<String>,
    hide_secret: bool,
    announce_kid: bool,
    /// The name of the secret: what `kid` is, if it is announced. `***` for keys that may only look: guesses could be tried on it.
    #[schema(required, example = "9f86d081884c7d65")]
    kid: Option<String>,
    /// The secrets before it that still count, the newest first.
    old_secrets: Vec<OldSecretAnswer>,
    /// What should not stay as it is.
    warnings: Vec<String>,
    /// What holds now, whoever decided it.
    in_force: SettingsInForce,
    /// Since when its deliveries are held back, in unix milliseconds; null if they are not.
    #[schema(value_type = Option<i64>, required)]
    paused_at: Option<Timestamp>,
    /// Since when it is held back because its receiver had failed for too long; null if that is not why.
    #[schema(value_type = Option<i64>, required)]
    disabled_at: Option<Timestamp>,
    /// Whether its receiver is sent to.
    breaker: BreakerAnswer,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    #[schema(value_type = i64)]
    updated_at: Timestamp,
}

/// A secret that was replaced. Nothing is signed with it any more.
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
    for webhook in page.items {
        items.push(show(&api, caller, webhook).await?);
    }
    Ok(Json(Items {
        items,
        cursor: page.next.map(IdText),
    }))
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
    show(&api, caller, webhook).await.map(Json)
}

/// Changes a webhook's settings: what is not sent stays, null follows the server again.
///
/// Other headers, and showing a secret that was hidden, take a key that may see everything that goes there.
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
    JsonBody(request): JsonBody<SettingsRequest>,
) -> Result<Json<WebhookWithSettings>, ApiError> {
    // Settings are stored whole: two changes at once must not undo each other.
    let share = api.node.shares.of(caller.company_id);
    let _turn = share.change.lock().await;
    let webhook = api.node.store.webhook(caller.company_id, id).await?;
    let shows_secret = webhook.settings.hide_secret && request.shows_secret();
    let names_credentials = request.names_credentials();
    let headers = webhook.settings.headers.clone();
    let settings = changed(webhook.settings, request, &Bounds::of(&api.node.settings))?;
    // Receivers know us by headers, and proxies find their way by them.
    if shows_secret || names_credentials || settings.headers != headers {
        require_clearance(&api, caller, Endpoint::Webhook(id)).await?;
    }
    let change = WebhookChange {
        settings: Some(settings),
        ..WebhookChange::default()
    };
    let webhook = change_webhook(&api, caller, id, change).await?;
    show(&api, caller, webhook).await.map(Json)
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
    let webhook = api.node.store.webhook(caller.company_id, id).await?;
    let since = webhook.paused_at.unwrap_or_else(|| api.node.clock.now());
    let change = WebhookChange {
        paused_at: Some(Some(since)),
        ..WebhookChange::default()
    };
    let webhook = change_webhook(&api, caller, id, change).await?;
    show(&api, caller, webhook).await.map(Json)
}

/// Sends what was held back, oldest first.
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
    let change = WebhookChange {
        paused_at: Some(None),
        ..WebhookChange::default()
    };
    let webhook = change_webhook(&api, caller, id, change).await?;
    show(&api, caller, webhook).await.map(Json)
}

/// Changes a webhook and makes the change count.
pub(super) async fn change_webhook(
    api: &SharedApi,
    caller: Caller,
    id: WebhookId,
    change: WebhookChange,
) -> Result<Webhook, ApiError> {
    let now = api.node.clock.now();
    let webhook = api
        .node
        .store
        .update_webhook(caller.company_id, id, change, now)
        .await?;
    api.node.registry.refresh(caller.company_id).await?;
    api.node.engine.nudge(id);
    Ok(webhook)
}

/// Shows a webhook as this caller may see it.
pub(super) async fn show(
    api: &SharedApi,
    caller: Caller,
    webhook: Webhook,
) -> Result<WebhookWithSettings, ApiError> {
    let shown = secrets_shown(api, caller, Endpoint::Webhook(webhook.id)).await?;
    Ok(show_with(api, webhook, shown, shown))
}

/// Shows a webhook; its secret may be shown although other credentials are not.
pub(super) fn show_with(
    api: &SharedApi,
    webhook: Webhook,
    secret_shown: SecretsShown,
    shown: SecretsShown,
) -> WebhookWithSettings {
    let defaults = &api.node.settings.delivery;
    let answer = WebhookAnswer::of(&webhook, secret_shown);
    let old_secrets = old_secrets(api, &webhook, shown);
    let warnings = webhook.secret.iter().filter_map(Secret::weakness).collect();
    let breaker = BreakerAnswer::of(api, webhook.id);
    let in_force = SettingsInForce::of(&webhook.settings, defaults);
    let WebhookSettings {
        profile,
        ordered,
        max_in_flight,
        rate,
        connect_timeout_ms,
        head_timeout_ms,
        timeout_ms,
        retry_schedule,
        disable_after_days,
        headers,
        jwt_content_type,
        hide_secret,
        announce_kid,
    } = webhook.settings;
    WebhookWithSettings {
        webhook: answer,
        profile,
        ordered,
        max_in_flight,
        rate,
        connect_timeout_ms,
        head_timeout_ms,
        timeout_ms,
        retry_schedule: Some(retry_schedule).filter(|schedule| !schedule.is_empty()),
        disable_after_days,
        headers: shown_headers(headers, shown),
        jwt_content_type,
        hide_secret,
        announce_kid,
        kid: webhook.secret.as_ref().map(|secret| name_of(secret, shown)),
        old_secrets,
        warnings,
        in_force,
        paused_at: webhook.paused_at,
        disabled_at: webhook.disabled_at,
        breaker,
        created_at: webhook.created_at,
        updated_at: webhook.updated_at,
    }
}

fn name_of(secret: &Secret, shown: SecretsShown) -> String {
    match shown {
        SecretsShown::Masked => MASK.to_owned(),
        SecretsShown::AsSet | SecretsShown::Never | SecretsShown::Always => key_id(secret.expose()),
    }
}

fn old_secrets(api: &SharedApi, webhook: &Webhook, shown: SecretsShown) -> Vec<OldSecretAnswer> {
    let now = api.node.clock.now();
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
    fn of(api: &SharedApi, id: WebhookId) -> Self {
        let destination = api.node.registry.destination(id);
        let breaker = destination.map_or_else(Breaker::default, |destination| {
            destination.load().health.read().breaker
        });
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
                state: if probe_at <= api.node.clock.now() {
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
