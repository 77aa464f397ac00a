//! What a subscription points at, in requests and answers: a webhook or a websocket, as Dialpad's API mixes them.

use std::collections::HashMap;

use serde::Serialize;
use switchhook_domain::clearance::Clearance;
use switchhook_domain::id::{CompanyId, WebhookId, WebsocketId};
use switchhook_domain::subscription::{Endpoint, Subscription};
use switchhook_domain::webhook::Webhook;
use switchhook_domain::websocket::Websocket;
use switchhook_store::StoreError;
use utoipa::ToSchema;

use super::compat::{LooseId, WebhookAnswer};
use super::error::ApiError;
use super::websockets::{self, WebsocketAnswer};
use super::{Api, SharedApi};
use switchhook_node::caller::Caller;
use switchhook_node::secrets_shown::SecretsShown;
use switchhook_node::traffic::secrets_shown;

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

/// Finds what the id in a request names.
pub(super) async fn find(api: &Api, company_id: CompanyId, id: LooseId) -> Result<Endpoint, ApiError> {
    let store = &api.node.store;
    if found(store.webhook(company_id, WebhookId(id.0)).await)?.is_some() {
        return Ok(Endpoint::Webhook(WebhookId(id.0)));
    }
    if found(store.websocket(company_id, WebsocketId(id.0)).await)?.is_some() {
        return Ok(Endpoint::Websocket(WebsocketId(id.0)));
    }
    Err(ApiError::not_found(format!(
        "endpoint_id: there is no webhook {} and no websocket: make one with POST /api/v2/webhooks or /api/v2/websockets",
        id.0
    )))
}

/// The webhooks and websockets of some subscriptions, each read once.
#[derive(Default)]
pub(super) struct Endpoints {
    webhooks: HashMap<WebhookId, (Webhook, SecretsShown)>,
    websockets: HashMap<WebsocketId, (Websocket, SecretsShown)>,
    clearance: Clearance,
}

impl Endpoints {
    pub(super) async fn of(
        api: &SharedApi,
        caller: Caller,
        subscriptions: &[Subscription],
    ) -> Result<Self, ApiError> {
        let (store, company_id) = (&api.node.store, caller.company_id);
        let mut endpoints = Self {
            clearance: caller.clearance(),
            ..Self::default()
        };
        for endpoint in subscriptions.iter().filter_map(|one| one.endpoint) {
            match endpoint {
                Endpoint::Webhook(id) if !endpoints.webhooks.contains_key(&id) => {
                    if let Some(webhook) = found(store.webhook(company_id, id).await)? {
                        let shown = secrets_shown(&api.node, caller, endpoint).await?;
                        endpoints.webhooks.insert(id, (webhook, shown));
                    }
                }
                Endpoint::Websocket(id) if !endpoints.websockets.contains_key(&id) => {
                    if let Some(websocket) = found(store.websocket(company_id, id).await)? {
                        let shown = secrets_shown(&api.node, caller, endpoint).await?;
                        endpoints.websockets.insert(id, (websocket, shown));
                    }
                }
                _ => {}
            }
        }
        Ok(endpoints)
    }

    /// Shows where a subscription points.
    pub(super) fn answer(&self, api: &Api, caller: Caller, subscription: &Subscription) -> EndpointAnswer {
        let websocket = subscription
            .websocket_id()
            .and_then(|id| self.websockets.get(&id));
        if let Some((websocket, shown)) = websocket {
            let only = Some((subscription.filter.kind(), subscription.id));
            let may_listen = self.clearance.covers(Clearance::for_subscription(subscription));
            let url = may_listen
                .ok()
                .map(|()| websockets::url(api, caller, websocket, only));
            return EndpointAnswer {
                webhook: Shown::Hidden,
                websocket: Some(WebsocketAnswer::of(websocket, *shown, url)),
            };
        }
        let webhook = subscription.webhook_id().and_then(|id| self.webhooks.get(&id));
        let shown = webhook.map(|(webhook, shown)| WebhookAnswer::with(webhook, *shown));
        EndpointAnswer {
            webhook: Shown::Null(shown),
            websocket: None,
        }
    }
}

/// What may be gone by now.
fn found<T>(answer: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
