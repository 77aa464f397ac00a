//! Endpoints for machines: health, readiness, and metrics. They need no key.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use switchhook_domain::Timestamp;
use switchhook_domain::lease::Lease;
use tokio::sync::Mutex as AsyncMutex;
use utoipa::ToSchema;

use super::{Api, SharedApi};
use switchhook_ingress::error::ApiError;
use switchhook_node::delivery::EngineState;

/// Readiness of the server, and what keeps it from being ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// True if it is ready.
    pub ready: bool,
    /// `ok`, or why it cannot keep events.
    #[schema(example = "ok")]
    pub store: String,
    /// `ok`, or why it does not send.
    #[schema(example = "ok")]
    pub delivery: String,
    /// `ok`, or how wrong the machine's clock is.
    #[schema(example = "ok")]
    pub clock: String,
    /// Part of the server that has failed, and why: the server ends, and should be restarted. Absent if none has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "the retention has failed: it panicked")]
    pub failed: Option<String>,
    /// True after a request to stop: requests are still accepted for the time of `--drain`. Absent otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schema(required = false)]
    pub stopping: bool,
    /// Number of deliveries cancelled since the start because their rows are damaged: somebody should check the disk.
    /// The server works all the same. Absent if there are none.
    #[serde(default, skip_serializing_if = "is_none")]
    #[schema(required = false)]
    pub set_aside: u64,
}

impl Readiness {
    /// Reasons for which the server is not ready; none if it is.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let parts = [
            ("store", &self.store),
            ("delivery", &self.delivery),
            ("clock", &self.clock),
        ];
        let failing = parts.into_iter().filter(|(_, state)| *state != OK);
        let mut problems: Vec<_> = failing.map(|(part, why)| format!("{part}: {why}")).collect();
        problems.extend(self.failed.clone());
        problems.extend(self.stopping.then(|| "it is stopping".to_owned()));
        problems
    }
}

/// State of a part without a problem.
const OK: &str = "ok";

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(yes: &bool) -> bool {
    !*yes
}

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
