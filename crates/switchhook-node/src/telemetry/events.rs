//! Metrics of incoming events.

use std::sync::Arc;

use metrics::Counter;
use metrics_exporter_prometheus::PrometheusRecorder;
use switchhook_domain::Kind;

use super::Telemetry;
use super::metric::{counter, label};

pub(super) struct EventMetrics {
    accepted: [Counter; Kind::KEPT.len()],
    duplicates: [Counter; Kind::KEPT.len()],
    rejected: Box<dyn Fn(&'static str) -> Counter + Send + Sync>,
}

impl EventMetrics {
    pub(super) fn new(recorder: &Arc<PrometheusRecorder>) -> Self {
        let by_kind =
            |name, help| Kind::KEPT.map(|kind| counter(recorder, name, help, label("kind", kind.route())));
        let for_rejections = Arc::clone(recorder);
        Self {
            accepted: by_kind(
                "switchhook_events_accepted_total",
                "Events that were stored and acknowledged",
            ),
            duplicates: by_kind(
                "switchhook_events_duplicate_total",
                "Events that had been accepted before",
            ),
            rejected: Box::new(move |reason| {
                let help = "Events that were refused";
                counter(
                    &for_rejections,
                    "switchhook_events_rejected_total",
                    help,
                    label("reason", reason),
                )
            }),
        }
    }
}

impl Telemetry {
    /// An event was stored, or had been before.
    pub fn accepted(&self, kind: Kind, is_duplicate: bool) {
        let counters = if is_duplicate {
            &self.0.events.duplicates
        } else {
            &self.0.events.accepted
        };
        counters[kind as usize].increment(1);
    }

    /// An event was refused, for one of a few reasons.
    pub fn rejected(&self, reason: &'static str) {
        (self.0.events.rejected)(reason).increment(1);
    }
}
