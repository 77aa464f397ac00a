//! What goes to a webhook or a websocket, and whether a caller may send it elsewhere, sign it otherwise or know its
//! secret. Gathered here; the rule is the domain's (`clearance.rs`).

use switchhook_domain::clearance::{Clearance, Traffic, Uncleared};
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::key::Right;
use switchhook_domain::replay::{Destination, Replay};
use switchhook_domain::subscription::{Endpoint, Subscription};
use switchhook_store::{StoreError, SubscriptionFilter};

use super::Api;
use super::compat::SecretsShown;
use super::error::ApiError;
use switchhook_node::caller::Caller;
use switchhook_node::registry::all_pages;

/// How many pending deliveries are looked at.
const MOST_PENDING: u32 = 10_000;

/// Refuses a caller who may not see everything that goes there.
pub(super) async fn require_clearance(api: &Api, caller: Caller, endpoint: Endpoint) -> Result<(), ApiError> {
    let clearance = caller.clearance();
    if clearance.covers(Clearance::FULL).is_ok() {
        return Ok(());
    }
    let company_id = caller.company_id;
    let subscriptions = leading_to(api, company_id, endpoint).await?;
    let (pending, replays) = match endpoint {
        Endpoint::Webhook(id) => (
            api.node.store.pending_deliveries_of(id, MOST_PENDING).await?,
            running_to(api, company_id, id).await?,
        ),
        Endpoint::Websocket(_) => (Vec::new(), Vec::new()),
    };
    if pending.len() >= MOST_PENDING as usize {
        return Err(ApiError::forbidden(format!(
            "{MOST_PENDING} or more deliveries wait for {endpoint}, too many to tell whether this key may see them: wait, \
             or use an admin's key with all scopes"
        )));
    }
    let traffic = Traffic {
        subscriptions,
        pending,
        replays,
    };
    let open = traffic.is_open_to(clearance);
    open.map_err(|uncleared| ApiError::from(uncleared).with_preface(&format!("{endpoint}: ")))
}

/// Whether a caller may see everything that the subscriptions send there.
pub(super) async fn is_cleared(api: &Api, caller: Caller, endpoint: Endpoint) -> Result<bool, StoreError> {
    let clearance = caller.clearance();
    if clearance.covers(Clearance::FULL).is_ok() {
        return Ok(true);
    }
    let traffic = Traffic {
        subscriptions: leading_to(api, caller.company_id, endpoint).await?,
        ..Traffic::default()
    };
    Ok(traffic.is_open_to(clearance).is_ok())
}

/// What a caller gets to see of the credentials of a webhook or websocket: those who may change it, and may see what
/// goes there, see them as Dialpad's API shows them.
pub(super) async fn secrets_shown(
    api: &Api,
    caller: Caller,
    endpoint: Endpoint,
) -> Result<SecretsShown, StoreError> {
    if !caller.may(Right::Write) || !is_cleared(api, caller, endpoint).await? {
        return Ok(SecretsShown::Masked);
    }
    Ok(if api.node.settings.hide_secrets {
        SecretsShown::Never
    } else {
        SecretsShown::AsSet
    })
}

/// The subscriptions that lead there.
pub(super) async fn leading_to(
    api: &Api,
    company_id: CompanyId,
    endpoint: Endpoint,
) -> Result<Vec<Subscription>, StoreError> {
    let filter = SubscriptionFilter {
        endpoint: Some(endpoint),
        ..SubscriptionFilter::default()
    };
    let store = &api.node.store;
    all_pages(|page| store.list_subscriptions(company_id, filter, page)).await
}

/// The replays that are still making deliveries for a webhook. What they made is pending, or has ended.
async fn running_to(api: &Api, company_id: CompanyId, id: WebhookId) -> Result<Vec<Replay>, StoreError> {
    let store = &api.node.store;
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

impl From<Uncleared> for ApiError {
    fn from(uncleared: Uncleared) -> Self {
        Self::forbidden(format!(
            "{uncleared}, which this key does not have: make a key with `switchhook keys create {}`",
            uncleared.missing.options()
        ))
    }
}
