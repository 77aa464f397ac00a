//! `/v1/replays`: sending old events again, as a job that is kept, goes on after a restart and can be cancelled.
//!
//! What a request means is read in `replays/request.rs`; what is done is done by the node's verbs.

mod request;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use serde::Serialize;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::Failure;
use switchhook_domain::credential::shown_url;
use switchhook_domain::id::ReplayId;
use switchhook_domain::replay::{Destination, Estimate, Replay, ReplayFilter, ReplayState, Tally};
use utoipa::ToSchema;

pub(super) use self::request::Instant;
use self::request::ReplayRequest;
use super::SharedApi;
use super::auth::{Reader, Writer};
use super::compat::{IdText, Items};
use super::error::ApiError;
use super::request::{JsonBody, PageQuery, PathId, Query};
use super::words;
use switchhook_node::mask::Mask;
use switchhook_node::replays;

/// A replay.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplayAnswer {
    id: IdText,
    /// `running`, `finished`, `cancelled` or `failed`. It is finished when each of its deliveries has ended.
    #[schema(schema_with = words::replay_state)]
    state: &'static str,
    /// Why it failed.
    #[schema(required)]
    reason: Option<String>,
    filter: FilterAnswer,
    /// Where everything goes; null if each event goes to the webhooks that it went to at first.
    #[schema(required)]
    to: Option<ToAnswer>,
    /// Events a second at the most; null for as fast as the receiver takes them.
    #[schema(required)]
    rate: Option<f64>,
    progress: ProgressAnswer,
    /// When it will be done if it goes on like this, in unix milliseconds; null if there is no telling.
    #[schema(value_type = Option<i64>, required)]
    eta: Option<Timestamp>,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// Since when it is in its final state; null while it is running.
    #[schema(value_type = Option<i64>, required)]
    ended_at: Option<Timestamp>,
}

/// Which events. What is not there narrows nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FilterAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ids: Option<Vec<IdText>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::kept_kind, required = false)]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    order_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    webhook_id: Option<IdText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::state, required = false)]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    not_delivered: bool,
    /// Whether it sends dead letters again: see `POST /v1/dead-letters/resend`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    dead_letters: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::failure, required = false)]
    failure: Option<Failure>,
}

/// Where everything goes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToAnswer {
    /// A webhook.
    WebhookId(IdText),
    /// An address that is nobody's webhook.
    Url(String),
}

/// How far a replay has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProgressAnswer {
    /// How many deliveries it will make.
    total: u64,
    /// Whether that was counted; it is an estimate otherwise.
    total_is_exact: bool,
    /// Events looked at.
    scanned: u64,
    /// Deliveries made.
    created: u64,
    /// Deliveries not made, because their webhook or event is gone.
    skipped: u64,
    /// Of those that were made: not ended yet.
    pending: u64,
    delivered: u64,
    exhausted: u64,
    cancelled: u64,
}

/// What a replay would do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DryRunAnswer {
    /// Always true.
    dry_run: bool,
    /// How many deliveries it would make.
    total: u64,
    /// Whether all events were looked at; the total is an estimate otherwise.
    total_is_exact: bool,
    /// Events looked at.
    scanned: u64,
    /// Deliveries that it could not make, because their webhook is gone.
    skipped: u64,
}

/// Sends old events again, as new deliveries, or counts them. It sends nothing that the key may not see: other kinds are
/// left out, and what scopes hide is taken out.
#[utoipa::path(
    post, path = "/v1/replays", tag = "replays", operation_id = "replays.create",
    request_body = ReplayRequest,
    responses(
        (status = 202, description = "The replay, which is running", body = ReplayAnswer),
        (status = 200, description = "What it would do: nothing was sent", body = DryRunAnswer),
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
    responses((status = 200, description = "A page of replays", body = Items<ReplayAnswer>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<Items<ReplayAnswer>>, ApiError> {
    let page = PageQuery::read(Query::of(&uri))?.ours()?;
    let page = api.node.store.list_replays(caller.company_id, page).await?;
    let now = api.node.clock.now();
    let items = page.items.iter().map(|replay| shown(&api, replay, now));
    Ok(Json(Items {
        items: items.collect(),
        cursor: page.next.map(IdText),
    }))
}

/// Shows a replay and how far it has come.
#[utoipa::path(
    get, path = "/v1/replays/{id}", tag = "replays", operation_id = "replays.get",
    params(("id" = IdText, Path, description = "The replay's id")),
    responses((status = 200, description = "The replay", body = ReplayAnswer)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<ReplayId>,
) -> Result<Json<ReplayAnswer>, ApiError> {
    let replay = api.node.store.replay(caller.company_id, id).await?;
    Ok(Json(shown(&api, &replay, api.node.clock.now())))
}

/// Cancels a replay and the deliveries that it made and that are pending. Attempts that are under way still end, and
/// a few deliveries that are about to be sent may still go out.
#[utoipa::path(
    delete, path = "/v1/replays/{id}", tag = "replays", operation_id = "replays.cancel",
    params(("id" = IdText, Path, description = "The replay's id")),
    responses((status = 200, description = "The replay, which is cancelled", body = ReplayAnswer)),
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
    ReplayAnswer::of(replay, now, api.node.settings.dashboard.mask)
}

impl ReplayAnswer {
    fn of(replay: &Replay, now: Timestamp, mask: Mask) -> Self {
        let reason = match &replay.state {
            ReplayState::Failed { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        Self {
            id: IdText(replay.id.0),
            state: replay.state.name().as_str(),
            reason,
            filter: FilterAnswer::of(&replay.filter, mask),
            to: match &replay.to {
                Destination::Origins => None,
                Destination::Webhook(id) => Some(ToAnswer::WebhookId(IdText(id.0))),
                Destination::Url { url, .. } => Some(ToAnswer::Url(shown_url(url).into_owned())),
            },
            rate: replay.rate,
            progress: ProgressAnswer::of(replay),
            eta: replay.expected_end(now),
            created_at: replay.created_at,
            ended_at: replay.state.ended_at(),
        }
    }
}

impl DryRunAnswer {
    pub(super) fn of(tally: Tally) -> Self {
        let Estimate { total, is_exact } = Estimate::of(tally);
        Self {
            dry_run: true,
            total,
            total_is_exact: is_exact,
            scanned: tally.scanned,
            skipped: tally.skipped,
        }
    }
}

impl FilterAnswer {
    fn of(filter: &ReplayFilter, mask: Mask) -> Self {
        let ids = |ids: &Vec<_>| {
            ids.iter()
                .map(|id: &switchhook_domain::id::EventId| IdText(id.0))
                .collect()
        };
        Self {
            ids: filter.ids.as_ref().map(ids),
            kind: filter.kind.map(switchhook_domain::Kind::route),
            order_key: filter
                .order_key
                .as_ref()
                .map(|key| mask.id(key.as_str()).into_owned()),
            since: filter.since,
            until: filter.until,
            webhook_id: filter.webhook_id.map(|id| IdText(id.0)),
            state: filter.state.map(switchhook_domain::delivery::StateName::as_str),
            not_delivered: filter.not_delivered,
            dead_letters: filter.dead_letters,
            failure: filter.failure,
        }
    }
}

impl ProgressAnswer {
    fn of(replay: &Replay) -> Self {
        let Estimate { total, is_exact } = replay.total();
        let progress = replay.progress;
        Self {
            total,
            total_is_exact: is_exact,
            scanned: progress.scanned,
            created: progress.created,
            skipped: progress.skipped,
            pending: progress.pending(),
            delivered: progress.delivered,
            exhausted: progress.exhausted,
            cancelled: progress.cancelled,
        }
    }
}
