//! Changelog subscriptions: for an admin with the scope `change_log`.

use serde::{Deserialize, Serialize};
use switchhook_domain::Kind;
use switchhook_domain::subscription::{Filter, Subscription, SubscriptionRequest};
use utoipa::ToSchema;

use super::SubscriptionResource;
use super::routes::subscription_routes;
use crate::api::compat::endpoint;
use crate::api::endpoint::EndpointAnswer;
use crate::api::request::Field;
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::{IdText, LooseId};

/// A changelog subscription to make or to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub(crate) struct ChangelogSubscriptionRequest {
    /// True if it is in force, which is the default.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    enabled: Field<bool>,
    /// The webhook or websocket that gets the events.
    #[serde(default)]
    #[schema(value_type = Option<LooseId>)]
    endpoint_id: Field<LooseId>,
    /// An older name of `endpoint_id`.
    #[serde(default)]
    #[schema(value_type = Option<LooseId>, deprecated)]
    webhook_id: Field<LooseId>,
}

/// A changelog subscription.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ChangelogSubscription {
    pub(super) enabled: bool,
    pub(super) id: IdText,
    #[serde(flatten)]
    pub(super) endpoint: EndpointAnswer,
}

/// `/api/v2/subscriptions/changelog`.
pub(crate) struct ChangelogSubscriptions;

impl SubscriptionResource for ChangelogSubscriptions {
    const KIND: Kind = Kind::Changelog;
    type Request = ChangelogSubscriptionRequest;
    type Answer = ChangelogSubscription;

    fn read(request: ChangelogSubscriptionRequest) -> Result<SubscriptionRequest, ApiError> {
        Ok(SubscriptionRequest {
            endpoint_id: endpoint(request.endpoint_id, request.webhook_id)?,
            enabled: request.enabled.change(),
            ..SubscriptionRequest::default()
        })
    }

    fn answer(subscription: &Subscription, endpoint: EndpointAnswer) -> ChangelogSubscription {
        ChangelogSubscription {
            enabled: subscription.enabled,
            id: IdText(subscription.id.0),
            endpoint,
        }
    }

    fn filter(_answer: &ChangelogSubscription) -> Filter {
        Filter::Changelog
    }
}

subscription_routes!(
    ChangelogSubscriptions,
    ChangelogSubscriptionRequest,
    ChangelogSubscription,
    [],
    "/api/v2/subscriptions/changelog",
    "/api/v2/subscriptions/changelog/{id}",
    "changelog subscriptions"
);
