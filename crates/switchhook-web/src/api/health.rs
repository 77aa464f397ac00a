//! Endpoints for machines: health, readiness, and metrics. They need no key.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use switchhook_domain::lease::Lease;
use tokio::sync::Mutex as AsyncMutex;

use super::{Api, SharedApi};
use switchhook_ingress::error::ApiError;
use switchhook_ingress::readiness::{OK, Readiness};
use switchhook_node::delivery::EngineState;

/// Asking the store costs a commit: everybody who asks within a second gets the same answer.
#[derive(Debug, Default)]
pub(crate) struct LastReadiness {
    known: Mutex<Option<(Timestamp, String)>>,
    asking: AsyncMutex<()>,
}

impl LastReadiness {
    /// `ok`, or why the store cannot keep events.
    async fn of_store(&self, api: &Api) -> String {
        let _turn = self.asking.lock().await;
        let now = api.node.clock.now();
        if let Some((at, answer)) = &*self.known.lock()
            && *at <= now
            && now.since(*at).as_millis() < 1_000
        {
            return answer.clone();
        }
        let checked = api.node.check_store().await;
        let answer = checked.map_or_else(|error| error.to_string(), |()| OK.to_owned());
        *self.known.lock() = Some((now, answer.clone()));
        answer
    }
}

/// Says that the server is there.
#[utoipa::path(
    get, path = "/healthz", tag = "operation", operation_id = "healthz", security(()),
    responses((status = 200, description = "The process runs.", body = String)),
)]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Says whether the server can keep events and send them.
#[utoipa::path(
    get, path = "/readyz", tag = "operation", operation_id = "readyz", security(()),
    responses(
        (status = 200, description = "The node is ready.", body = Readiness),
        (status = 503, description = "Not ready, with the reasons.", body = Readiness),
    ),
)]
pub(crate) async fn readyz(State(api): State<SharedApi>) -> Response {
    let store = match api.node.ingest_progress.problem() {
        Some(trouble) => trouble,
        None => api.readiness.of_store(&api).await,
    };
    let delivery = match api.node.engine.state() {
        EngineState::Running => OK.to_owned(),
        EngineState::Stalled(why) => why,
        EngineState::Stopped => "stopped".to_owned(),
    };
    let trouble = api.node.clock.agreement().trouble(Lease(api.node.settings.lease));
    let clock = trouble.unwrap_or_else(|| OK.to_owned());
    let mut readiness = Readiness {
        ready: false,
        store,
        delivery,
        clock,
        failed: api.node.liveness.failure(),
        stopping: api.node.liveness.is_stopping(),
        set_aside: api.node.telemetry.set_aside_count(),
    };
    readiness.ready = readiness.problems().is_empty();
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness)).into_response()
}

/// Shows what was counted, for Prometheus.
///
/// The metrics are served elsewhere with `--metrics-listen`, and this address answers 404.
#[utoipa::path(
    get, path = "/metrics", tag = "operation", operation_id = "metrics", security(()),
    responses((status = 200, description = "Prometheus text.", body = String)),
)]
pub(crate) async fn metrics(State(api): State<SharedApi>) -> Response {
    if api.node.settings.metrics_listen.is_some() {
        return ApiError::not_found(
            "metrics are served at an address of their own: the one that --metrics-listen names",
        )
        .into_response();
    }
    counted(State(api)).await
}

/// Routes at the separate address for metrics.
pub(super) fn metrics_only(api: SharedApi) -> Router {
    Router::new()
        .route("/metrics", get(counted))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(|| async {
            ApiError::not_found(
                "only /metrics, /healthz and /readyz are served at this address: everything else is at that of --listen",
            )
        })
        .with_state(api)
}

async fn counted(State(api): State<SharedApi>) -> Response {
    let text = api.node.telemetry.render();
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, content_type)], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ready_is_named_and_nothing_else() {
        let text = r#"{"ready":false,"store":"disk full","delivery":"ok","clock":"ok","stopping":true,"set_aside":3}"#;
        let readiness: Readiness = serde_json::from_str(text).unwrap();
        assert_eq!(readiness.problems(), ["store: disk full", "it is stopping"]);
        let text = r#"{"ready":true,"store":"ok","delivery":"ok","clock":"ok"}"#;
        let readiness: Readiness = serde_json::from_str(text).unwrap();
        assert!(readiness.problems().is_empty());
    }
}
