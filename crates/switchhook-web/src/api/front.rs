//! The front door: where requests come in. Events go straight to their handler, everything else by way of the routes.
//!
//! Nearly all requests of a busy server send an event in. What the routes do for each request (taking the path apart,
//! keeping its parts, boxing one service after the other) would be a twelfth of what accepting one costs.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use http::Method;
use switchhook_domain::Kind;

use super::auth::Ingester;
use super::middleware::forbid_caching;
use super::{SharedApi, events, health};
use crate::observing::{Observed, observe};
use switchhook_http::server::{Answer, answer_by};

/// The route of those that bring events.
const EVENTS: &str = "/v1/events/{event}";

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
        if brings_events(&request) {
            Box::pin(take_events(Arc::clone(&self.api), request))
        } else {
            answer_by(&self.router, request)
        }
    }

    /// All routes, for those who want no door.
    pub fn into_router(self) -> Router {
        self.router
    }
}

/// Whether it is for [`events::send`], spelled as it should be. Other spellings find their way by the routes.
fn brings_events(request: &Request) -> bool {
    let kind = request.uri().path().strip_prefix("/v1/events/");
    request.method() == Method::POST
        // Whether a parameter is known is the routes' to say.
        && request.uri().query().is_none()
        && kind.is_some_and(|kind| Kind::ALL.iter().any(|known| known.route() == kind))
}

async fn take_events(api: SharedApi, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let observed = Observed::begin(&parts.method, &mut parts.extensions);
    let ingester = Ingester::from_request_parts(&mut parts, &api).await;
    let mut response = match ingester {
        Ok(ingester) => {
            let request = Request::from_parts(parts, body);
            events::send(State(Arc::clone(&api)), ingester, request)
                .await
                .into_response()
        }
        Err(refused) => refused.into_response(),
    };
    forbid_caching(response.headers_mut());
    observed.end(&api.node.telemetry, EVENTS, response.status());
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_what_sends_events_in_passes_the_routes_by() {
        for (method, path, passes) in [
            (Method::POST, "/v1/events/call", true),
            (Method::POST, "/v1/events/agent_status", true),
            (Method::POST, "/v1/events/agent_status?x=1", false),
            (Method::GET, "/v1/events/call", false),
            (Method::POST, "/v1/events/call/", false),
            (Method::POST, "/v1/events/agent-status", false),
            (Method::POST, "/v1/events", false),
        ] {
            let request = Request::builder()
                .method(&method)
                .uri(path)
                .body(Body::empty())
                .unwrap();
            assert_eq!(brings_events(&request), passes, "{method} {path}");
        }
    }
}
