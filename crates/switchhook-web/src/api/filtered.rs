//! `/v1/subscriptions`: subscriptions of every kind with their filter on the payload, which Dialpad's API does not have.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use switchhook_domain::filter::PayloadFilter;
use switchhook_domain::id::SubscriptionId;
use switchhook_domain::subscription::SubscriptionRequest;
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::events::{self, FilterTrial};
use switchhook_node::subscriptions::{self, SubscriptionView};
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::{Reader, Writer};
use super::endpoint::EndpointAnswer;
use super::request::{Field, JsonBody, PathId};
use super::subscriptions::answer::AnySubscription;
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::{IdText, LooseId};
use switchhook_ingress::words;

/// A subscription as Dialpad's API shows it, with its kind and its filter on the payload.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FilteredSubscription {
    #[serde(flatten)]
    subscription: AnySubscription,
    #[schema(schema_with = words::kind)]
    kind: Kind,
    /// Filter on the payload; null lets all of these events through.
    #[schema(value_type = Option<Object>, required, example = json!({"duration": {"$gt": 30000}}))]
    pub filter: Option<PayloadFilter>,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    #[schema(value_type = i64)]
    updated_at: Timestamp,
}

/// A change of a subscription: what is not sent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct FilteredRequest {
    /// Filter on the payload: JSON that looks like the event, with operators such as `$gt`; null lets all events
    /// through.
    #[serde(default)]
    #[schema(value_type = Option<Object>, example = json!({"duration": {"$gt": 30000}, "direction": ["inbound"]}))]
    filter: Field<Box<RawValue>>,
    /// Enables or disables it.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    enabled: Field<bool>,
    /// The webhook or websocket that gets the events.
    #[serde(default)]
    #[schema(value_type = Option<LooseId>)]
    endpoint_id: Field<LooseId>,
}

/// A filter to try.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(crate) struct TrialRequest {
    /// The kind of events to try it on.
    #[schema(schema_with = words::kind)]
    kind: Kind,
    /// The filter, as a subscription takes it.
    #[schema(value_type = Object, example = json!({"duration": {"$gt": 30000}}))]
    filter: Box<RawValue>,
}

/// Decisions of a filter on recent events.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TrialAnswer {
    /// Number of events that it lets through.
    pub matching: usize,
    /// The events, newest first: at most {most-tried}, and fewer if they are large.
    pub items: Vec<TriedEvent>,
}

/// Decision on one event.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TriedEvent {
    pub event_id: IdText,
    #[schema(value_type = i64)]
    pub accepted_at: Timestamp,
    /// The event in a few words.
    #[schema(example = "hangup")]
    pub summary: String,
    /// True if it is let through.
    pub matches: bool,
    /// The clause that does not hold; null if it is let through.
    #[schema(required, example = "duration: {\"$gt\":30000}")]
    pub clause: Option<String>,
    /// Value found there, as JSON; `***` if the key may not see it, null if there is none.
    #[schema(required, example = "8951.03")]
    pub seen: Option<String>,
}

/// Shows a subscription of any kind with its filter on the payload.
#[utoipa::path(
    get, path = "/v1/subscriptions/{id}", tag = "subscriptions", operation_id = "subscriptions.get",
    params(("id" = IdText, Path, description = "The subscription's id.")),
    responses((status = 200, description = "The subscription.", body = FilteredSubscription)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    PathId(id): PathId<SubscriptionId>,
) -> Result<Json<FilteredSubscription>, ApiError> {
    let kind = subscriptions::kind_of(&api.node, caller, id).await?;
    let shown = subscriptions::get(&api.node, caller, kind, id).await?;
    Ok(Json(FilteredSubscription::of(shown)))
}

/// Changes the filter of a subscription of any kind, or where it points, or whether it is in force.
///
/// A filter sees of an event what the subscription's deliveries show. Changing it takes a key that may see that.
#[utoipa::path(
    patch, path = "/v1/subscriptions/{id}", tag = "subscriptions", operation_id = "subscriptions.update",
    params(("id" = IdText, Path, description = "The subscription's id.")),
    request_body = FilteredRequest,
    responses((status = 200, description = "The subscription.", body = FilteredSubscription)),
)]
pub(crate) async fn update(
    State(api): State<SharedApi>,
    Writer(caller): Writer,
    PathId(id): PathId<SubscriptionId>,
    JsonBody(request): JsonBody<FilteredRequest>,
) -> Result<Json<FilteredSubscription>, ApiError> {
    let filter = request.filter.change();
    let filter = filter.map(|filter| filter.map(|json| parsed(&json)).transpose());
    let request = SubscriptionRequest {
        endpoint_id: request.endpoint_id.change().map(|id| id.map(|id| id.0)),
        enabled: request.enabled.change(),
        payload_filter: filter.transpose()?,
        ..SubscriptionRequest::default()
    };
    let changed = subscriptions::update_any(&api.node, caller, id, request).await?;
    Ok(Json(FilteredSubscription::of(changed)))
}

/// Tries a filter on the last {most-tried} events of a kind: which it would let through, and what would say no. Nothing is changed.
#[utoipa::path(
    post, path = "/v1/subscriptions/try-filter", tag = "subscriptions", operation_id = "subscriptions.try_filter",
    request_body = TrialRequest,
    responses((status = 200, description = "The decision on each event.", body = TrialAnswer)),
)]
pub(crate) async fn try_filter(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    JsonBody(TrialRequest { kind, filter }): JsonBody<TrialRequest>,
) -> Result<Json<TrialAnswer>, ApiError> {
    let tried = events::try_filter(&api.node, caller, kind, &parsed(&filter)?).await?;
    Ok(Json(TrialAnswer {
        matching: tried.iter().filter(|one| one.refused_by.is_none()).count(),
        items: tried.into_iter().map(TriedEvent::of).collect(),
    }))
}

fn parsed(json: &RawValue) -> Result<PayloadFilter, ApiError> {
    PayloadFilter::parse(json.get()).map_err(|error| ApiError::invalid(error.to_string()))
}

impl FilteredSubscription {
    fn of(shown: SubscriptionView) -> Self {
        let SubscriptionView {
            subscription,
            endpoint,
        } = shown;
        Self {
            kind: subscription.filter.kind(),
            subscription: AnySubscription::of(&subscription, EndpointAnswer::of(endpoint)),
            filter: subscription.payload_filter,
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
        }
    }
}

impl TriedEvent {
    fn of(tried: FilterTrial) -> Self {
        let matches = tried.refused_by.is_none();
        let (clause, seen) = tried
            .refused_by
            .map(|by| (Some(by.clause), by.seen))
            .unwrap_or_default();
        Self {
            event_id: IdText(tried.id.0),
            accepted_at: tried.accepted_at,
            summary: tried.summary.in_a_line(),
            matches,
            clause,
            seen,
        }
    }
}
