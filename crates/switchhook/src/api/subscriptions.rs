//! `/api/v2/subscriptions/{kind}`: "send these events there", as Dialpad's API shows it.
//!
//! Here is what the five kinds have in common; each kind's fields and routes are in the file of its name.

pub(crate) mod agent_status;
pub(crate) mod call;
pub(crate) mod changelog;
pub(crate) mod contact;
mod routes;
pub(crate) mod sms;

use std::collections::HashMap;

use http::Uri;
use serde::Serialize;
use serde::de::DeserializeOwned;
use switchhook_domain::Kind;
use switchhook_domain::id::{CompanyId, SubscriptionId, WebhookId};
use switchhook_domain::scope::Scope;
use switchhook_domain::subscription::{Filter, FilterChange, Subscription, SubscriptionChange, TargetRef};
use switchhook_domain::webhook::Webhook;
use switchhook_protocol::TargetType;
use switchhook_store::{StoreError, SubscriptionFilter};
use utoipa::{IntoParams, ToSchema};

use super::SharedApi;
use super::auth::Caller;
use super::compat::{IdText, Items, LooseId, WebhookAnswer};
use super::error::ApiError;
use super::request::{Field, PageQuery, Query};
use super::words;

/// What one kind of subscription adds to the rest.
pub(crate) trait SubscriptionResource {
    /// The kind.
    const KIND: Kind;
    /// What clients send.
    type Request: DeserializeOwned;
    /// What they get.
    type Answer: Serialize + ToSchema;

    /// The fields that every kind has.
    fn standing(request: &Self::Request) -> Result<Standing, ApiError>;
    /// The filter of a new subscription.
    fn filter(request: Self::Request) -> Result<Filter, ApiError>;
    /// What a request changes in a filter.
    fn change(request: Self::Request) -> Result<FilterChange, ApiError>;
    /// Shows a subscription with its webhook.
    fn answer(subscription: &Subscription, webhook: Option<WebhookAnswer>) -> Self::Answer;
}

/// The fields that every kind has.
pub(crate) struct Standing {
    enabled: Field<bool>,
    endpoint: Field<WebhookId>,
}

/// To whom a list can be narrowed.
#[derive(Debug, Clone, Copy, IntoParams)]
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
        let target_id = query.get("target_id", "an id: ids are whole numbers")?;
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
    let filter = match R::KIND {
        Kind::Call | Kind::Sms => {
            let TargetQuery {
                target_type,
                target_id,
            } = TargetQuery::read(query)?;
            SubscriptionFilter {
                kind: Some(R::KIND),
                target_type,
                target_id,
            }
        }
        Kind::AgentStatus | Kind::Contact | Kind::Changelog => SubscriptionFilter {
            kind: Some(R::KIND),
            ..SubscriptionFilter::default()
        },
    };
    let page = api
        .system
        .store
        .list_subscriptions(caller.company_id, filter, page)
        .await?;
    let webhooks = webhooks_of(&api, caller.company_id, &page.items).await?;
    let webhook = |subscription: &Subscription| webhooks.get(&subscription.webhook_id?);
    let shown = |webhook| WebhookAnswer::of(webhook, api.secrets_shown());
    let answer = |subscription| R::answer(subscription, webhook(subscription).map(shown));
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
    let now = api.system.clock.now();
    let subscription = Subscription {
        id: SubscriptionId(api.system.ids.next(now)),
        company_id: caller.company_id,
        webhook_id: standing.endpoint.given(),
        enabled: standing.enabled.given().unwrap_or(true),
        filter: R::filter(request)?,
        scopes: caller.scopes,
        created_at: now,
        updated_at: now,
    };
    let limits = api.system.settings.api_limits.of_subscriptions();
    let webhook_id = subscription.webhook_id;
    let created = api.system.store.create_subscription(subscription, limits).await;
    let subscription = created.map_err(|error| name_endpoint(error, webhook_id))?;
    api.system.registry.refresh(caller.company_id).await?;
    answer::<R>(&api, &subscription).await
}

async fn get<R: SubscriptionResource>(
    api: SharedApi,
    caller: Caller,
    id: SubscriptionId,
) -> Result<R::Answer, ApiError> {
    check_caller(R::KIND, caller)?;
    let subscription = api
        .system
        .store
        .subscription(caller.company_id, R::KIND, id)
        .await?;
    answer::<R>(&api, &subscription).await
}

async fn update<R: SubscriptionResource>(
    api: SharedApi,
    caller: Caller,
    id: SubscriptionId,
    request: R::Request,
) -> Result<R::Answer, ApiError> {
    check_caller(R::KIND, caller)?;
    let standing = R::standing(&request)?;
    let change = SubscriptionChange {
        webhook_id: standing.endpoint.change(),
        enabled: standing.enabled.change_or(true),
        filter: R::change(request)?,
    };
    let now = api.system.clock.now();
    let webhook_id = change.webhook_id.flatten();
    let company_id = caller.company_id;
    let updated = api
        .system
        .store
        .update_subscription(company_id, R::KIND, id, change, now)
        .await;
    let subscription = updated.map_err(|error| name_endpoint(error, webhook_id))?;
    api.system.registry.refresh(company_id).await?;
    answer::<R>(&api, &subscription).await
}

async fn delete<R: SubscriptionResource>(
    api: SharedApi,
    caller: Caller,
    id: SubscriptionId,
) -> Result<R::Answer, ApiError> {
    check_caller(R::KIND, caller)?;
    let now = api.system.clock.now();
    let deleted = api
        .system
        .store
        .delete_subscription(caller.company_id, R::KIND, id, now)
        .await?;
    api.system.registry.refresh(caller.company_id).await?;
    answer::<R>(&api, &deleted).await
}

/// Company-wide kinds are an admin's, and change logs need a scope.
fn check_caller(kind: Kind, caller: Caller) -> Result<(), ApiError> {
    let what = || format!("{kind} subscriptions");
    match kind {
        Kind::Call | Kind::Sms => Ok(()),
        Kind::AgentStatus | Kind::Contact => caller.require_admin(&what()),
        Kind::Changelog => {
            caller.require_admin(&what())?;
            caller.require_scope(Scope::ChangeLog, &what())
        }
    }
}

/// Of two things that may be missing the webhook is the one that the request's body names.
fn name_endpoint(error: StoreError, webhook_id: Option<WebhookId>) -> ApiError {
    match (error, webhook_id) {
        (StoreError::NotFound("webhook"), Some(id)) => ApiError::not_found(format!(
            "endpoint_id: there is no webhook {id}: make one with POST /api/v2/webhooks"
        )),
        (error, _) => error.into(),
    }
}

async fn answer<R: SubscriptionResource>(
    api: &SharedApi,
    subscription: &Subscription,
) -> Result<R::Answer, ApiError> {
    let webhook = match subscription.webhook_id {
        Some(id) => webhook(api, subscription.company_id, id).await?,
        None => None,
    };
    let shown = |webhook| WebhookAnswer::of(webhook, api.secrets_shown());
    Ok(R::answer(subscription, webhook.as_ref().map(shown)))
}

/// The webhooks of a page of subscriptions, each read once.
async fn webhooks_of(
    api: &SharedApi,
    company_id: CompanyId,
    subscriptions: &[Subscription],
) -> Result<HashMap<WebhookId, Webhook>, ApiError> {
    let mut webhooks = HashMap::new();
    for id in subscriptions
        .iter()
        .filter_map(|subscription| subscription.webhook_id)
    {
        if !webhooks.contains_key(&id)
            && let Some(webhook) = webhook(api, company_id, id).await?
        {
            webhooks.insert(id, webhook);
        }
    }
    Ok(webhooks)
}

/// A webhook that may be gone by now.
async fn webhook(
    api: &SharedApi,
    company_id: CompanyId,
    id: WebhookId,
) -> Result<Option<Webhook>, StoreError> {
    match api.system.store.webhook(company_id, id).await {
        Ok(webhook) => Ok(Some(webhook)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
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
