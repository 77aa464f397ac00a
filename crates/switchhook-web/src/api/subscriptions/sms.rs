//! Sms subscriptions: which direction, which target, internal ones, status updates.

use serde::{Deserialize, Serialize};
use switchhook_domain::Kind;
use switchhook_domain::subscription::{Filter, SmsFilter, Subscription, SubscriptionRequest};
use switchhook_protocol::{SmsDirection, TargetType};
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

/// An sms subscription to make or to change. To make one takes a `direction`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub(crate) struct SmsSubscriptionRequest {
    /// `all`, `inbound` or `outbound`. Required to make a subscription.
    #[serde(default)]
    #[schema(schema_with = words::direction_or_null)]
    direction: Field<SmsDirection>,
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
    /// Also messages between two users of the company; false by default.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    include_internal: Field<bool>,
    /// Also updates of an outbound message's delivery status; false by default.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    status: Field<bool>,
    /// Target whose messages are meant; the whole company's if absent.
    #[serde(default)]
    #[schema(value_type = Option<LooseId>)]
    target_id: Field<LooseId>,
    /// Type of the target.
    #[serde(default)]
    #[schema(schema_with = words::target_type_or_null)]
    target_type: Field<TargetType>,
}

/// An sms subscription.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SmsSubscription {
    #[schema(schema_with = words::direction)]
    direction: SmsDirection,
    pub(super) enabled: bool,
    pub(super) id: IdText,
    #[serde(default)]
    #[schema(required)]
    include_internal: bool,
    #[serde(default)]
    #[schema(required)]
    status: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    target_id: Option<IdText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::target_type, required = false)]
    target_type: Option<TargetType>,
    #[serde(flatten)]
    pub(super) endpoint: EndpointAnswer,
}

/// `/api/v2/subscriptions/sms`.
pub(crate) struct SmsSubscriptions;

impl SubscriptionResource for SmsSubscriptions {
    const KIND: Kind = Kind::Sms;
    type Request = SmsSubscriptionRequest;
    type Answer = SmsSubscription;

    fn read(request: SmsSubscriptionRequest) -> Result<SubscriptionRequest, ApiError> {
        Ok(SubscriptionRequest {
            endpoint_id: endpoint(request.endpoint_id, request.webhook_id)?,
            enabled: request.enabled.change(),
            direction: request.direction.change(),
            include_internal: request.include_internal.change(),
            status: request.status.change(),
            target_type: request.target_type.change(),
            target_id: request.target_id.change().map(|id| id.map(|id| id.0)),
            ..SubscriptionRequest::default()
        })
    }

    fn answer(subscription: &Subscription, endpoint: EndpointAnswer) -> SmsSubscription {
        let Filter::Sms(filter) = &subscription.filter else {
            unreachable!("the store was asked for sms subscriptions");
        };
        SmsSubscription {
            direction: filter.direction,
            enabled: subscription.enabled,
            id: IdText(subscription.id.0),
            include_internal: filter.include_internal,
            status: filter.status,
            target_id: filter.target.map(|target| IdText(target.target_id)),
            target_type: filter.target.map(|target| target.target_type),
            endpoint,
        }
    }

    fn filter(answer: &SmsSubscription) -> Filter {
        Filter::Sms(SmsFilter {
            direction: answer.direction,
            include_internal: answer.include_internal,
            status: answer.status,
            target: target(answer.target_type, answer.target_id),
        })
    }
}

subscription_routes!(
    SmsSubscriptions,
    SmsSubscriptionRequest,
    SmsSubscription,
    [TargetQuery],
    "/api/v2/subscriptions/sms",
    "/api/v2/subscriptions/sms/{id}",
    "sms subscriptions"
);
