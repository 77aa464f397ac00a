//! Agent status subscriptions: company-wide, for an admin.

use serde::{Deserialize, Serialize};
use switchhook_domain::Kind;
use switchhook_domain::subscription::{Filter, Subscription, SubscriptionRequest};
use switchhook_protocol::AgentType;
use utoipa::ToSchema;

use super::SubscriptionResource;
use super::routes::subscription_routes;
use crate::api::compat::endpoint;
use crate::api::endpoint::EndpointAnswer;
use crate::api::request::Field;
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::{IdText, LooseId};
use switchhook_ingress::words;

/// An agent status subscription to make or to change. To make one takes an `agent_type`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub(crate) struct AgentStatusSubscriptionRequest {
    /// Always `callcenter`. Required to make a subscription.
    #[serde(default)]
    #[schema(schema_with = words::agent_type_or_null)]
    agent_type: Field<AgentType>,
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

/// An agent status subscription.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AgentStatusSubscription {
    #[schema(schema_with = words::agent_type)]
    agent_type: AgentType,
    pub(super) enabled: bool,
    pub(super) id: IdText,
    #[serde(flatten)]
    pub(super) endpoint: EndpointAnswer,
}

/// `/api/v2/subscriptions/agent_status`.
pub(crate) struct AgentStatusSubscriptions;

impl SubscriptionResource for AgentStatusSubscriptions {
    const KIND: Kind = Kind::AgentStatus;
    type Request = AgentStatusSubscriptionRequest;
    type Answer = AgentStatusSubscription;

    fn read(request: AgentStatusSubscriptionRequest) -> Result<SubscriptionRequest, ApiError> {
        Ok(SubscriptionRequest {
            endpoint_id: endpoint(request.endpoint_id, request.webhook_id)?,
            enabled: request.enabled.change(),
            agent_type: request.agent_type.change(),
            ..SubscriptionRequest::default()
        })
    }

    fn answer(subscription: &Subscription, endpoint: EndpointAnswer) -> AgentStatusSubscription {
        let Filter::AgentStatus { agent_type } = subscription.filter else {
            unreachable!("the store was asked for agent status subscriptions");
        };
        AgentStatusSubscription {
            agent_type,
            enabled: subscription.enabled,
            id: IdText(subscription.id.0),
            endpoint,
        }
    }

    fn filter(answer: &AgentStatusSubscription) -> Filter {
        Filter::AgentStatus {
            agent_type: answer.agent_type,
        }
    }
}

subscription_routes!(
    AgentStatusSubscriptions,
    AgentStatusSubscriptionRequest,
    AgentStatusSubscription,
    [],
    "/api/v2/subscriptions/agent_status",
    "/api/v2/subscriptions/agent_status/{id}",
    "agent_status subscriptions"
);
