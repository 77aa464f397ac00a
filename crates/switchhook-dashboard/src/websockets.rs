//! Websockets: the list, and making and deleting one.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use switchhook_domain::id::WebsocketId;
use switchhook_domain::subscription::{Endpoint, Subscription};
use switchhook_node::websockets::{self, WebsocketView};
use switchhook_node::{keys, subscriptions};
use switchhook_store::{PageRequest, SubscriptionFilter};

use super::page::{Flash, Frame, PageError, go, id_of, show};
use super::session::{SignedForm, Viewer};
use super::widgets::Moment;
use super::{DashboardState, SharedState};

/// Bound on the subscriptions counted per websocket.
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
    /// Address to connect to, for viewers who may hear its events.
    url: Option<String>,
}

#[derive(Template)]
#[template(path = "websockets.html")]
struct WebsocketsPage {
    frame: Frame,
    rows: Vec<WebsocketRow>,
    next: Option<i64>,
}

pub(super) async fn list(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    let page = viewer.page();
    let found = websockets::list(&dashboard.node, viewer.caller, page).await?;
    let mut rows = Vec::with_capacity(found.items.len());
    for websocket in found.items {
        rows.push(row(&dashboard, &viewer, websocket).await?);
    }
    Ok(show(&WebsocketsPage {
        frame: viewer.frame(&dashboard, "websockets", "Websockets"),
        rows,
        next: found.next,
    }))
}

async fn row(
    dashboard: &DashboardState,
    viewer: &Viewer,
    shown: WebsocketView,
) -> Result<WebsocketRow, PageError> {
    let WebsocketView { websocket, url, .. } = shown;
    let id = websocket.id;
    let filter = SubscriptionFilter {
        endpoint: Some(Endpoint::Websocket(id)),
        ..SubscriptionFilter::default()
    };
    let page = PageRequest::first(MOST_SUBSCRIPTIONS);
    let subscriptions = subscriptions::list_all(&dashboard.node, viewer.caller, filter, page).await?;
    let visibility = viewer.visibility(dashboard);
    let seen = |one: &&Subscription| visibility.sees(one.filter.kind());
    let mut kinds = BTreeMap::new();
    for one in subscriptions.items.iter().filter(seen) {
        *kinds.entry(one.filter.kind().title()).or_insert(0) += 1;
    }
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

pub(super) async fn create(
    State(dashboard): State<SharedState>,
    SignedForm(viewer, form): SignedForm,
) -> Result<Response, PageError> {
    let secret = form.is_ticked("signed").then(keys::new_secret);
    websockets::create(&dashboard.node, viewer.caller, secret).await?;
    Ok(go("/dashboard/websockets", Flash::Created))
}

pub(super) async fn delete(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    let id: WebsocketId = id_of(&id)?;
    websockets::delete(&dashboard.node, viewer.caller, id).await?;
    Ok(go("/dashboard/websockets", Flash::Deleted))
}
