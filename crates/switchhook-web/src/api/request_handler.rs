//! Handler of all requests. Those that send events bypass the router; everything else goes through it.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use switchhook_http::server::{Answer, answer_by};
use switchhook_ingress::events;
use switchhook_ingress::request_log::observe;

use super::{SharedApi, health};

/// Handler of all requests: a fast path for sending events, and the router for everything else.
pub struct RequestHandler {
    pub(super) api: SharedApi,
    /// Everything that there is, events included.
    pub(super) router: Router,
}

impl RequestHandler {
    /// Adds routes to the handler.
    pub fn with(self, more: Router) -> Self {
        Self {
            router: self.router.merge(more),
            ..self
        }
    }

    /// Counts each request, and logs it if that is wanted.
    #[must_use]
    pub fn observed(self) -> Self {
        let telemetry = self.api.node.telemetry.clone();
        Self {
            router: self.router.layer(from_fn_with_state(telemetry, observe)),
            ..self
        }
    }

    /// Router for the separate address for metrics.
    pub fn metrics_only(&self) -> Router {
        health::metrics_only(Arc::clone(&self.api))
    }

    pub fn answer(&self, request: Request) -> Answer {
        if events::brings_events(&request) {
            events::answer_to(Arc::clone(&self.api.node), request)
        } else {
            answer_by(&self.router, request)
        }
    }

    /// All routes, for those who want no door.
    pub fn into_router(self) -> Router {
        self.router
    }
}
