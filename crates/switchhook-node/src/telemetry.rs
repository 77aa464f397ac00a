//! Metrics: what is counted and timed.
//!
//! Metrics are handles, made once: counting is one atomic addition, and several nodes in one process (tests) do not
//! mix. No label has unbounded values. Each file of `telemetry/` has the metrics of one subject, and what is noted of it.

mod connections;
mod deliveries;
mod events;
mod metric;
mod requests;
mod storage;
mod webhooks;

use std::sync::Arc;

use http::{Method, StatusCode};
use metrics::Gauge;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use switchhook_domain::webhook::Condition;
use switchhook_http::server::ConnectionCounts;
use switchhook_store::PendingCount;

use self::connections::connection_counts;
use self::deliveries::DeliveryMetrics;
pub use self::deliveries::PendingReason;
use self::events::EventMetrics;
use self::metric::{gauge, label, labelled_gauge};
use self::requests::Requests;
pub use self::storage::Removal;
use self::storage::StorageMetrics;
use self::webhooks::WebhookMetrics;

/// Seconds: from a commit on a fast disk to an attempt that took its whole deadline.
const DURATIONS: [f64; 14] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0,
];

/// Buckets for the operations of one commit.
const BATCHES: [f64; 8] = [1.0, 4.0, 16.0, 64.0, 256.0, 512.0, 1024.0, 2048.0];

/// Counters and gauges of a node. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry(Arc<Handles>);

struct Handles {
    events: EventMetrics,
    deliveries: DeliveryMetrics,
    storage: StorageMetrics,
    rendered: PrometheusHandle,
    webhooks: [Gauge; Condition::ALL.len()],
    requests: Requests,
    single_webhooks: WebhookMetrics,
    process: metrics_process::Collector,
    recorder: Arc<PrometheusRecorder>,
    nodes: Gauge,
    clock_offset: Gauge,
    connections: ConnectionCounts,
}

impl Telemetry {
    /// Everything at zero.
    ///
    /// # Panics
    /// Never: the buckets are not empty.
    #[must_use]
    pub fn new() -> Self {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &DURATIONS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_size".into()), &BATCHES))
            .expect("the buckets are not empty")
            .build_recorder();
        let recorder = Arc::new(recorder);
        let handles = Handles {
            events: EventMetrics::new(&recorder),
            deliveries: DeliveryMetrics::new(&recorder),
            storage: StorageMetrics::new(&recorder),
            webhooks: Condition::ALL.map(|condition| {
                let help = "Webhooks by their condition, those of running replays included";
                let label = label("state", condition.as_str());
                labelled_gauge(&recorder, "switchhook_webhooks", help, label)
            }),
            requests: Requests::new(&recorder),
            single_webhooks: WebhookMetrics::default(),
            process: metrics_process::Collector::default(),
            nodes: gauge(
                &recorder,
                "switchhook_nodes",
                "Nodes that share the work, as this one knows it",
            ),
            clock_offset: gauge(
                &recorder,
                "switchhook_clock_offset_seconds",
                "How far the machine's clock is ahead of the database's; 0 without one",
            ),
            connections: connection_counts(&recorder),
            rendered: recorder.handle(),
            recorder: Arc::clone(&recorder),
        };
        labelled_gauge(
            &recorder,
            "switchhook_build_info",
            "1; which version this is",
            label("version", env!("CARGO_PKG_VERSION")),
        )
        .set(1.0);
        metrics::with_local_recorder(&*recorder, || handles.process.describe());
        Self(Arc::new(handles))
    }

    /// The metrics as Prometheus reads them.
    #[must_use]
    pub fn render(&self) -> String {
        let process = &self.0.process;
        metrics::with_local_recorder(&*self.0.recorder, || process.collect());
        self.0.rendered.render() + &self.0.single_webhooks.render()
    }

    /// Folds samples into their buckets; without it they pile up between scrapes.
    pub fn tidy_up(&self) {
        self.0.rendered.run_upkeep();
    }

    /// Sets the number of webhooks in each condition.
    pub fn webhooks(&self, counts: [u64; Condition::ALL.len()]) {
        for (gauge, count) in self.0.webhooks.iter().zip(counts) {
            gauge.set(count as f64);
        }
    }

    /// Shows so many single webhooks from now on.
    pub fn show_single_webhooks(&self, most: usize) {
        self.0.single_webhooks.show(most);
    }

    /// Chooses which of them.
    pub fn choose_single_webhooks(&self, pending: &[PendingCount]) {
        self.0.single_webhooks.choose(pending);
    }

    /// A request was answered, or its answer has begun.
    pub fn answered(&self, route: &str, method: &Method, status: StatusCode) {
        self.0.requests.count(&self.0.recorder, route, method, status);
    }

    /// Sets the offset of the machine's clock to the database's.
    pub fn clock_offset(&self, ahead_ms: i64) {
        self.0.clock_offset.set(ahead_ms as f64 / 1_000.0);
    }

    pub fn nodes(&self, count: u32) {
        self.0.nodes.set(f64::from(count));
    }

    pub fn connections(&self) -> ConnectionCounts {
        self.0.connections.clone()
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}
