//! Routes that control whether a webhook is sent to: pause, resume, retry, skip.

use axum::Json;
use axum::extract::State;
use switchhook_domain::id::WebhookId;
use switchhook_node::webhooks;

use super::answer::{SkippedAnswer, WebhookWithSettings};
use crate::api::SharedApi;
use crate::api::auth::Writer;
use crate::api::request::PathId;
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;

/// Holds a webhook's deliveries back: none is lost, none is sent.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/pause", tag = "webhooks", operation_id = "webhooks.pause",
    params(("id" = IdText, Path, description = "The webhook's id.")),
    responses((status = 200, description = "The webhook.", body = WebhookWithSettings)),
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
    params(("id" = IdText, Path, description = "The webhook's id.")),
    responses((status = 200, description = "The webhook.", body = WebhookWithSettings)),
)]
pub(crate) async fn resume(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<WebhookWithSettings>, ApiError> {
    let changed = webhooks::resume(&api.node, caller, id).await?;
    Ok(Json(WebhookWithSettings::of(&api.node, caller, changed).await?))
}

/// Retries a webhook now: one immediate attempt, whatever its breaker and schedule say; on success all waiting deliveries are
/// sent.
///
/// The answer shows the webhook as it is before that attempt. A webhook that is paused, or in its quiet hours, is refused (409).
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/retry", tag = "webhooks", operation_id = "webhooks.retry",
    params(("id" = IdText, Path, description = "The webhook's id.")),
    responses((status = 200, description = "The webhook.", body = WebhookWithSettings)),
)]
pub(crate) async fn retry(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<WebhookWithSettings>, ApiError> {
    let shown = webhooks::retry(&api.node, caller, id).await?;
    Ok(Json(WebhookWithSettings::of(&api.node, caller, shown).await?))
}

/// Cancels the deliveries that wait for a webhook, so that it goes on with the events that come from now on.
///
/// Each of them stays in the log as `cancelled`, with a `note` that says why, and can be delivered again by itself or by a replay.
/// An attempt that is under way may still arrive.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/skip-to-now", tag = "webhooks", operation_id = "webhooks.skip_to_now",
    params(("id" = IdText, Path, description = "The webhook's id.")),
    responses((status = 200, description = "The number of skipped deliveries.", body = SkippedAnswer)),
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
