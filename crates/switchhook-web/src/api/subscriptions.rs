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
use utoipa::ToSchema;

use super::SharedApi;
use super::compat::Items;
use super::endpoint::EndpointAnswer;
use super::query::{PageQuery, Parameters, query};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::IdText;
use switchhook_ingress::words;

/// Resource of one kind of subscription.
pub(crate) trait SubscriptionResource {
    /// The kind.
    const KIND: Kind;
    /// Body of requests.
    type Request: DeserializeOwned + Send;
    /// Body of answers.
    type Answer: Serialize + DeserializeOwned + ToSchema;

    /// Reads the body of a request.
    fn read(request: Self::Request) -> Result<SubscriptionRequest, ApiError>;
    /// Shows a subscription with its webhook or websocket.
    fn answer(subscription: &Subscription, endpoint: EndpointAnswer) -> Self::Answer;
    /// The filter of a subscription that was shown.
    fn filter(answer: &Self::Answer) -> Filter;
}

query! {
    /// Target to narrow a list to.
    TargetQuery {
        /// Type of the target to narrow to.
        #[param(schema_with = words::target_type, required = false)]
        target_type: TargetType,
        /// Target to narrow to.
        #[param(value_type = Option<String>)]
        target_id: i64,
    }
}

async fn list<R: SubscriptionResource>(
    api: SharedApi,
    caller: Caller,
    page: PageQuery,
    uri: &Uri,
) -> Result<Items<R::Answer>, ApiError> {
    let page = page.compatible();
    let mut filter = SubscriptionFilter::default();
    if R::KIND.has_target() {
        let target = TargetQuery::read(uri)?;
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
