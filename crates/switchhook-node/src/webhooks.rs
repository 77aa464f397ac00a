//! Verbs for webhooks: all ways to create, change and delete one.
//!
//! Each verb takes a caller, checks its rights, has the store change the data in one transaction, and refreshes this
//! node. The meaning of the settings is in the domain.

mod checks;
mod preview;
mod skip;

use switchhook_domain::Kind;
use switchhook_domain::credential::shown_url;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::key::Right;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::webhook::{
    Condition, SettingsPatch, Webhook, WebhookChange, WebhookRequest, WebhookSettings,
};
use switchhook_store::{Page, PageRequest, StoreError};

use crate::caller::Caller;
use crate::ingest::{self, Accepted, sample};
use crate::refusal::{Refusal, not_null, of_events, require_room};
use crate::secret_display::SecretDisplay;
use crate::traffic::{require_clearance, secret_display};
use crate::{Node, keys};

use self::checks::check_settings;
pub use self::checks::{LONGEST_OVERLAP, LONGEST_URL, OVERLAP, bounds, check_url, overlap_of, secret_of};
pub use self::preview::{Preview, PreviewRequest, preview};
pub use self::skip::{MOST_SKIPPED, Skipped, skip_to_now};

/// Request to replace a webhook's secret.
#[derive(Debug, Default)]
pub struct Rotation {
    /// The new secret; without one it is made up.
    pub secret: Option<String>,
    /// Time for which the old one stays valid: `24h`.
    pub overlap: Option<String>,
    /// True if signatures name their secret from now on (`kid`); `None` leaves it.
    pub announce_kid: Option<bool>,
}

/// A webhook as a verb left it, with what its caller gets to see of its credentials.
#[derive(Debug, Clone)]
pub struct WebhookView {
    pub webhook: Webhook,
    /// Extent to which its secret is shown: always, once, if it was generated.
    pub secret_shown: SecretDisplay,
    /// Extent to which other credentials are shown.
    pub shown: SecretDisplay,
}

/// Lists the company's webhooks, oldest first.
///
/// # Errors
/// If the caller may not, or the store cannot be read.
pub async fn list(node: &Node, caller: Caller, page: PageRequest) -> Result<Page<Webhook>, Refusal> {
    caller.require(Right::Read)?;
    Ok(node.store.list_webhooks(caller.company_id, page).await?)
}

/// Shows a webhook.
///
/// # Errors
/// If the caller may not, or there is no such webhook.
pub async fn get(node: &Node, caller: Caller, id: WebhookId) -> Result<WebhookView, Refusal> {
    caller.require(Right::Read)?;
    let webhook = node.store.webhook(caller.company_id, id).await?;
    shown_to(node, caller, webhook).await
}

/// True if deliveries wait for a webhook.
///
/// # Errors
/// If the caller may not, there is no such webhook, or the store cannot be read.
pub async fn has_pending(node: &Node, caller: Caller, id: WebhookId) -> Result<bool, Refusal> {
    caller.require(Right::Read)?;
    node.store.webhook(caller.company_id, id).await?;
    let before = Some(WebhookId(id.0 - 1));
    let pending = node.store.pending_webhooks(before, 1).await?;
    Ok(pending.first().is_some_and(|one| one.webhook_id == id))
}

/// Makes a webhook with all of its settings.
///
/// # Errors
/// If the caller may not, the URL or a setting cannot be, the company has one with this URL or as many as it may have.
pub async fn create(
    node: &Node,
    caller: Caller,
    mut request: WebhookRequest,
) -> Result<WebhookView, Refusal> {
    caller.require(Right::Write)?;
    let hook_url = request.hook_url.take().flatten().ok_or_else(|| {
        Refusal::Required("hook_url is required: the URL that events are posted to".to_owned())
    })?;
    check_url(node, "hook_url", &hook_url)?;
    let secret = secret_of(request.secret.take().flatten())?;
    let settings = request.settings();
    check_settings(node, caller, &settings, &WebhookSettings::default()).await?;
    let now = node.clock.now();
    let webhook = Webhook::new(WebhookId(node.ids.next(now)), caller.company_id, hook_url, now)
        .with_secret(secret)
        .with_settings(settings.apply(WebhookSettings::default()));
    webhook.check().map_err(Refusal::Invalid)?;
    let share = node.shares.of(caller.company_id);
    let _alone = share.change.lock().await;
    let there = node.registry.webhook_count(caller.company_id);
    require_room(
        node.shares.limits().webhooks,
        there,
        "webhooks",
        "--limit-webhooks",
    )?;
    let webhook = node.store.create_webhook(webhook).await?;
    node.registry.refresh(caller.company_id).await?;
    shown_to(node, caller, webhook).await
}

/// Changes a webhook's URL, secret and settings in one change: what the request does not say stays.
///
/// # Errors
/// If the caller may not, or may not see all that goes there and changes where it goes or what it is signed with; if the
/// URL or a setting cannot be; if there is no such webhook.
pub async fn update(
    node: &Node,
    caller: Caller,
    id: WebhookId,
    mut request: WebhookRequest,
) -> Result<WebhookView, Refusal> {
    caller.require(Right::Write)?;
    let hook_url = not_null("hook_url", request.hook_url.take())?;
    if let Some(url) = &hook_url {
        check_url(node, "hook_url", url)?;
    }
    let secret = request.secret.take().map(secret_of).transpose()?;
    let settings = request.settings();
    // What leads there must not change between the look at it and the change.
    let share = node.shares.of(caller.company_id);
    let _alone = share.change.lock().await;
    let before = node.store.webhook(caller.company_id, id).await?;
    check_settings(node, caller, &settings, &before.settings).await?;
    // What was shown masked and comes back so stays.
    let hook_url = hook_url.filter(|url| *url != shown_url(&before.hook_url));
    // Whether it is the same credential as before is not told to whoever may not know that.
    let signs = secret
        .as_ref()
        .is_some_and(|secret| secret.is_some() || before.secret.is_some());
    if hook_url.is_some() || signs || settings.concerns_credentials(&before.settings) {
        require_clearance(node, caller, Endpoint::Webhook(id)).await?;
    }
    let change = WebhookChange {
        hook_url,
        secret,
        settings,
        ..WebhookChange::default()
    };
    let changed = change_webhook(node, caller, id, change).await?;
    if changed.webhook.is_sent_otherwise_than(&before) {
        node.engine.reset_breaker(id);
    }
    let made = |settings: &WebhookSettings| (settings.template.clone(), settings.event_headers.clone());
    let makes_otherwise = made(&changed.webhook.settings) != made(&before.settings);
    if makes_otherwise && !changed.webhook.is_paused() {
        // What could not be made may be made now: nobody needs to wait for its next attempt.
        node.engine.retry(id);
    }
    Ok(changed)
}

/// Replaces a webhook's secret. Deliveries are signed with the new one at once; the old one still counts for a while for
/// what others signed with it.
///
/// # Errors
/// If the caller may not, or may not see all that goes there; if secret or overlap cannot be; if there is no such webhook.
pub async fn rotate_secret(
    node: &Node,
    caller: Caller,
    id: WebhookId,
    rotation: Rotation,
) -> Result<WebhookView, Refusal> {
    caller.require(Right::Write)?;
    let share = node.shares.of(caller.company_id);
    let _alone = share.change.lock().await;
    // That there is none is said before what it would take to change it.
    node.store.webhook(caller.company_id, id).await?;
    require_clearance(node, caller, Endpoint::Webhook(id)).await?;
    let overlap = overlap_of(rotation.overlap.as_deref())?;
    let is_made_up = rotation.secret.is_none();
    let secret = secret_of(Some(rotation.secret.unwrap_or_else(keys::new_secret)))?;
    if secret.is_none() {
        let why = "secret is empty: leave it out to have one made up";
        return Err(Refusal::Invalid(why.to_owned()));
    }
    let change = WebhookChange {
        secret: Some(secret),
        old_secret_until: (!overlap.is_zero()).then(|| node.clock.now().plus(overlap)),
        settings: SettingsPatch {
            announce_kid: rotation.announce_kid,
            ..SettingsPatch::default()
        },
        ..WebhookChange::default()
    };
    let changed = change_webhook(node, caller, id, change).await?;
    node.engine.reset_breaker(id);
    Ok(WebhookView {
        secret_shown: if is_made_up {
            SecretDisplay::Always
        } else {
            changed.secret_shown
        },
        ..changed
    })
}

/// Holds a webhook's deliveries back: none is lost, none is sent.
///
/// # Errors
/// If the caller may not, or there is no such webhook.
pub async fn pause(node: &Node, caller: Caller, id: WebhookId) -> Result<WebhookView, Refusal> {
    caller.require(Right::Write)?;
    let change = WebhookChange {
        paused_at: Some(Some(node.clock.now())),
        ..WebhookChange::default()
    };
    change_webhook(node, caller, id, change).await
}

/// Sends what was held back, oldest first, and tries at once if the receiver had failed.
///
/// # Errors
/// If the caller may not, or there is no such webhook.
pub async fn resume(node: &Node, caller: Caller, id: WebhookId) -> Result<WebhookView, Refusal> {
    caller.require(Right::Write)?;
    let change = WebhookChange {
        paused_at: Some(None),
        ..WebhookChange::default()
    };
    let changed = change_webhook(node, caller, id, change).await?;
    node.engine.retry(id);
    Ok(changed)
}

/// Tries a webhook now, whatever its breaker and its retry schedule say: one attempt at once, and if that succeeds everything
/// that waits.
///
/// # Errors
/// If the caller may not, there is no such webhook, or it is paused or in its quiet hours.
pub async fn retry(node: &Node, caller: Caller, id: WebhookId) -> Result<WebhookView, Refusal> {
    caller.require(Right::Write)?;
    let webhook = node.store.webhook(caller.company_id, id).await?;
    if let Some(condition) = Condition::of_paused(&webhook) {
        return Err(Refusal::Conflict(format!(
            "webhook {id} is {condition}, so nothing is sent to it: resume it, and what waits is sent at once"
        )));
    }
    let destination = node.registry.destination(id);
    if let Some(end) = destination.and_then(|destination| destination.quiet_until(node.clock.now())) {
        return Err(Refusal::Conflict(format!(
            "these are the quiet hours of webhook {id}, so nothing is sent to it until {end}: change its quiet_hours, or wait"
        )));
    }
    node.engine.retry(id);
    shown_to(node, caller, webhook).await
}

/// Sends a small sample event to a webhook at once, whatever it is subscribed to and whatever its breaker says.
///
/// # Errors
/// If the caller may not, there is no such webhook, or the event could not be kept.
pub async fn test(node: &Node, caller: Caller, id: WebhookId, kind: Kind) -> Result<Accepted, Refusal> {
    caller.require(Right::Write)?;
    let kind = of_events(kind)?;
    let body =
        sample::body(kind, node.clock.now()).expect("there is a sample of every kind that events are of");
    let webhook = node.store.webhook(caller.company_id, id).await?;
    let accepted = ingest::accept_sample(node, webhook.company_id, webhook.id, (kind, body)).await?;
    for delivery in &accepted.deliveries {
        node.engine.send(id, delivery.id);
    }
    Ok(accepted)
}

/// Deletes a webhook and answers what it was. Its subscriptions stay and deliver nothing.
///
/// # Errors
/// If the caller may not, or there is no such webhook.
pub async fn delete(node: &Node, caller: Caller, id: WebhookId) -> Result<WebhookView, Refusal> {
    caller.require(Right::Write)?;
    // Asked for before: nothing leads to a webhook that is gone.
    let shown = secret_display(node, caller, Endpoint::Webhook(id)).await?;
    let webhook = node
        .store
        .delete_webhook(caller.company_id, id, node.clock.now())
        .await?;
    node.registry.refresh(caller.company_id).await?;
    node.engine.nudge(id);
    Ok(WebhookView {
        webhook,
        secret_shown: shown,
        shown,
    })
}

/// URL that a webhook posts to; `None` if it is gone.
///
/// # Errors
/// If the store cannot be read.
pub async fn hook_url(
    node: &Node,
    company_id: CompanyId,
    id: WebhookId,
) -> Result<Option<String>, StoreError> {
    match node.store.webhook(company_id, id).await {
        Ok(webhook) => Ok(Some(webhook.hook_url)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A webhook with what this caller gets to see of it.
///
/// # Errors
/// If the store cannot be read.
pub async fn shown_to(node: &Node, caller: Caller, webhook: Webhook) -> Result<WebhookView, Refusal> {
    let shown = secret_display(node, caller, Endpoint::Webhook(webhook.id)).await?;
    Ok(WebhookView {
        webhook,
        secret_shown: shown,
        shown,
    })
}

async fn change_webhook(
    node: &Node,
    caller: Caller,
    id: WebhookId,
    change: WebhookChange,
) -> Result<WebhookView, Refusal> {
    let now = node.clock.now();
    let webhook = node
        .store
        .update_webhook(caller.company_id, id, change, now)
        .await?;
    node.registry.refresh(caller.company_id).await?;
    node.engine.nudge(id);
    shown_to(node, caller, webhook).await
}
