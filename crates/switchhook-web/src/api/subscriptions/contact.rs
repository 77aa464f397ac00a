//! Contact subscriptions: local contacts or shared ones, for an admin.

use serde::{Deserialize, Serialize};
use switchhook_domain::Kind;
use switchhook_domain::subscription::{Filter, Subscription, SubscriptionRequest};
use switchhook_protocol::ContactType;
use utoipa::ToSchema;

use super::SubscriptionResource;
use super::routes::subscription_routes;
use crate::api::compat::endpoint;
use crate::api::endpoint::EndpointAnswer;
use crate::api::request::Field;
use switchhook_ingress::error::ApiError;
use switchhook_ingress::id::{IdText, LooseId};
use switchhook_ingress::words;

/// Contact subscription to create or to change. Creating and changing both require a `contact_type`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub(crate) struct ContactSubscriptionRequest {
    /// `local` or `shared`. Required to make a subscription.
    #[serde(default)]
    #[schema(schema_with = words::contact_type_or_null)]
    contact_type: Field<ContactType>,
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

/// A contact subscription.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ContactSubscription {
    #[schema(schema_with = words::contact_type)]
    contact_type: ContactType,
    pub(super) enabled: bool,
    pub(super) id: IdText,
    #[serde(flatten)]
    pub(super) endpoint: EndpointAnswer,
}

/// `/api/v2/subscriptions/contact`.
pub(crate) struct ContactSubscriptions;

impl SubscriptionResource for ContactSubscriptions {
    const KIND: Kind = Kind::Contact;
    type Request = ContactSubscriptionRequest;
    type Answer = ContactSubscription;

    fn read(request: ContactSubscriptionRequest) -> Result<SubscriptionRequest, ApiError> {
        Ok(SubscriptionRequest {
            endpoint_id: endpoint(request.endpoint_id, request.webhook_id)?,
            enabled: request.enabled.change(),
            contact_type: request.contact_type.change(),
            ..SubscriptionRequest::default()
        })
    }

    fn answer(subscription: &Subscription, endpoint: EndpointAnswer) -> ContactSubscription {
        let Filter::Contact { contact_type } = subscription.filter else {
            unreachable!("the store was asked for contact subscriptions");
        };
        ContactSubscription {
            contact_type,
            enabled: subscription.enabled,
            id: IdText(subscription.id.0),
            endpoint,
        }
    }

    fn filter(answer: &ContactSubscription) -> Filter {
        Filter::Contact {
            contact_type: answer.contact_type,
        }
    }
}

subscription_routes!(
    ContactSubscriptions,
    ContactSubscriptionRequest,
    ContactSubscription,
    [],
    "/api/v2/subscriptions/contact",
    "/api/v2/subscriptions/contact/{id}",
    "contact subscriptions"
);
