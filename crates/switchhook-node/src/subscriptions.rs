//! Verbs for subscriptions of every kind.
//!
//! The domain says which fields a kind needs (`SubscriptionRequest`), and who may change what
//! (`Clearance::may_change`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use switchhook_domain::Kind;
use switchhook_domain::clearance::Clearance;
use switchhook_domain::id::{CompanyId, SubscriptionId, WebhookId, WebsocketId};
use switchhook_domain::key::Right;
use switchhook_domain::subscription::{
    Endpoint, Filter, Subscription, SubscriptionChange, SubscriptionRequest,
};
use switchhook_store::{Page, PageRequest, StoreError, SubscriptionFilter};

use crate::Node;
use crate::caller::{Caller, uncleared};
use crate::refusal::{Refusal, require_room};
use crate::visibility::require_unmasked;
use crate::{webhooks, websockets};

/// A subscription with what its caller gets to see of where it points.
#[derive(Debug)]
pub struct SubscriptionView {
    pub subscription: Subscription,
    /// Its webhook or websocket; `None` if that was deleted or never given.
    pub endpoint: Option<EndpointView>,
}

/// A webhook or websocket, as a caller gets to see it.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "one is made to be shown, and gone then")]
pub enum EndpointView {
    /// Events are posted there.
    Webhook(webhooks::WebhookView),
    /// Whoever listens there is told.
    Websocket(websockets::WebsocketView),
}

/// Lists a company's subscriptions of one kind, oldest first.
///
/// # Errors
/// If the caller may not, or may not see the kind.
pub async fn list(
    node: &Node,
    caller: Caller,
    kind: Kind,
    filter: SubscriptionFilter,
    page: PageRequest,
) -> Result<Page<SubscriptionView>, Refusal> {
    caller.require(Right::Read)?;
    require_visible(caller, kind)?;
    let filter = SubscriptionFilter {
        kind: Some(kind),
        ..filter
    };
    let store = &node.store;
    let page = store.list_subscriptions(caller.company_id, filter, page).await?;
    Ok(Page {
        items: shown_to(node, caller, page.items).await?,
        next: page.next,
    })
}

/// Lists a company's subscriptions of every kind, oldest first, without what they point to. Those of kinds that the caller
/// may not see are among them, so that they can be counted.
///
/// # Errors
/// If the caller may not, or the store cannot be read.
pub async fn list_all(
    node: &Node,
    caller: Caller,
    filter: SubscriptionFilter,
    page: PageRequest,
) -> Result<Page<Subscription>, Refusal> {
    caller.require(Right::Read)?;
    let store = &node.store;
    Ok(store.list_subscriptions(caller.company_id, filter, page).await?)
}

/// Shows one.
///
/// # Errors
/// If the caller may not, or may not see the kind; if there is no such subscription.
pub async fn get(
    node: &Node,
    caller: Caller,
    kind: Kind,
    id: SubscriptionId,
) -> Result<SubscriptionView, Refusal> {
    caller.require(Right::Read)?;
    require_visible(caller, kind)?;
    let subscription = node.store.subscription(caller.company_id, kind, id).await?;
    one_shown_to(node, caller, subscription).await
}

/// Kind of the subscription with this id.
///
/// # Errors
/// If the caller may not, or the company has none with this id.
pub async fn kind_of(node: &Node, caller: Caller, id: SubscriptionId) -> Result<Kind, Refusal> {
    caller.require(Right::Read)?;
    find_kind(node, caller, id).await
}

async fn find_kind(node: &Node, caller: Caller, id: SubscriptionId) -> Result<Kind, Refusal> {
    let at_it = PageRequest {
        after: Some(id.0.saturating_sub(1)),
        limit: 1,
    };
    let every = SubscriptionFilter::default();
    let found = node
        .store
        .list_subscriptions(caller.company_id, every, at_it)
        .await?;
    let one = found.items.first().filter(|one| one.id == id);
    Ok(one.ok_or(StoreError::NotFound("subscription"))?.filter.kind())
}

/// Makes a subscription. It sees of the events what the caller may see.
///
/// # Errors
/// If the caller may not, the request lacks something, there is no such webhook or websocket, or the company has this
/// subscription already or as many as it may have.
pub async fn create(
    node: &Node,
    caller: Caller,
    kind: Kind,
    request: SubscriptionRequest,
) -> Result<SubscriptionView, Refusal> {
    caller.require(Right::Write)?;
    require_visible(caller, kind)?;
    let filter = request.filter(kind)?;
    let company_id = caller.company_id;
    // Whoever moves a webhook meanwhile must see that this leads there.
    let share = node.shares.of(company_id);
    let _alone = share.change.lock().await;
    let endpoint = match request.endpoint_id.flatten() {
        Some(id) => Some(find_endpoint(node, company_id, id).await?),
        None => None,
    };
    let there = node.registry.subscription_count(company_id);
    require_room(
        node.shares.limits().subscriptions,
        there,
        "subscriptions",
        "--limit-subscriptions",
    )?;
    let now = node.clock.now();
    let subscription = Subscription {
        id: SubscriptionId(node.ids.next(now)),
        company_id,
        endpoint,
        enabled: request.enabled.flatten().unwrap_or(true),
        filter,
        payload_filter: request.payload_filter.flatten(),
        scopes: caller.scopes,
        created_at: now,
        updated_at: now,
    };
    let limits = node.settings.api_limits.of_subscriptions();
    let subscription = node.store.create_subscription(subscription, limits).await?;
    node.registry.refresh(company_id).await?;
    one_shown_to(node, caller, subscription).await
}

/// Changes a subscription: what the request does not say stays.
///
/// # Errors
/// If the caller may not, or may not see what it lets through before and after; if the request cannot be; if there is no
/// such subscription, webhook or websocket.
pub async fn update(
    node: &Node,
    caller: Caller,
    kind: Kind,
    id: SubscriptionId,
    request: SubscriptionRequest,
) -> Result<SubscriptionView, Refusal> {
    caller.require(Right::Write)?;
    require_visible(caller, kind)?;
    let filter = request.change(kind)?;
    let endpoint = match request.endpoint_id {
        Some(Some(id)) => Some(Some(find_endpoint(node, caller.company_id, id).await?)),
        Some(None) => Some(None),
        None => None,
    };
    let change = SubscriptionChange {
        endpoint,
        enabled: request.enabled.map(|enabled| enabled.unwrap_or(true)),
        filter,
        payload_filter: request.payload_filter,
    };
    change_subscription(node, caller, kind, id, change).await
}

/// Changes what subscriptions of all kinds have: where they point, whether they are in force, their filter on the payload.
///
/// # Errors
/// As [`update`].
pub async fn update_any(
    node: &Node,
    caller: Caller,
    id: SubscriptionId,
    request: SubscriptionRequest,
) -> Result<SubscriptionView, Refusal> {
    caller.require(Right::Write)?;
    let kind = find_kind(node, caller, id).await?;
    let before = node.store.subscription(caller.company_id, kind, id).await?;
    let contact_type = match before.filter {
        // A change of contacts names their type.
        Filter::Contact { contact_type } => Some(Some(contact_type)),
        _ => None,
    };
    let request = SubscriptionRequest {
        contact_type,
        ..request
    };
    update(node, caller, kind, id, request).await
}

/// Puts a subscription in force, or out of force: then it delivers nothing until it is enabled again.
///
/// # Errors
/// If the caller may not, or would enable what it may not see; if there is no such subscription.
pub async fn set_enabled(
    node: &Node,
    caller: Caller,
    kind: Kind,
    id: SubscriptionId,
    enabled: bool,
) -> Result<SubscriptionView, Refusal> {
    caller.require(Right::Write)?;
    require_visible(caller, kind)?;
    let change = SubscriptionChange {
        enabled: Some(enabled),
        ..SubscriptionChange::default()
    };
    change_subscription(node, caller, kind, id, change).await
}

/// Deletes a subscription and answers what it was.
///
/// # Errors
/// If the caller may not, or may not see what it let through; if there is no such subscription.
pub async fn delete(
    node: &Node,
    caller: Caller,
    kind: Kind,
    id: SubscriptionId,
) -> Result<SubscriptionView, Refusal> {
    caller.require(Right::Write)?;
    require_visible(caller, kind)?;
    let (store, company_id) = (&node.store, caller.company_id);
    // It must not change between the look at it and its end.
    let share = node.shares.of(company_id);
    let _alone = share.change.lock().await;
    let before = store.subscription(company_id, kind, id).await?;
    caller.clearance().may_delete(&before)?;
    let now = node.clock.now();
    let deleted = store.delete_subscription(company_id, kind, id, now).await?;
    node.registry.refresh(company_id).await?;
    one_shown_to(node, caller, deleted).await
}

async fn change_subscription(
    node: &Node,
    caller: Caller,
    kind: Kind,
    id: SubscriptionId,
    change: SubscriptionChange,
) -> Result<SubscriptionView, Refusal> {
    let (store, company_id, now) = (&node.store, caller.company_id, node.clock.now());
    // It must not change between the look at it and the change.
    let share = node.shares.of(company_id);
    let _alone = share.change.lock().await;
    let before = store.subscription(company_id, kind, id).await?;
    let after = before
        .clone()
        .changed(change.clone(), now)
        .map_err(StoreError::from)?;
    caller.clearance().may_change(&before, &after)?;
    let changed = store
        .update_subscription(company_id, kind, id, change, now)
        .await?;
    node.registry.refresh(company_id).await?;
    one_shown_to(node, caller, changed).await
}

/// Subscriptions of a kind are for those who may see its events.
fn require_visible(caller: Caller, kind: Kind) -> Result<(), Refusal> {
    let seen = caller.clearance().sees(kind);
    Ok(seen.map_err(|missing| uncleared(format_args!("{kind} subscriptions"), missing))?)
}

/// The webhook or websocket with this id.
async fn find_endpoint(node: &Node, company_id: CompanyId, id: i64) -> Result<Endpoint, Refusal> {
    let store = &node.store;
    if found(store.webhook(company_id, WebhookId(id)).await)?.is_some() {
        return Ok(Endpoint::Webhook(WebhookId(id)));
    }
    if found(store.websocket(company_id, WebsocketId(id)).await)?.is_some() {
        return Ok(Endpoint::Websocket(WebsocketId(id)));
    }
    Err(Refusal::NotFound(format!(
        "endpoint_id: there is no webhook {id} and no websocket: make one with POST /api/v2/webhooks or \
         /api/v2/websockets"
    )))
}

/// `None` instead of an error if it was deleted.
fn found<T>(answer: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn one_shown_to(
    node: &Node,
    caller: Caller,
    subscription: Subscription,
) -> Result<SubscriptionView, Refusal> {
    let mut shown = shown_to(node, caller, vec![subscription]).await?;
    Ok(shown.pop().expect("it is as many as were asked for"))
}

/// Subscriptions with where they point, each webhook and websocket read once.
async fn shown_to(
    node: &Node,
    caller: Caller,
    subscriptions: Vec<Subscription>,
) -> Result<Vec<SubscriptionView>, Refusal> {
    let mut known = HashMap::new();
    for endpoint in subscriptions.iter().filter_map(|one| one.endpoint) {
        if let Entry::Vacant(unknown) = known.entry(endpoint) {
            unknown.insert(look_up(node, caller, endpoint).await?);
        }
    }
    let shown = subscriptions.into_iter().map(|subscription| {
        let known = subscription.endpoint.and_then(|endpoint| known.get(&endpoint));
        let endpoint = known.cloned().flatten().map(|endpoint| match endpoint {
            EndpointView::Websocket(shown) => EndpointView::Websocket(websockets::WebsocketView {
                url: url_of(node, caller, &shown, &subscription),
                ..shown
            }),
            webhook @ EndpointView::Webhook(_) => webhook,
        });
        SubscriptionView {
            subscription,
            endpoint,
        }
    });
    Ok(shown.collect())
}

async fn look_up(node: &Node, caller: Caller, endpoint: Endpoint) -> Result<Option<EndpointView>, Refusal> {
    let (store, company_id) = (&node.store, caller.company_id);
    Ok(match endpoint {
        Endpoint::Webhook(id) => match found(store.webhook(company_id, id).await)? {
            Some(webhook) => Some(EndpointView::Webhook(
                webhooks::shown_to(node, caller, webhook).await?,
            )),
            None => None,
        },
        Endpoint::Websocket(id) => match found(store.websocket(company_id, id).await)? {
            Some(websocket) => Some(EndpointView::Websocket(
                websockets::without_url(node, caller, websocket).await?,
            )),
            None => None,
        },
    })
}

/// Address to connect to for this subscription's events, for callers who may hear them.
fn url_of(
    node: &Node,
    caller: Caller,
    shown: &websockets::WebsocketView,
    subscription: &Subscription,
) -> Option<String> {
    let needed = Clearance::for_subscription(subscription);
    caller.clearance().covers(needed).ok()?;
    require_unmasked(caller, node).ok()?;
    let only = Some((subscription.filter.kind(), subscription.id));
    Some(websockets::url(node, caller, &shown.websocket, only))
}
