//! `/v1/replays`: sending old events again, as a job that is kept, goes on after a restart and can be cancelled.
//!
//! Requests are read in `replays/request.rs`; the node's verbs act on them.

pub(super) mod answer;
mod request;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use switchhook_domain::Timestamp;
use switchhook_domain::id::ReplayId;
use switchhook_domain::replay::Replay;

pub(super) use self::answer::{DryRunAnswer, ReplayAnswer};
pub(super) use self::request::Instant;
use self::request::ReplayRequest;
use super::SharedApi;
use super::auth::{Reader, Writer};
use super::compat::Items;
use super::query::{PageQuery, Query};
use super::request::{JsonBody, PathId};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;
use switchhook_node::replays;

/// Sends old events again, as new deliveries, or counts them. It sends nothing that the key may not see: other kinds are
/// left out, and what scopes hide is taken out.
#[utoipa::path(
    post, path = "/v1/replays", tag = "replays", operation_id = "replays.create",
    request_body = ReplayRequest,
    responses(
        (status = 202, description = "The replay, which is running.", body = ReplayAnswer),
        (status = 200, description = "The counts of a dry run, which sends nothing.", body = DryRunAnswer),
    ),
)]
pub(crate) async fn create(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(request): JsonBody<ReplayRequest>,
) -> Result<Response, ApiError> {
    let is_dry_run = request.is_dry_run();
    let request = request.read()?;
    if is_dry_run {
        let tally = replays::count(&api.node, caller, request).await?;
        return Ok(Json(DryRunAnswer::of(tally)).into_response());
    }
    let replay = replays::create(&api.node, caller, request).await?;
    let answer = shown(&api, &replay, replay.created_at);
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// Lists the company's replays, newest first.
#[utoipa::path(
    get, path = "/v1/replays", tag = "replays", operation_id = "replays.list",
    params(PageQuery),
    responses((status = 200, description = "A page of replays.", body = Items<ReplayAnswer>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(query): Query<PageQuery>,
) -> Result<Json<Items<ReplayAnswer>>, ApiError> {
    let page = query.ours()?;
    let page = replays::list(&api.node, caller, page).await?;
    let now = api.node.clock.now();
    let items = page.items.iter().map(|replay| shown(&api, replay, now));
    Ok(Json(Items {
        items: items.collect(),
        cursor: page.next.map(IdText),
    }))
}

/// Shows a replay and its progress.
#[utoipa::path(
    get, path = "/v1/replays/{id}", tag = "replays", operation_id = "replays.get",
    params(("id" = IdText, Path, description = "The replay's id.")),
    responses((status = 200, description = "The replay.", body = ReplayAnswer)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<ReplayId>,
) -> Result<Json<ReplayAnswer>, ApiError> {
    let replay = replays::get(&api.node, caller, id).await?;
    Ok(Json(shown(&api, &replay, api.node.clock.now())))
}

/// Cancels a replay and the deliveries that it made and that are pending. Attempts that are under way still end, and
/// a few deliveries that are about to be sent may still go out.
#[utoipa::path(
    delete, path = "/v1/replays/{id}", tag = "replays", operation_id = "replays.cancel",
    params(("id" = IdText, Path, description = "The replay's id.")),
    responses((status = 200, description = "The replay, which is cancelled.", body = ReplayAnswer)),
)]
pub(crate) async fn cancel(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<ReplayId>,
) -> Result<Json<ReplayAnswer>, ApiError> {
    let replay = replays::cancel(&api.node, caller, id).await?;
    Ok(Json(shown(&api, &replay, api.node.clock.now())))
}

pub(super) fn shown(api: &SharedApi, replay: &Replay, now: Timestamp) -> ReplayAnswer {
    ReplayAnswer::of(replay, now, api.node.settings.mask)
}
