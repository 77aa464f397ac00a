//! `/v1/feed` and `/v1/consumers`: the log, polled.

use std::str::FromStr;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use switchhook_domain::id::{CompanyId, SubscriptionId, WebhookId};
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::feed::{
    self, FeedItem, FeedPage, FeedRequest, LONGEST_WAIT, MOST_ITEMS, Only, Start, USUAL_ITEMS, consumers,
};
use switchhook_node::share::Slot;
use switchhook_protocol::quoted;
use switchhook_store::{Consumer, LogPosition};
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::{Reader, Writer};
use super::compat::Items;
use super::query::{ParameterValue, Query, query};
use super::request::{Field, JsonBody};
use super::stream::no_place;
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;
use switchhook_ingress::words;

query! {
    /// Page of a feed.
    FeedQuery {
        /// Maximum number of items, up to {most-feed-items}; the default is {usual-feed-items}.
        #[param(value_type = Option<u32>)]
        limit: u64,
        /// Seconds to wait for an event if there is none, up to {longest-wait-seconds}; 0 by default.
        #[param(value_type = Option<u32>)]
        wait: u64,
        /// Kind to narrow to.
        #[param(schema_with = words::kept_kind)]
        kind: Kind,
        /// Webhook to narrow to: only events that its subscriptions let through now.
        #[param(value_type = Option<String>)]
        webhook_id: WebhookId,
        /// Subscription to narrow to: only events that it lets through now.
        #[param(value_type = Option<String>)]
        subscription_id: SubscriptionId,
        /// Form of the items: `json`, or `jwt` for what is sent to the webhook, signed with its secret, which takes `webhook_id`.
        #[param(value_type = Option<String>, example = "json")]
        format: Format,
    }
}

query! {
    /// Position to start from.
    AfterQuery {
        /// Position to start from: a `cursor` that was answered, `start` (the oldest event, the default) or `now`.
        #[param(value_type = Option<String>, example = "start")]
        after: Start,
    }
}

impl ParameterValue for Start {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "start" => Ok(Self::Oldest),
            "now" => Ok(Self::Now),
            cursor => position(cursor, ", or `start` or `now`").map(Self::After),
        }
    }
}

/// Form of a feed's items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Format {
    #[default]
    Json,
    Jwt,
}

impl ParameterValue for Format {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            "jwt" => Ok(Self::Jwt),
            _ => Err("use json or jwt".to_owned()),
        }
    }
}

/// A page of the feed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FeedAnswer {
    /// The events, in the order in which they were accepted.
    pub items: Vec<FeedItemAnswer>,
    /// Value of `after` to continue, or to acknowledge.
    pub cursor: IdText,
    /// True if there is nothing more now.
    pub done: bool,
}

/// An event of the feed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FeedItemAnswer {
    /// Position of the event: acknowledging it acknowledges everything up to it.
    pub cursor: IdText,
    pub event_id: IdText,
    #[schema(schema_with = words::kept_kind)]
    pub kind: Kind,
    #[schema(value_type = i64)]
    pub accepted_at: Timestamp,
    /// The event as it came, without what the key may not see; absent with `format=jwt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    pub event: Option<Box<RawValue>>,
    /// The event as it is sent to the webhook, signed; absent without `format=jwt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub jwt: Option<String>,
}

/// A consumer.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConsumerAnswer {
    name: String,
    /// Acknowledged position: everything up to here is done.
    cursor: IdText,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// Time of its last move.
    #[schema(value_type = i64)]
    updated_at: Timestamp,
}

/// A consumer to make; an empty body will do.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct ConsumerRequest {
    /// Start of a new consumer: a `cursor`, `start` (the default) or `now`. Ignored for an existing one.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "start")]
    after: Field<String>,
}

/// Position to acknowledge.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct AckRequest {
    /// The `cursor` of a page or of an item: everything up to it.
    cursor: String,
}

/// Position to move to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct SeekRequest {
    /// A `cursor`, `start` or `now`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "start")]
    cursor: Field<String>,
    /// Time to move to instead, in unix milliseconds: everything that was accepted from then on follows, and perhaps a little from
    /// before. A time to come counts as now.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    at: Field<Timestamp>,
}

/// Reads the feed: every event that the key may see, in the order in which they were accepted.
///
/// The feed is the log that websockets read. It begins with the company's first request, which puts the last {earlier-events} events into it.
/// With `wait` the answer comes as soon as there is an event, or empty after that time.
#[utoipa::path(
    get, path = "/v1/feed", tag = "feed", operation_id = "feed.read",
    params(AfterQuery, FeedQuery),
    responses((status = 200, description = "A page of the feed.", body = FeedAnswer)),
)]
pub(crate) async fn read(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(AfterQuery { after }): Query<AfterQuery>,
    Query(query): Query<FeedQuery>,
) -> Result<Json<FeedAnswer>, ApiError> {
    let request = query.request(after.unwrap_or(Start::Oldest))?;
    let _place = place(&api, caller.company_id)?;
    Ok(Json(FeedAnswer::of(
        feed::read(&api.node, caller, request).await?,
    )))
}

/// Lists the company's consumers, by name.
#[utoipa::path(
    get, path = "/v1/consumers", tag = "feed", operation_id = "consumers.list",
    responses((status = 200, description = "All consumers, of which a company has at most {most-consumers}.", body = Items<ConsumerAnswer>)),
)]
pub(crate) async fn list(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
) -> Result<Json<Items<ConsumerAnswer>>, ApiError> {
    let all = consumers::list(&api.node, caller).await?;
    Ok(Json(Items {
        items: all.into_iter().map(ConsumerAnswer::of).collect(),
        cursor: None,
    }))
}

/// Makes a consumer, a reader of the feed whose position the server keeps. An existing one stays as it is.
#[utoipa::path(
    put, path = "/v1/consumers/{name}", tag = "feed", operation_id = "consumers.put",
    params(("name" = String, Path, description = "Letters, digits, `.`, `_` and `-`, at most {longest-consumer-name}.")),
    request_body = ConsumerRequest,
    responses(
        (status = 200, description = "The consumer that was there.", body = ConsumerAnswer),
        (status = 201, description = "The new consumer.", body = ConsumerAnswer),
    ),
)]
pub(crate) async fn put(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    Path(name): Path<String>,
    JsonBody(request): JsonBody<ConsumerRequest>,
) -> Result<(StatusCode, Json<ConsumerAnswer>), ApiError> {
    let start = request.after.given().map(|text| start("after", &text));
    let start = start.transpose()?.unwrap_or(Start::Oldest);
    let (consumer, is_new) = consumers::put(&api.node, caller, &name, start).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(ConsumerAnswer::of(consumer))))
}

/// Shows a consumer.
#[utoipa::path(
    get, path = "/v1/consumers/{name}", tag = "feed", operation_id = "consumers.get",
    params(("name" = String, Path, description = "The consumer's name.")),
    responses((status = 200, description = "The consumer.", body = ConsumerAnswer)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Path(name): Path<String>,
) -> Result<Json<ConsumerAnswer>, ApiError> {
    Ok(Json(ConsumerAnswer::of(
        consumers::get(&api.node, caller, &name).await?,
    )))
}

/// Deletes a consumer and shows it.
#[utoipa::path(
    delete, path = "/v1/consumers/{name}", tag = "feed", operation_id = "consumers.delete",
    params(("name" = String, Path, description = "The consumer's name.")),
    responses((status = 200, description = "The deleted consumer.", body = ConsumerAnswer)),
)]
pub(crate) async fn delete(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    Path(name): Path<String>,
) -> Result<Json<ConsumerAnswer>, ApiError> {
    Ok(Json(ConsumerAnswer::of(
        consumers::delete(&api.node, caller, &name).await?,
    )))
}

/// Reads the feed from a consumer's position. The same events come again until they are acknowledged.
#[utoipa::path(
    get, path = "/v1/consumers/{name}/feed", tag = "feed", operation_id = "consumers.read",
    params(("name" = String, Path, description = "The consumer's name."), FeedQuery),
    responses((status = 200, description = "A page of the feed.", body = FeedAnswer)),
)]
pub(crate) async fn read_as(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Path(name): Path<String>,
    Query(query): Query<FeedQuery>,
) -> Result<Json<FeedAnswer>, ApiError> {
    let request = query.request(Start::Oldest)?;
    let _place = place(&api, caller.company_id)?;
    let page = consumers::read(&api.node, caller, &name, request).await?;
    Ok(Json(FeedAnswer::of(page)))
}

/// Acknowledges everything up to a cursor, so that it does not come again. A cursor before the consumer's position changes nothing.
#[utoipa::path(
    post, path = "/v1/consumers/{name}/ack", tag = "feed", operation_id = "consumers.acknowledge",
    params(("name" = String, Path, description = "The consumer's name.")),
    request_body = AckRequest,
    responses((status = 200, description = "The consumer.", body = ConsumerAnswer)),
)]
pub(crate) async fn acknowledge(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    Path(name): Path<String>,
    JsonBody(request): JsonBody<AckRequest>,
) -> Result<Json<ConsumerAnswer>, ApiError> {
    let position = position(&request.cursor, "").map_err(|wrong| named("cursor", &wrong))?;
    let consumer = consumers::acknowledge(&api.node, caller, &name, position).await?;
    Ok(Json(ConsumerAnswer::of(consumer)))
}

/// Moves a consumer forwards or back, to a cursor or to a time.
#[utoipa::path(
    post, path = "/v1/consumers/{name}/seek", tag = "feed", operation_id = "consumers.seek",
    params(("name" = String, Path, description = "The consumer's name.")),
    request_body = SeekRequest,
    responses((status = 200, description = "The consumer.", body = ConsumerAnswer)),
)]
pub(crate) async fn seek(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    Path(name): Path<String>,
    JsonBody(request): JsonBody<SeekRequest>,
) -> Result<Json<ConsumerAnswer>, ApiError> {
    let start = match (request.cursor.given(), request.at.given()) {
        (Some(cursor), None) => start("cursor", &cursor)?,
        (None, Some(at)) if at > api.node.clock.now() => Start::Now,
        (None, Some(at)) => consumers::place_at(at),
        _ => return Err(ApiError::invalid("send `cursor` or `at`, and not both")),
    };
    let consumer = consumers::seek(&api.node, caller, &name, start).await?;
    Ok(Json(ConsumerAnswer::of(consumer)))
}

/// Whoever waits has a place among the streams of the company.
fn place(api: &SharedApi, company_id: CompanyId) -> Result<Slot, ApiError> {
    let share = api.node.shares.of(company_id);
    Slot::take(&share.streams, &api.streams).map_err(|none| no_place(api, none))
}

impl FeedQuery {
    /// The request that starts there.
    fn request(self, start: Start) -> Result<FeedRequest, ApiError> {
        let within = |name: &str, number: Option<u64>, most: u64, unless: u64, least: u64| match number {
            None => Ok(unless),
            Some(number) if (least..=most).contains(&number) => Ok(number),
            Some(number) => Err(named(
                name,
                &format!("{number} is not between {least} and {most}"),
            )),
        };
        let limit = within("limit", self.limit, MOST_ITEMS.into(), USUAL_ITEMS.into(), 1)?;
        let wait = within("wait", self.wait, LONGEST_WAIT.as_secs(), 0, 0)?;
        Ok(FeedRequest {
            start,
            limit: u32::try_from(limit).unwrap_or(MOST_ITEMS),
            wait: Duration::from_secs(wait),
            only: Only {
                kind: self.kind,
                webhook_id: self.webhook_id,
                subscription_id: self.subscription_id,
            },
            is_signed: self.format.unwrap_or_default() == Format::Jwt,
        })
    }
}

/// Start that a member of a body names.
fn start(member: &str, text: &str) -> Result<Start, ApiError> {
    Start::read(text).map_err(|wrong| named(member, &wrong))
}

fn position(text: &str, or_else: &str) -> Result<LogPosition, String> {
    let position = i64::from_str(text).ok().filter(|position| *position >= 0);
    position.map(LogPosition).ok_or_else(|| {
        format!(
            "`{}` is not a cursor: send one that the feed answered{or_else}",
            quoted(text)
        )
    })
}

fn named(name: &str, wrong: &str) -> ApiError {
    ApiError::invalid(format!("{name}: {wrong}"))
}

impl FeedAnswer {
    fn of(page: FeedPage) -> Self {
        Self {
            items: page.items.into_iter().map(FeedItemAnswer::of).collect(),
            cursor: IdText(page.position.0),
            done: page.is_done,
        }
    }
}

impl FeedItemAnswer {
    fn of(item: FeedItem) -> Self {
        let (event, jwt) = match item.body.starts_with("eyJ") {
            true => (None, Some(item.body)),
            false => (RawValue::from_string(item.body).ok(), None),
        };
        Self {
            cursor: IdText(item.position.0),
            event_id: IdText(item.event.id.0),
            kind: item.event.kind,
            accepted_at: item.event.accepted_at,
            event,
            jwt,
        }
    }
}

impl ConsumerAnswer {
    fn of(consumer: Consumer) -> Self {
        Self {
            name: consumer.name,
            cursor: IdText(consumer.position.0),
            created_at: consumer.created_at,
            updated_at: consumer.updated_at,
        }
    }
}
