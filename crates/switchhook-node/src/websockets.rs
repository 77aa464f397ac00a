//! Verbs for websockets. Serving one is `websocket`.

use switchhook_domain::Kind;
use switchhook_domain::id::{SubscriptionId, WebsocketId};
use switchhook_domain::key::Right;
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::websocket::Websocket;
use switchhook_store::{Page, PageRequest, StoreError};

use crate::caller::Caller;
use crate::refusal::{Refusal, require_room};
use crate::secret_display::SecretDisplay;
use crate::traffic::{is_cleared, require_clearance, secret_display};
use crate::visibility::{receives_unmasked, require_unmasked};
use crate::webhooks::secret_of;
use crate::websocket::token;
use crate::{Node, keys};

/// A websocket as its caller gets to see it.
#[derive(Debug, Clone)]
pub struct WebsocketView {
    pub websocket: Websocket,
    /// Extent to which its secret is shown.
    pub secret_shown: SecretDisplay,
    /// Address to connect to, valid for an hour. `None` for callers who may not hear its events.
    pub url: Option<String>,
}

/// Makes a websocket.
///
/// # Errors
/// If the caller may not, the secret cannot be, or the company has as many as it may have.
pub async fn create(node: &Node, caller: Caller, secret: Option<String>) -> Result<WebsocketView, Refusal> {
    caller.require(Right::Write)?;
    let secret = secret_of(secret)?;
    let company_id = caller.company_id;
    let share = node.shares.of(company_id);
    let _alone = share.change.lock().await;
    let there = node.registry.websocket_count(company_id);
    require_room(
        node.shares.limits().websockets,
        there,
        "websockets",
        "--limit-websockets",
    )?;
    let now = node.clock.now();
    let websocket = Websocket {
        id: WebsocketId(node.ids.next(now)),
        company_id,
        secret,
        token_key: Secret::new(keys::new_secret()),
        created_at: now,
        updated_at: now,
    };
    let websocket = node.store.create_websocket(websocket).await?;
    node.registry.refresh(company_id).await?;
    Ok(shown_to(node, caller, websocket).await?)
}

/// Lists the company's websockets, oldest first, each with a fresh URL if the caller may hear all that is told there.
///
/// # Errors
/// If the caller may not, or the store cannot be read.
pub async fn list(node: &Node, caller: Caller, page: PageRequest) -> Result<Page<WebsocketView>, Refusal> {
    caller.require(Right::Read)?;
    let company_id = Some(caller.company_id);
    let page = node.store.list_websockets(company_id, page).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for websocket in page.items {
        items.push(shown_to(node, caller, websocket).await?);
    }
    Ok(Page {
        items,
        next: page.next,
    })
}

/// Shows a websocket, with a fresh URL.
///
/// # Errors
/// If the caller may not, or may not hear all that is told there; if there is no such websocket.
pub async fn get(node: &Node, caller: Caller, id: WebsocketId) -> Result<WebsocketView, Refusal> {
    caller.require(Right::Read)?;
    let websocket = node.store.websocket(caller.company_id, id).await?;
    require_clearance(node, caller, Endpoint::Websocket(id)).await?;
    require_unmasked(caller, node)?;
    Ok(shown_to(node, caller, websocket).await?)
}

/// Changes a websocket's secret: the next frame is signed with it. `None` leaves it, `Some(None)` takes it away.
///
/// # Errors
/// If the caller may not, or may not hear all that is told there; if the secret cannot be; if there is no such websocket.
pub async fn set_secret(
    node: &Node,
    caller: Caller,
    id: WebsocketId,
    secret: Option<Option<String>>,
) -> Result<WebsocketView, Refusal> {
    caller.require(Right::Write)?;
    let secret = secret.map(secret_of).transpose()?;
    let (store, company_id) = (&node.store, caller.company_id);
    // What is told there must not change between the look at it and the change.
    let share = node.shares.of(company_id);
    let _alone = share.change.lock().await;
    let mut websocket = store.websocket(company_id, id).await?;
    require_clearance(node, caller, Endpoint::Websocket(id)).await?;
    if let Some(secret) = secret {
        let now = node.clock.now();
        websocket = store.update_websocket(company_id, id, secret, now).await?;
        node.registry.refresh(company_id).await?;
    }
    Ok(shown_to(node, caller, websocket).await?)
}

/// Deletes a websocket and answers what it was. Its subscriptions stay and tell nobody; whoever listens is let go.
///
/// # Errors
/// If the caller may not, or there is no such websocket.
pub async fn delete(node: &Node, caller: Caller, id: WebsocketId) -> Result<WebsocketView, Refusal> {
    caller.require(Right::Write)?;
    let (store, company_id) = (&node.store, caller.company_id);
    let websocket = store.websocket(company_id, id).await?;
    // Asked for before: nothing leads to a websocket that is gone.
    let shown = shown_to(node, caller, websocket).await?;
    store.delete_websocket(company_id, id, node.clock.now()).await?;
    node.registry.refresh(company_id).await?;
    Ok(shown)
}

/// A websocket with what the caller gets to see: the URL only if it may hear all that is told there.
///
/// # Errors
/// If the store cannot be read.
pub async fn shown_to(
    node: &Node,
    caller: Caller,
    websocket: Websocket,
) -> Result<WebsocketView, StoreError> {
    let may_listen = receives_unmasked(caller, node)
        && is_cleared(node, caller, Endpoint::Websocket(websocket.id)).await?;
    let url = may_listen.then(|| url(node, caller, &websocket, None));
    let shown = without_url(node, caller, websocket).await?;
    Ok(WebsocketView { url, ..shown })
}

/// The same without a URL, where each subscription has its own.
pub(crate) async fn without_url(
    node: &Node,
    caller: Caller,
    websocket: Websocket,
) -> Result<WebsocketView, StoreError> {
    Ok(WebsocketView {
        secret_shown: secret_display(node, caller, Endpoint::Websocket(websocket.id)).await?,
        websocket,
        url: None,
    })
}

/// Address of a websocket, or of one subscription's events there.
pub(crate) fn url(
    node: &Node,
    caller: Caller,
    websocket: &Websocket,
    only: Option<(Kind, SubscriptionId)>,
) -> String {
    let base = node.settings.reachable_at();
    let token = token::issue(websocket, only, caller.key_id, &base, node.clock.now());
    // http becomes ws, and https wss.
    let base = base.strip_prefix("http").unwrap_or(&base);
    format!("ws{base}/events/{token}")
}
