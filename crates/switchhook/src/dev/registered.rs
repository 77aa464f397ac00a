//! The webhooks that `dev` makes: one to its own inspector, and one to the receiver that it forwards to. Both are subscribed
//! to everything, and those of an earlier run are taken up again.

use anyhow::{Context, Result};
use switchhook_domain::Kind;
use switchhook_domain::address::ComparedAddress;
use switchhook_domain::id::WebhookId;
use switchhook_domain::subscription::{Filter, SubscriptionRequest};
use switchhook_domain::webhook::{Webhook, WebhookRequest};
use switchhook_node::caller::Caller;
use switchhook_node::inspector::SCHEME;
use switchhook_node::refusal::Refusal;
use switchhook_node::webhooks::{self, Rotation};
use switchhook_node::{Node, keys, subscriptions};
use switchhook_store::{PageRequest, StoreError};

const INSPECTOR: &str = "dev";

/// Bound on the webhooks of earlier runs that are searched.
const MOST_KNOWN: u32 = 1_000;

/// Webhook to the built-in inspector.
pub(super) async fn inspector_webhook(node: &Node, caller: Caller) -> Result<Webhook> {
    let hook_url = format!("{SCHEME}{INSPECTOR}");
    if let Some(known) = find(node, caller, &hook_url).await? {
        return Ok(known);
    }
    let webhook = make(node, caller, &hook_url).await?;
    subscribe_to_everything(node, caller, webhook.id).await?;
    Ok(webhook)
}

/// Webhook to a receiver of one's own. Its secret stays from run to run, so that the receiver keeps working.
pub(super) async fn forward_webhook(node: &Node, caller: Caller, url: &str) -> Result<Webhook> {
    let made = match find(node, caller, url).await? {
        Some(known) => resume(node, caller, known).await,
        None => make(node, caller, url).await,
    };
    let webhook = made.with_context(|| format!("events cannot be forwarded to {url}"))?;
    subscribe_to_everything(node, caller, webhook.id).await?;
    Ok(webhook)
}

async fn make(node: &Node, caller: Caller, url: &str) -> Result<Webhook> {
    let request = WebhookRequest {
        hook_url: Some(Some(url.to_owned())),
        secret: Some(Some(keys::new_secret())),
        ..WebhookRequest::default()
    };
    Ok(webhooks::create(node, caller, request).await?.webhook)
}

/// Forgets the failures of an earlier run.
async fn resume(node: &Node, caller: Caller, known: Webhook) -> Result<Webhook> {
    if known.secret.is_none() {
        webhooks::rotate_secret(node, caller, known.id, Rotation::default()).await?;
    }
    Ok(webhooks::resume(node, caller, known.id).await?.webhook)
}

async fn find(node: &Node, caller: Caller, url: &str) -> Result<Option<Webhook>, Refusal> {
    let wanted = ComparedAddress::of(url).place;
    let known = webhooks::list(node, caller, PageRequest::first(MOST_KNOWN)).await?;
    let is_wanted = |webhook: &Webhook| ComparedAddress::of(&webhook.hook_url).place == wanted;
    Ok(known.items.into_iter().find(is_wanted))
}

/// Existing subscriptions stay as they are.
async fn subscribe_to_everything(node: &Node, caller: Caller, webhook_id: WebhookId) -> Result<(), Refusal> {
    for filter in Kind::ALL.into_iter().flat_map(Filter::everything_of) {
        let kind = filter.kind();
        let request = SubscriptionRequest {
            endpoint_id: Some(Some(webhook_id.0)),
            ..filter.into()
        };
        match subscriptions::create(node, caller, kind, request).await {
            Ok(_) | Err(Refusal::Store(StoreError::Conflict(_))) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(())
}
