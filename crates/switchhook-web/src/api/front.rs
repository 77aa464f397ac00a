//! The front door: where requests come in. Those that bring events pass the routes by, everything else goes by them.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use switchhook_http::server::{Answer, answer_by};
use switchhook_ingress::events;
use switchhook_ingress::observing::observe;

use super::{SharedApi, health};

/// What listens.
pub struct FrontDoor {
    pub(super) api: SharedApi,
    /// Everything that there is, events included.
    pub(super) router: Router,
}

impl FrontDoor {
    /// The same door to more routes.
    pub fn with(self, more: Router) -> Self {
        Self {
            router: self.router.merge(more),
            ..self
        }
    }

    /// The same, with each request counted, and logged if that is wanted.
    #[must_use]
    pub fn observed(self) -> Self {
        let telemetry = self.api.node.telemetry.clone();
        Self {
            router: self.router.layer(from_fn_with_state(telemetry, observe)),
            ..self
        }
    }

    /// What is served at the address for metrics.
    pub fn metrics_only(&self) -> Router {
        health::metrics_only(Arc::clone(&self.api))
    }

    /// Answers a request.
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
