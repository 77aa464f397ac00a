//! `/api/v2/websockets`: where somebody may listen, as Dialpad's API shows it.
//!
//! Listening itself is `listening.rs`. Every answer has a fresh URL, which lasts an hour.

use axum::Json;
use axum::extract::State;
use http::Uri;
use serde::{Deserialize, Serialize};
use switchhook_domain::Kind;
use switchhook_domain::id::{SubscriptionId, WebsocketId};
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::websocket::Websocket;
use utoipa::ToSchema;

use super::auth::{Reader, Writer};
use super::compat::{IdText, Items, Signature};
use super::error::ApiError;
use super::limits::too_many;
use super::request::{Field, JsonBody, PageQuery, PathId, Query};
use switchhook_node::secrets_shown::SecretsShown;
use switchhook_node::traffic::{is_cleared, require_clearance, secrets_shown};
use switchhook_node::webhooks::secret_of;

use super::{Api, SharedApi};
use switchhook_node::caller::Caller;
use switchhook_node::keys;
use switchhook_node::websocket::token;

/// A websocket to make or to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub(crate) struct WebsocketRequest {
    /// With a secret its frames are signed (HS256); null or an empty text means none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    secret: Field<String>,
}

/// A websocket. `signature` is left out without a secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebsocketAnswer {
    /// Its id: the `endpoint_id` of subscriptions.
    id: IdText,
    /// How its frames are signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    signature: Option<Signature>,
    /// Where to listen: fresh in every answer, for an hour. Absent if the key may not see all that is told there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "wss://switchhook.example.com/events/eyJ…")]
    websocket_url: Option<String>,
}

impl WebsocketAnswer {
    /// Shows a websocket.
    pub(super) fn of(websocket: &Websocket, shown: SecretsShown, url: Option<String>) -> Self {
        let secret_shown =
            |secret: &Secret| (shown == SecretsShown::AsSet).then(|| secret.expose().to_owned());
        let secret = websocket.secret.as_ref();
        Self {
            id: IdText(websocket.id.0),
            signature: secret.map(|secret| Signature::with(secret_shown(secret))),
            websocket_url: url,
        }
    }

    /// Shows it to whoever may hear what is told there, with a fresh URL; to others without one.
    async fn shown_to(api: &Api, caller: Caller, websocket: &Websocket) -> Result<Self, ApiError> {
        let endpoint = Endpoint::Websocket(websocket.id);
        let shown = secrets_shown(&api.node, caller, endpoint).await?;
        let may_listen = is_cleared(&api.node, caller, endpoint).await?;
        let url = may_listen.then(|| url(api, caller, websocket, None));
        Ok(Self::of(websocket, shown, url))
    }
}

/// Where to listen at a websocket, or at what one subscription has of it.
pub(super) fn url(
    api: &Api,
    caller: Caller,
    websocket: &Websocket,
    only: Option<(Kind, SubscriptionId)>,
) -> String {
    let base = api.node.settings.reachable_at();
    let token = token::issue(websocket, only, caller.key_id, &base, api.node.clock.now());
    // http becomes ws, and https wss.
    let base = base.strip_prefix("http").unwrap_or(&base);
    format!("ws{base}/events/{token}")
}

/// Lists the company's websockets, oldest first.
#[utoipa::path(
    get, path = "/api/v2/websockets", tag = "websockets", operation_id = "websockets.list",
    params(PageQuery),
    responses((status = 200, description = "A page of websockets", body = Items<WebsocketAnswer>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<Items<WebsocketAnswer>>, ApiError> {
    let page = PageQuery::read(Query::of(&uri))?.compatible();
    let company_id = Some(caller.company_id);
    let page = api.node.store.list_websockets(company_id, page).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for websocket in &page.items {
        items.push(WebsocketAnswer::shown_to(&api, caller, websocket).await?);
    }
    Ok(Json(Items {
        items,
        cursor: page.next.map(IdText),
    }))
}

/// Makes a websocket.
#[utoipa::path(
    post, path = "/api/v2/websockets", tag = "websockets", operation_id = "websockets.create",
    request_body = WebsocketRequest,
    responses((status = 200, description = "The websocket", body = WebsocketAnswer)),
)]
pub(crate) async fn create(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(request): JsonBody<WebsocketRequest>,
) -> Result<Json<WebsocketAnswer>, ApiError> {
    let secret = secret_of(request.secret.given())?;
    let now = api.node.clock.now();
    let websocket = Websocket {
        id: WebsocketId(api.node.ids.next(now)),
        company_id: caller.company_id,
        secret,
        token_key: Secret::new(keys::new_secret()),
        created_at: now,
        updated_at: now,
    };
    let share = api.node.shares.of(caller.company_id);
    let _turn = share.change.lock().await;
    let there = api.node.registry.websocket_count(caller.company_id);
    if !api.node.shares.limits().websockets.allows_more_than(there) {
        return Err(too_many("websockets", there, "--limit-websockets"));
    }
    let websocket = api.node.store.create_websocket(websocket).await?;
    api.node.registry.refresh(caller.company_id).await?;
    WebsocketAnswer::shown_to(&api, caller, &websocket)
        .await
        .map(Json)
}

/// Shows a websocket, with a fresh URL: for a key that may see everything that is told there.
#[utoipa::path(
    get, path = "/api/v2/websockets/{id}", tag = "websockets", operation_id = "websockets.get",
    params(("id" = IdText, Path, description = "The websocket's id")),
    responses((status = 200, description = "The websocket", body = WebsocketAnswer)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<WebsocketId>,
) -> Result<Json<WebsocketAnswer>, ApiError> {
    let websocket = api.node.store.websocket(caller.company_id, id).await?;
    require_clearance(&api.node, caller, Endpoint::Websocket(id)).await?;
    WebsocketAnswer::shown_to(&api, caller, &websocket)
        .await
        .map(Json)
}

/// Changes a websocket's secret: the next frame is signed with it.
#[utoipa::path(
    patch, path = "/api/v2/websockets/{id}", tag = "websockets", operation_id = "websockets.update",
    params(("id" = IdText, Path, description = "The websocket's id")),
    request_body = WebsocketRequest,
    responses((status = 200, description = "The websocket", body = WebsocketAnswer)),
)]
pub(crate) async fn update(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebsocketId>,
    JsonBody(request): JsonBody<WebsocketRequest>,
) -> Result<Json<WebsocketAnswer>, ApiError> {
    let store = &api.node.store;
    let secret = request.secret.change().map(secret_of).transpose()?;
    // What is told there must not change between the look at it and the change.
    let share = api.node.shares.of(caller.company_id);
    let _turn = share.change.lock().await;
    let before = store.websocket(caller.company_id, id).await?;
    require_clearance(&api.node, caller, Endpoint::Websocket(id)).await?;
    let websocket = match secret {
        None => before,
        Some(secret) => {
            let now = api.node.clock.now();
            let company_id = caller.company_id;
            store.update_websocket(company_id, id, secret, now).await?
        }
    };
    api.node.registry.refresh(caller.company_id).await?;
    WebsocketAnswer::shown_to(&api, caller, &websocket)
        .await
        .map(Json)
}

/// Deletes a websocket and shows what it was. Its subscriptions stay, with `webhook: null`; whoever listens is let go.
#[utoipa::path(
    delete, path = "/api/v2/websockets/{id}", tag = "websockets", operation_id = "websockets.delete",
    params(("id" = IdText, Path, description = "The websocket's id")),
    responses((status = 200, description = "What the websocket was", body = WebsocketAnswer)),
)]
pub(crate) async fn delete(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebsocketId>,
) -> Result<Json<WebsocketAnswer>, ApiError> {
    let now = api.node.clock.now();
    let store = &api.node.store;
    let websocket = store.websocket(caller.company_id, id).await?;
    let answer = WebsocketAnswer::shown_to(&api, caller, &websocket).await?;
    store.delete_websocket(caller.company_id, id, now).await?;
    api.node.registry.refresh(caller.company_id).await?;
    Ok(Json(answer))
}
