//! What a subscription points at, as Dialpad's API mixes them: a webhook or a websocket.

use serde::Serialize;
use switchhook_node::subscriptions::ShownEndpoint;
use utoipa::ToSchema;

use super::compat::WebhookAnswer;
use super::websockets::WebsocketAnswer;

/// Where a subscription points: **`websocket` for a websocket, else `webhook`, null if that was deleted or never given**.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndpointAnswer {
    /// Where it sends; null if that was deleted or never given, absent if it tells a websocket.
    #[serde(skip_serializing_if = "Shown::is_hidden")]
    #[schema(value_type = Option<WebhookAnswer>)]
    webhook: Shown<WebhookAnswer>,
    /// The websocket that it tells, with a URL for this subscription's events alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    websocket: Option<WebsocketAnswer>,
}

/// A member that can be null, and can be left out.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Shown<T> {
    Null(Option<T>),
    #[serde(skip)]
    Hidden,
}

impl<T> Shown<T> {
    const fn is_hidden(&self) -> bool {
        matches!(self, Self::Hidden)
    }
}

impl EndpointAnswer {
    /// Shows where a subscription points.
    pub(super) fn of(endpoint: Option<ShownEndpoint>) -> Self {
        match endpoint {
            Some(ShownEndpoint::Websocket(shown)) => Self {
                webhook: Shown::Hidden,
                websocket: Some(WebsocketAnswer::of(shown)),
            },
            Some(ShownEndpoint::Webhook(shown)) => Self {
                webhook: Shown::Null(Some(WebhookAnswer::of(&shown))),
                websocket: None,
            },
            None => Self {
                webhook: Shown::Null(None),
                websocket: None,
            },
        }
    }
}
