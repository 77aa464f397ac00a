//! `POST /v1/webhooks/{id}/rotate-secret`: a new secret, and for how long the old one still counts.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use switchhook_domain::id::WebhookId;
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::webhook::WebhookChange;
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::Writer;
use super::compat::{IdText, SecretsShown};
use super::error::ApiError;
use super::request::{Field, JsonBody, PathId};
use super::traffic::{require_clearance, secrets_shown};
use super::webhook_settings::{WebhookWithSettings, change_webhook, show_with};
use super::webhooks::check_secret;
use switchhook_node::duration::parse_duration;
use switchhook_node::keys;

/// For how long the old secret counts unless the request says.
const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest overlap.
const LONGEST_OVERLAP: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How to rotate; an empty body will do.
#[derive(Debug, Deserialize, ToSchema)]
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
    // Settings are stored whole: two changes at once must not undo each other.
    let share = api.node.shares.of(caller.company_id);
    let _turn = share.change.lock().await;
    let before = api.node.store.webhook(caller.company_id, id).await?;
    require_clearance(&api, caller, Endpoint::Webhook(id)).await?;
    let overlap = overlap(request.overlap.given().as_deref())?;
    let given = request.secret.given();
    check_secret(given.as_deref())?;
    let shown = secrets_shown(&api, caller, Endpoint::Webhook(id)).await?;
    let secret_shown = match given {
        Some(_) => shown,
        None => SecretsShown::Always,
    };
    let secret = match given {
        Some(secret) if secret.is_empty() => {
            return Err(ApiError::invalid(
                "secret is empty: leave it out to have one made up",
            ));
        }
        Some(secret) => Secret::new(secret),
        None => Secret::new(keys::new_secret()),
    };
    let mut settings = before.settings;
    settings.announce_kid = request
        .announce_kid
        .change_or(false)
        .unwrap_or(settings.announce_kid);
    let change = WebhookChange {
        secret: Some(Some(secret)),
        old_secret_until: (!overlap.is_zero()).then(|| api.node.clock.now().plus(overlap)),
        settings: Some(settings),
        ..WebhookChange::default()
    };
    let webhook = change_webhook(&api, caller, id, change).await?;
    Ok(Json(show_with(&api, webhook, secret_shown, shown)))
}

pub(super) fn overlap(text: Option<&str>) -> Result<Duration, ApiError> {
    let Some(text) = text else {
        return Ok(OVERLAP);
    };
    let overlap = parse_duration(text).map_err(|error| ApiError::invalid(format!("overlap: {error}")))?;
    if overlap > LONGEST_OVERLAP {
        return Err(ApiError::invalid("overlap: an old secret counts for at most 90d"));
    }
    Ok(overlap)
}
