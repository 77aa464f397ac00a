//! `/api/v2/subscriptions/{kind}`: "send these events there", as Dialpad's API shows it.
//!
//! Here is what the five kinds have in common; each kind's fields and routes are in the file of its name.

pub(crate) mod agent_status;
pub(crate) mod call;
pub(crate) mod changelog;
pub(crate) mod contact;
mod routes;
pub(crate) mod sms;

use http::Uri;
use serde::Serialize;
use serde::de::DeserializeOwned;
use switchhook_domain::Kind;
use switchhook_domain::id::SubscriptionId;
use switchhook_domain::kind::rules;
use switchhook_domain::subscription::{Filter, FilterChange, Subscription, SubscriptionChange, TargetRef};
use switchhook_protocol::TargetType;
use switchhook_store::{StoreError, SubscriptionFilter};
use utoipa::{IntoParams, ToSchema};

use super::SharedApi;
use super::compat::{IdText, Items, LooseId};
use super::endpoint::{self, EndpointAnswer, Endpoints};
use super::error::ApiError;
use super::limits::too_many;
use super::request::{Field, PageQuery, Query};
use super::words;
use switchhook_node::caller::{Caller, uncleared};

/// What one kind of subscription adds to the rest.
pub(crate) trait SubscriptionResource {
    /// The kind.
    const KIND: Kind;
    /// What clients send.
    type Request: DeserializeOwned + Send;
    /// What they get.
    type Answer: Serialize + ToSchema;

    /// The fields that every kind has.
    fn standing(request: &Self::Request) -> Result<Standing, ApiError>;
    /// The filter of a new subscription.
    fn filter(request: Self::Request) -> Result<Filter, ApiError>;
    /// What a request changes in a filter.
    fn change(request: Self::Request) -> Result<FilterChange, ApiError>;
    /// Shows a subscription with its webhook or websocket.
    fn answer(subscription: &Subscription, endpoint: EndpointAnswer) -> Self::Answer;
}

/// The fields that every kind has.
pub(crate) struct Standing {
    enabled: Field<bool>,
    endpoint: Field<LooseId>,
}

/// To whom a list can be narrowed.
#[derive(Debug, Clone, Copy, Default, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TargetQuery {
    /// Only subscriptions with a target of this type.
    #[param(schema_with = words::target_type, required = false)]
    target_type: Option<TargetType>,
    /// Only subscriptions with this target.
    #[param(value_type = Option<String>)]
    target_id: Option<i64>,
}

impl TargetQuery {
    fn read(query: Query<'_>) -> Result<Self, ApiError> {
        let target_id = query.id("target_id")?;
        Ok(Self {
            target_type: query.word("target_type")?,
            target_id,
        })
    }
}

async fn list<R: SubscriptionResource>(
    api: SharedApi,
    caller: Caller,
    uri: Uri,
) -> Result<Items<R::Answer>, ApiError> {
    check_caller(R::KIND, caller)?;
    let query = Query::of(&uri);
    let page = PageQuery::read(query)?.compatible();
    let of_target = if rules(R::KIND).has_target {
        TargetQuery::read(query)?
    } else {
        TargetQuery::default()
    };
    let filter = SubscriptionFilter {
        kind: Some(R::KIND),
        target_type: of_target.target_type,
        target_id: of_target.target_id,
        endpoint: None,
    };
    let page = api
        .node
        .store
        .list_subscriptions(caller.company_id, filter, page)
        .await?;
    let endpoints = Endpoints::of(&api, caller, &page.items).await?;
    let answer = |subscription| R::answer(subscription, endpoints.answer(&api, caller, subscription));
    let items = page.items.iter().map(answer).collect();
    Ok(Items {
        items,
        cursor: page.next.map(IdText),
    })
}

async fn create<R: SubscriptionResource>(
    api: SharedApi,
    caller: Caller,
    request: R::Request,
) -> Result<R::Answer, ApiError> {
    check_caller(R::KIND, caller)?;
    let standing = R::standing(&request)?;
    // Whoever moves a webhook meanwhile must see that this leads there.
    let share = api.node.shares.of(caller.company_id);
    let _turn = share.change.lock().await;
    let endpoint = match standing.endpoint.given() {
        Some(id) => Some(endpoint::find(&api, caller.company_id, id).await?),
        None => None,
    };
    let now = api.node.clock.now();
    let subscription = Subscription {
        id: SubscriptionId(api.node.ids.next(now)),
        company_id: caller.company_id,
        endpoint,
        enabled: standing.enabled.given().unwrap_or(true),
        filter: R::filter(request)?,
        scopes: caller.scopes,
        created_at: now,
        updated_at: now,
    };
    let there = api.node.registry.subscription_count(caller.company_id);
    if !api.node.shares.limits().subscriptions.allows_more_than(there) {
        return Err(too_many("subscriptions", there, "--limit-subscriptions"));
    }
    let limits = api.node.settings.api_limits.of_subscriptions();
    let subscription = api.node.store.create_subscription(subscription, limits).await?;
    api.node.registry.refresh(caller.company_id).await?;
    answer::<R>(&api, caller, &subscription).await
}

async fn get<R: SubscriptionResource>(
    api: SharedApi,
    caller: Caller,
    id: SubscriptionId,
) -> Result<R::Answer, ApiError> {
    check_caller(R::KIND, caller)?;
    let subscription = api
        .node
        .store
        .subscription(caller.company_id, R::KIND, id)
        .await?;
    answer::<R>(&api, caller, &subscription).await
}

async fn update<R: SubscriptionResource>(
    api: SharedApi,
    caller: Caller,
    id: SubscriptionId,
    request: R::Request,
) -> Result<R::Answer, ApiError> {
    check_caller(R::KIND, caller)?;
    let standing = R::standing(&request)?;
    let endpoint = match standing.endpoint.change() {
        Some(Some(id)) => Some(Some(endpoint::find(&api, caller.company_id, id).await?)),
        Some(None) => Some(None),
        None => None,
    };
    let change = SubscriptionChange {
        endpoint,
        enabled: standing.enabled.change_or(true),
        filter: R::change(request)?,
    };
    let now = api.node.clock.now();
    let company_id = caller.company_id;
    // It must not change between the look at it and the change.
    let share = api.node.shares.of(company_id);
    let _turn = share.change.lock().await;
    let before = api.node.store.subscription(company_id, R::KIND, id).await?;
    let after = before.clone().changed(change, now).map_err(StoreError::from)?;
    caller.clearance().may_change(&before, &after)?;
    let subscription = api
        .node
        .store
        .update_subscription(company_id, R::KIND, id, change, now)
        .await?;
    api.node.registry.refresh(company_id).await?;
    answer::<R>(&api, caller, &subscription).await
}

async fn delete<R: SubscriptionResource>(
    api: SharedApi,
    caller: Caller,
    id: SubscriptionId,
) -> Result<R::Answer, ApiError> {
    check_caller(R::KIND, caller)?;
    let now = api.node.clock.now();
    let (store, company_id) = (&api.node.store, caller.company_id);
    // It must not change between the look at it and its end.
    let share = api.node.shares.of(company_id);
    let _turn = share.change.lock().await;
    let before = store.subscription(company_id, R::KIND, id).await?;
    caller.clearance().may_delete(&before)?;
    let deleted = store.delete_subscription(company_id, R::KIND, id, now).await?;
    api.node.registry.refresh(company_id).await?;
    answer::<R>(&api, caller, &deleted).await
}

/// Subscriptions of a kind are for those who may see its events.
fn check_caller(kind: Kind, caller: Caller) -> Result<(), ApiError> {
    let seen = caller.clearance().sees(kind);
    Ok(seen.map_err(|missing| uncleared(format_args!("{kind} subscriptions"), missing))?)
}

async fn answer<R: SubscriptionResource>(
    api: &SharedApi,
    caller: Caller,
    subscription: &Subscription,
) -> Result<R::Answer, ApiError> {
    let endpoints = Endpoints::of(api, caller, std::slice::from_ref(subscription)).await?;
    Ok(R::answer(
        subscription,
        endpoints.answer(api, caller, subscription),
    ))
}

/// The target of a new subscription: both parts or none.
fn target(target_type: Field<TargetType>, target_id: Field<LooseId>) -> Result<Option<TargetRef>, ApiError> {
    match (target_type.given(), target_id.given()) {
        (Some(target_type), Some(id)) => Ok(Some(TargetRef {
            target_type,
            target_id: id.0,
        })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(ApiError::required(
            "target_id is required with a target_type: send both, or neither for the whole company",
        )),
        (None, Some(_)) => Err(ApiError::required(
            "target_type is required with a target_id: send both, or neither for the whole company",
        )),
    }
}

/// A value that a new subscription must have.
fn required<T>(field: Field<T>, message: &str) -> Result<T, ApiError> {
    field.given().ok_or_else(|| ApiError::required(message))
}
