//! Call subscriptions: which states, which target, groups only.

use serde::{Deserialize, Serialize};
use switchhook_domain::Kind;
use switchhook_domain::subscription::{CallFilter, CallStateSet, Filter, Subscription, SubscriptionRequest};
use switchhook_protocol::{CallStateFilter, TargetType};
use utoipa::ToSchema;

use super::answer::target;
use super::routes::subscription_routes;
use super::{SubscriptionResource, TargetQuery};
use crate::api::compat::endpoint;
use crate::api::endpoint::EndpointAnswer;
use crate::api::request::Field;
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::{IdText, LooseId};
use switchhook_ingress::words;

/// A call subscription to make or to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub(crate) struct CallSubscriptionRequest {
    /// Call states; an empty list, or `all`, means every state.
    #[serde(default)]
    #[schema(schema_with = words::call_states_or_null)]
    call_states: Field<CallStateSet>,
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
    /// True for only calls to groups; false by default.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    group_calls_only: Field<bool>,
    /// Target whose calls are meant; the whole company's if absent.
    #[serde(default)]
    #[schema(value_type = Option<LooseId>)]
    target_id: Field<LooseId>,
    /// Type of the target.
    #[serde(default)]
    #[schema(schema_with = words::target_type_or_null)]
    target_type: Field<TargetType>,
}

/// A call subscription.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CallSubscription {
    #[serde(default)]
    #[schema(schema_with = words::call_states, required)]
    call_states: Vec<CallStateFilter>,
    pub(super) enabled: bool,
    #[serde(default)]
    #[schema(required)]
    group_calls_only: bool,
    pub(super) id: IdText,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    target_id: Option<IdText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::target_type, required = false)]
    target_type: Option<TargetType>,
    #[serde(flatten)]
    pub(super) endpoint: EndpointAnswer,
}

/// `/api/v2/subscriptions/call`.
pub(crate) struct CallSubscriptions;

impl SubscriptionResource for CallSubscriptions {
    const KIND: Kind = Kind::Call;
    type Request = CallSubscriptionRequest;
    type Answer = CallSubscription;

    fn read(request: CallSubscriptionRequest) -> Result<SubscriptionRequest, ApiError> {
        Ok(SubscriptionRequest {
            endpoint_id: endpoint(request.endpoint_id, request.webhook_id)?,
            enabled: request.enabled.change(),
            call_states: request.call_states.change(),
            group_calls_only: request.group_calls_only.change(),
            target_type: request.target_type.change(),
            target_id: request.target_id.change().map(|id| id.map(|id| id.0)),
            ..SubscriptionRequest::default()
        })
    }

    fn answer(subscription: &Subscription, endpoint: EndpointAnswer) -> CallSubscription {
        let Filter::Call(filter) = &subscription.filter else {
            unreachable!("the store was asked for call subscriptions");
        };
        CallSubscription {
            call_states: filter.call_states.iter().collect(),
            enabled: subscription.enabled,
            group_calls_only: filter.group_calls_only,
            id: IdText(subscription.id.0),
            target_id: filter.target.map(|target| IdText(target.target_id)),
            target_type: filter.target.map(|target| target.target_type),
            endpoint,
        }
    }

    fn filter(answer: &CallSubscription) -> Filter {
        Filter::Call(CallFilter {
            call_states: answer.call_states.iter().copied().collect(),
            group_calls_only: answer.group_calls_only,
            target: target(answer.target_type, answer.target_id),
        })
    }
}

subscription_routes!(
    CallSubscriptions,
    CallSubscriptionRequest,
    CallSubscription,
    [TargetQuery],
    "/api/v2/subscriptions/call",
    "/api/v2/subscriptions/call/{id}",
    "call subscriptions"
);
