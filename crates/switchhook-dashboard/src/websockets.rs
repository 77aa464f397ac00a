//! Websockets: the list, and making and deleting one.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use switchhook_domain::id::WebsocketId;
use switchhook_domain::subscription::{Endpoint, Subscription};
use switchhook_domain::websocket::Websocket;
use switchhook_node::refusal::Refusal;
use switchhook_node::{keys, websockets};
use switchhook_store::{PageRequest, SubscriptionFilter};

use super::page::{Frame, Said, Trouble, go, id_of, show};
use super::part::Moment;
use super::session::{Filled, Visitor};
use super::{Desk, SharedDesk};

/// How many websockets a page has.
const A_PAGE: u32 = 50;

/// How many subscriptions of a websocket are counted.
const MOST_SUBSCRIPTIONS: u32 = 200;

/// A row about a websocket.
#[derive(Debug)]
struct WebsocketRow {
    id: String,
    /// The ids of the elements that are copied.
    copy_id: String,
    copy_url: String,
    subscriptions: Vec<(&'static str, usize)>,
    is_signed: bool,
    created_at: Moment,
    /// Where to listen, for those who may hear what is told there.
    url: Option<String>,
}

#[derive(Template)]
#[template(path = "websockets.html")]
struct WebsocketsPage {
    frame: Frame,
    rows: Vec<WebsocketRow>,
    next: Option<i64>,
}

/// Lists websockets.
pub(super) async fn list(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    let page = visitor.page(A_PAGE);
    let found = desk
        .node
        .store
        .list_websockets(Some(visitor.caller.company_id), page)
        .await?;
    let mut rows = Vec::with_capacity(found.items.len());
    for websocket in found.items {
        rows.push(row(&desk, &visitor, websocket).await?);
    }
    Ok(show(&WebsocketsPage {
        frame: visitor.frame(&desk, "websockets", "Websockets"),
        rows,
        next: found.next,
    }))
}

async fn row(desk: &Desk, visitor: &Visitor, websocket: Websocket) -> Result<WebsocketRow, Trouble> {
    let id = websocket.id;
    let filter = SubscriptionFilter {
        endpoint: Some(Endpoint::Websocket(id)),
        ..SubscriptionFilter::default()
    };
    let page = PageRequest::first(MOST_SUBSCRIPTIONS);
    let store = &desk.node.store;
    let subscriptions = store
        .list_subscriptions(visitor.caller.company_id, filter, page)
        .await?;
    let sight = visitor.sight(desk);
    let seen = |one: &&Subscription| sight.sees(one.filter.kind());
    let mut kinds = BTreeMap::new();
    for one in subscriptions.items.iter().filter(seen) {
        *kinds.entry(one.filter.kind().title()).or_insert(0) += 1;
    }
    let url = match websockets::get(&desk.node, visitor.caller, id).await {
        Ok(shown) => shown.url,
        // Who may not hear what is told there still sees that there is one.
        Err(Refusal::Forbidden(_)) => None,
        Err(refusal) => return Err(refusal.into()),
    };
    Ok(WebsocketRow {
        copy_id: format!("id-{id}"),
        copy_url: format!("url-{id}"),
        id: id.to_string(),
        subscriptions: kinds.into_iter().collect(),
        is_signed: websocket.secret.is_some(),
        created_at: Moment(websocket.created_at),
        url,
    })
}

/// Makes a websocket.
pub(super) async fn create(
    State(desk): State<SharedDesk>,
    Filled(visitor, form): Filled,
) -> Result<Response, Trouble> {
    let secret = form.is_ticked("signed").then(keys::new_secret);
    websockets::create(&desk.node, visitor.caller, secret).await?;
    Ok(go("/dashboard/websockets", Said::Created))
}

/// Deletes one.
pub(super) async fn delete(
    State(desk): State<SharedDesk>,
    Path(id): Path<String>,
    Filled(visitor, _): Filled,
) -> Result<Response, Trouble> {
    let id: WebsocketId = id_of(&id)?;
    websockets::delete(&desk.node, visitor.caller, id).await?;
    Ok(go("/dashboard/websockets", Said::Deleted))
}
