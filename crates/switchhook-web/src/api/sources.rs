//! `/v1/sources`: where events come in from outside, and what was refused there. Taking them in is `inlet.rs`.

pub(super) mod answer;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use switchhook_domain::Kind;
use switchhook_domain::id::SourceId;
use switchhook_domain::source::Source;
use switchhook_node::source::retry::RetriedRefusals;
use switchhook_node::sources::{self, CreatedSource};
use switchhook_node::visibility::Visibility;
use utoipa::ToSchema;

use self::answer::{RefusalAnswer, RetriedAnswer, SourceAnswer};
use super::auth::{Reader, Writer};
use super::compat::Items;
use super::query::{PageQuery, Query};
use super::request::{Field, JsonBody, PathId};
use super::{Api, SharedApi};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;
use switchhook_ingress::words;

/// A source to make or to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct SourceRequest {
    /// Display name. Required to create a source.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "our account")]
    name: Field<String>,
    /// Kind of its events, if all are of one kind; null or absent: each event's shape decides.
    #[serde(default)]
    #[schema(schema_with = words::kind_or_null)]
    kind: Field<Kind>,
    /// Secret that the sender signs with (HS256); null, empty or absent: only plain JSON is accepted, from anybody.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    secret: Field<String>,
    /// Time for which a replaced secret still counts, such as `12h`: {usual-overlap} by default, at most {longest-overlap}.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "24h")]
    overlap: Field<String>,
}

impl From<SourceRequest> for sources::SourceRequest {
    fn from(request: SourceRequest) -> Self {
        Self {
            name: request.name.change(),
            kind: request.kind.change(),
            secret: request.secret.change(),
            overlap: request.overlap.given(),
        }
    }
}

/// Lists the company's sources, oldest first.
#[utoipa::path(
    get, path = "/v1/sources", tag = "sources", operation_id = "sources.list",
    params(PageQuery),
    responses((status = 200, description = "A page of sources.", body = Items<SourceAnswer>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(query): Query<PageQuery>,
) -> Result<Json<Items<SourceAnswer>>, ApiError> {
    let page = query.ours()?;
    let page = sources::list(&api.node, caller, page).await?;
    let now = api.node.clock.now();
    let shown = |source| SourceAnswer::of(source, now);
    Ok(Json(Items {
        items: page.items.iter().map(shown).collect(),
        cursor: page.next.map(IdText),
    }))
}

/// Makes a source: an address to give to a webhook of a real account. The address is shown this once.
#[utoipa::path(
    post, path = "/v1/sources", tag = "sources", operation_id = "sources.create",
    request_body = SourceRequest,
    responses((status = 200, description = "The source with its address.", body = SourceAnswer)),
)]
pub(crate) async fn create(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    JsonBody(request): JsonBody<SourceRequest>,
) -> Result<Json<SourceAnswer>, ApiError> {
    let CreatedSource { source, url } = sources::create(&api.node, caller, request.into()).await?;
    Ok(Json(SourceAnswer {
        url: Some(url),
        ..shown(&api, &source)
    }))
}

/// Shows a source.
#[utoipa::path(
    get, path = "/v1/sources/{id}", tag = "sources", operation_id = "sources.get",
    params(("id" = IdText, Path, description = "The source's id.")),
    responses((status = 200, description = "The source.", body = SourceAnswer)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<SourceId>,
) -> Result<Json<SourceAnswer>, ApiError> {
    let source = sources::get(&api.node, caller, id).await?;
    Ok(Json(shown(&api, &source)))
}

/// Changes a source: what is not sent stays. A secret that is replaced still counts for the overlap.
#[utoipa::path(
    patch, path = "/v1/sources/{id}", tag = "sources", operation_id = "sources.update",
    params(("id" = IdText, Path, description = "The source's id.")),
    request_body = SourceRequest,
    responses((status = 200, description = "The source.", body = SourceAnswer)),
)]
pub(crate) async fn update(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<SourceId>,
    JsonBody(request): JsonBody<SourceRequest>,
) -> Result<Json<SourceAnswer>, ApiError> {
    let source = sources::update(&api.node, caller, id, request.into()).await?;
    Ok(Json(shown(&api, &source)))
}

/// Deletes a source and shows it. Its events stay, the requests that it refused go.
#[utoipa::path(
    delete, path = "/v1/sources/{id}", tag = "sources", operation_id = "sources.delete",
    params(("id" = IdText, Path, description = "The source's id.")),
    responses((status = 200, description = "The deleted source.", body = SourceAnswer)),
)]
pub(crate) async fn delete(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<SourceId>,
) -> Result<Json<SourceAnswer>, ApiError> {
    let source = sources::delete(&api.node, caller, id).await?;
    Ok(Json(shown(&api, &source)))
}

/// Lists the requests that a source refused, newest first. They are kept for {refusals-last}, the newest {refusal-bytes} of each source.
#[utoipa::path(
    get, path = "/v1/sources/{id}/refusals", tag = "sources", operation_id = "sources.list_refusals",
    params(("id" = IdText, Path, description = "The source's id."), PageQuery),
    responses((status = 200, description = "A page of refusals.", body = Items<RefusalAnswer>)),
)]
pub(crate) async fn list_refusals(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<SourceId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Items<RefusalAnswer>>, ApiError> {
    let page = query.ours()?;
    let visibility = Visibility::of(caller, &api.node);
    let page = sources::list_refusals(&api.node, caller, id, page).await?;
    Ok(Json(Items {
        items: page
            .items
            .into_iter()
            .map(|refusal| RefusalAnswer::of(refusal, visibility))
            .collect(),
        cursor: page.next.map(IdText),
    }))
}

/// Judges the requests that a source refused again, oldest first: after its secret or its kind was corrected.
///
/// A request that is taken becomes an event as of now, with its deliveries, and is no refusal any more; the rest stays. This can be
/// repeated at any time.
#[utoipa::path(
    post, path = "/v1/sources/{id}/retry-refusals", tag = "sources", operation_id = "sources.retry_refusals",
    params(("id" = IdText, Path, description = "The source's id.")),
    responses((status = 200, description = "The counts.", body = RetriedAnswer)),
)]
pub(crate) async fn retry_refusals(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<SourceId>,
) -> Result<Json<RetriedAnswer>, ApiError> {
    let RetriedRefusals {
        taken,
        duplicates,
        still_refused,
    } = sources::retry_refusals(&api.node, caller, id).await?;
    Ok(Json(RetriedAnswer {
        taken,
        duplicates,
        still_refused,
    }))
}

fn shown(api: &Api, source: &Source) -> SourceAnswer {
    SourceAnswer::of(source, api.node.clock.now())
}
