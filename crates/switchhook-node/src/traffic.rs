//! Check whether a caller may see everything that goes to a webhook or websocket, before it redirects that, changes
//! the signature, or reads the secret. The data is gathered here; the rule is the domain's (`clearance.rs`).

use switchhook_domain::clearance::Clearance;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::key::Right;
use switchhook_domain::replay::{Destination, Replay};
use switchhook_domain::subscription::{Endpoint, Subscription};
use switchhook_domain::traffic::Traffic;
use switchhook_store::{StoreError, SubscriptionFilter, all_pages};

use crate::Node;
use crate::caller::{Caller, Forbidden};
use crate::refusal::Refusal;
use crate::secret_display::SecretDisplay;

/// Bound on the pending deliveries examined.
const MOST_PENDING: u32 = 10_000;

/// Refuses a caller who may not see everything that goes there.
pub async fn require_clearance(node: &Node, caller: Caller, endpoint: Endpoint) -> Result<(), Refusal> {
    match lacking(node, caller, endpoint).await? {
        None => Ok(()),
        Some(forbidden) => Err(forbidden.into()),
    }
}

/// True if the caller may see everything that goes there: matches of its subscriptions, pending deliveries, and what
/// replays still make.
pub async fn is_cleared(node: &Node, caller: Caller, endpoint: Endpoint) -> Result<bool, StoreError> {
    Ok(lacking(node, caller, endpoint).await?.is_none())
}

/// Clearance that the caller lacks for what goes there; `None` if it lacks nothing.
async fn lacking(node: &Node, caller: Caller, endpoint: Endpoint) -> Result<Option<Forbidden>, StoreError> {
    let clearance = caller.clearance();
    if clearance.covers(Clearance::FULL).is_ok() {
        return Ok(None);
    }
    let company_id = caller.company_id;
    let mut traffic = Traffic {
        subscriptions: leading_to(node, company_id, endpoint).await?,
        ..Traffic::default()
    };
    if let (Endpoint::Webhook(id), Ok(())) = (endpoint, traffic.is_open_to(clearance)) {
        traffic.replays = running_to(node, company_id, id).await?;
        traffic.pending = node.store.pending_deliveries_of(id, MOST_PENDING).await?;
    }
    if let Err(uncleared) = traffic.is_open_to(clearance) {
        let Forbidden(words) = uncleared.into();
        return Ok(Some(Forbidden(format!("{endpoint}: {words}"))));
    }
    let are_too_many = traffic.pending.len() >= MOST_PENDING as usize;
    Ok(are_too_many.then(|| {
        Forbidden(format!(
            "{MOST_PENDING} or more deliveries wait for {endpoint}, too many to tell whether this key may see them: wait, \
             or use an admin's key with all scopes"
        ))
    }))
}

/// Extent to which a caller sees the credentials of a webhook or websocket: callers who may change it, and may see
/// what goes there, see them as in Dialpad's API.
pub async fn secret_display(
    node: &Node,
    caller: Caller,
    endpoint: Endpoint,
) -> Result<SecretDisplay, StoreError> {
    if !caller.may(Right::Write) || !is_cleared(node, caller, endpoint).await? {
        return Ok(SecretDisplay::Masked);
    }
    Ok(if node.settings.hide_secrets {
        SecretDisplay::Never
    } else {
        SecretDisplay::AsSet
    })
}

/// The subscriptions that lead there.
pub async fn leading_to(
    node: &Node,
    company_id: CompanyId,
    endpoint: Endpoint,
) -> Result<Vec<Subscription>, StoreError> {
    let filter = SubscriptionFilter {
        endpoint: Some(endpoint),
        ..SubscriptionFilter::default()
    };
    let store = &node.store;
    all_pages(|page| store.list_subscriptions(company_id, filter, page)).await
}

/// The replays that are still making deliveries for a webhook. What they made is pending, or has ended.
async fn running_to(node: &Node, company_id: CompanyId, id: WebhookId) -> Result<Vec<Replay>, StoreError> {
    let store = &node.store;
    let running = all_pages(|page| store.running_replays(page)).await?;
    let goes_there = |replay: &Replay| match replay.to {
        Destination::Origins => replay.filter.webhook_id.is_none_or(|only| only == id),
        Destination::Webhook(to) => to == id,
        Destination::Url { .. } => false,
    };
    let is_meant =
        |replay: &Replay| replay.company_id == company_id && !replay.is_all_created && goes_there(replay);
    Ok(running.into_iter().filter(is_meant).collect())
}
