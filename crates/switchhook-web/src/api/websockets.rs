//! `/api/v2/websockets`: where somebody may listen, as Dialpad's API shows it.
//!
//! Listening itself is `listening.rs`. Every answer has a fresh URL.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchhook_domain::id::WebsocketId;
use switchhook_domain::secret::Secret;
use switchhook_node::secret_display::SecretDisplay;
use switchhook_node::websockets::{self, WebsocketView};
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::{Reader, Writer};
use super::compat::{Items, Signature};
use super::query::{PageQuery, Query};
use super::request::{Field, JsonBody, PathId};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;

/// A websocket to make or to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub(crate) struct WebsocketRequest {
    /// Secret with which frames are signed (HS256); null or an empty text means none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    secret: Field<String>,
}

/// A websocket. `signature` is left out without a secret.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WebsocketAnswer {
    /// Websocket's id, the `endpoint_id` of subscriptions.
    pub id: IdText,
    /// Signature of its frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub signature: Option<Signature>,
    /// URL to connect to: fresh in every answer, valid for {websocket-urls-last}. Absent if the key may not see all that is sent there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "wss://switchhook.example.com/events/eyJ…")]
    pub websocket_url: Option<String>,
}

impl WebsocketAnswer {
    pub(super) fn of(shown: WebsocketView) -> Self {
        let WebsocketView {
            websocket,
            secret_shown,
            url,
        } = shown;
        let secret_shown =
            |secret: Secret| (secret_shown == SecretDisplay::AsSet).then(|| secret.expose().to_owned());
        Self {
            id: IdText(websocket.id.0),
            signature: websocket
                .secret
                .map(|secret| Signature::with(secret_shown(secret))),
            websocket_url: url,
        }
    }
}

/// Lists the company's websockets, oldest first.
#[utoipa::path(
    get, path = "/api/v2/websockets", tag = "websockets", operation_id = "websockets.list",
    params(PageQuery),
    responses((status = 200, description = "A page of websockets.", body = Items<WebsocketAnswer>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(query): Query<PageQuery>,
) -> Result<Json<Items<WebsocketAnswer>>, ApiError> {
    let page = query.compatible();
    let page = websockets::list(&api.node, caller, page).await?;
    Ok(Json(Items {
        items: page.items.into_iter().map(WebsocketAnswer::of).collect(),
        cursor: page.next.map(IdText),
    }))
}

/// Makes a websocket.
#[utoipa::path(
    post, path = "/api/v2/websockets", tag = "websockets", operation_id = "websockets.create",
    request_body = WebsocketRequest,
    responses((status = 200, description = "The websocket.", body = WebsocketAnswer)),
)]
pub(crate) async fn create(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(request): JsonBody<WebsocketRequest>,
) -> Result<Json<WebsocketAnswer>, ApiError> {
    let made = websockets::create(&api.node, caller, request.secret.given()).await?;
    Ok(Json(WebsocketAnswer::of(made)))
}

/// Shows a websocket, with a fresh URL, to a key that may see everything that is sent there.
#[utoipa::path(
    get, path = "/api/v2/websockets/{id}", tag = "websockets", operation_id = "websockets.get",
    params(("id" = IdText, Path, description = "The websocket's id.")),
    responses((status = 200, description = "The websocket.", body = WebsocketAnswer)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<WebsocketId>,
) -> Result<Json<WebsocketAnswer>, ApiError> {
    let shown = websockets::get(&api.node, caller, id).await?;
    Ok(Json(WebsocketAnswer::of(shown)))
}

/// Changes a websocket's secret: the next frame is signed with it.
#[utoipa::path(
    patch, path = "/api/v2/websockets/{id}", tag = "websockets", operation_id = "websockets.update",
    params(("id" = IdText, Path, description = "The websocket's id.")),
    request_body = WebsocketRequest,
    responses((status = 200, description = "The websocket.", body = WebsocketAnswer)),
)]
pub(crate) async fn update(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebsocketId>,
    JsonBody(request): JsonBody<WebsocketRequest>,
) -> Result<Json<WebsocketAnswer>, ApiError> {
    let changed = websockets::set_secret(&api.node, caller, id, request.secret.change()).await?;
    Ok(Json(WebsocketAnswer::of(changed)))
}

/// Deletes a websocket and shows it. Its subscriptions stay, with `webhook: null`; connections are closed.
#[utoipa::path(
    delete, path = "/api/v2/websockets/{id}", tag = "websockets", operation_id = "websockets.delete",
    params(("id" = IdText, Path, description = "The websocket's id.")),
    responses((status = 200, description = "The deleted websocket.", body = WebsocketAnswer)),
)]
pub(crate) async fn delete(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<WebsocketId>,
) -> Result<Json<WebsocketAnswer>, ApiError> {
    let deleted = websockets::delete(&api.node, caller, id).await?;
    Ok(Json(WebsocketAnswer::of(deleted)))
}
