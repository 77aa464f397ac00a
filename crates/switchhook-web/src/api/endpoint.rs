//! Endpoint of a subscription, as Dialpad's API mixes them: a webhook or a websocket.

use serde::{Deserialize, Serialize};
use switchhook_node::subscriptions::EndpointView;
use utoipa::ToSchema;

use super::compat::WebhookAnswer;
use super::websockets::WebsocketAnswer;

/// Endpoint of a subscription: **`websocket` for a websocket, else `webhook`, null if that was deleted or never given**.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct EndpointAnswer {
    /// The webhook that it sends to; null if that was deleted or never given, absent if it sends to a websocket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<WebhookAnswer>)]
    webhook: Option<Option<WebhookAnswer>>,
    /// The websocket that it sends to, with a URL for this subscription's events alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub websocket: Option<WebsocketAnswer>,
}

impl EndpointAnswer {
    /// The webhook that it sends to.
    #[must_use]
    pub fn webhook(&self) -> Option<&WebhookAnswer> {
        self.webhook.as_ref().and_then(Option::as_ref)
    }

    /// Shows where a subscription points.
    pub(super) fn of(endpoint: Option<EndpointView>) -> Self {
        match endpoint {
            Some(EndpointView::Websocket(shown)) => Self {
                webhook: None,
                websocket: Some(WebsocketAnswer::of(shown)),
            },
            Some(EndpointView::Webhook(shown)) => Self {
                webhook: Some(Some(WebhookAnswer::of(&shown))),
                websocket: None,
            },
            None => Self {
                webhook: Some(None),
                websocket: None,
            },
        }
    }
}
