//! `/api/v2/subscriptions/{kind}`: "send these events there", as Dialpad's API shows it.
//!
//! Here is what the five kinds have in common; each kind's fields and routes are in the file of its name.

pub(crate) mod agent_status;
pub(crate) mod answer;
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
use switchhook_domain::subscription::{Filter, Subscription, SubscriptionRequest};
use switchhook_node::caller::Caller;
use switchhook_node::subscriptions::{self, SubscriptionView};
use switchhook_protocol::TargetType;
use switchhook_store::SubscriptionFilter;
use utoipa::{IntoParams, ToSchema};

use super::SharedApi;
use super::compat::Items;
use super::endpoint::EndpointAnswer;
use super::request::{PageQuery, Query};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;
use switchhook_ingress::words;

/// Resource of one kind of subscription.
pub(crate) trait SubscriptionResource {
    /// The kind.
    const KIND: Kind;
    /// Body of requests.
    type Request: DeserializeOwned + Send;
    /// What they get.
    type Answer: Serialize + DeserializeOwned + ToSchema;

    /// Reads the body of a request.
    fn read(request: Self::Request) -> Result<SubscriptionRequest, ApiError>;
    /// Shows a subscription with its webhook or websocket.
    fn answer(subscription: &Subscription, endpoint: EndpointAnswer) -> Self::Answer;
    /// The filter of a subscription that was shown.
    fn filter(answer: &Self::Answer) -> Filter;
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
    let query = Query::of(&uri);
    let page = PageQuery::read(query)?.compatible();
    let mut filter = SubscriptionFilter::default();
    if R::KIND.has_target() {
        let target = TargetQuery::read(query)?;
        filter.target_type = target.target_type;
        filter.target_id = target.target_id;
    }
    let page = subscriptions::list(&api.node, caller, R::KIND, filter, page).await?;
    Ok(Items {
        items: page.items.into_iter().map(answer::<R>).collect(),
        cursor: page.next.map(IdText),
    })
}

async fn create<R: SubscriptionResource>(
    api: SharedApi,
    caller: Caller,
    request: R::Request,
) -> Result<R::Answer, ApiError> {
    let request = R::read(request)?;
    let made = subscriptions::create(&api.node, caller, R::KIND, request).await?;
    Ok(answer::<R>(made))
}

async fn get<R: SubscriptionResource>(
    api: SharedApi,
    caller: Caller,
    id: SubscriptionId,
) -> Result<R::Answer, ApiError> {
    let shown = subscriptions::get(&api.node, caller, R::KIND, id).await?;
    Ok(answer::<R>(shown))
}

async fn update<R: SubscriptionResource>(
    api: SharedApi,
    caller: Caller,
    id: SubscriptionId,
    request: R::Request,
) -> Result<R::Answer, ApiError> {
    let request = R::read(request)?;
    let changed = subscriptions::update(&api.node, caller, R::KIND, id, request).await?;
    Ok(answer::<R>(changed))
}

async fn delete<R: SubscriptionResource>(
    api: SharedApi,
    caller: Caller,
    id: SubscriptionId,
) -> Result<R::Answer, ApiError> {
    let deleted = subscriptions::delete(&api.node, caller, R::KIND, id).await?;
    Ok(answer::<R>(deleted))
}

fn answer<R: SubscriptionResource>(shown: SubscriptionView) -> R::Answer {
    R::answer(&shown.subscription, EndpointAnswer::of(shown.endpoint))
}
