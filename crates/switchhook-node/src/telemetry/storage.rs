//! Metrics of the store: commits, size, and removals.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};
use metrics_exporter_prometheus::PrometheusRecorder;
use switchhook_store::StoreSize;

use super::Telemetry;
use super::metric::{counter, gauge, histogram, label};

/// Kinds of data that retention removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Events, with their idempotency keys.
    Events,
    Deliveries,
    Attempts,
    /// Payloads of events whose record stays.
    Payloads,
    /// Webhooks' secrets that were replaced and no longer count.
    OldSecrets,
}

impl Removal {
    /// Everything that can go, with its label.
    const ALL: [(Self, &'static str); 5] = [
        (Self::Events, "events"),
        (Self::Deliveries, "deliveries"),
        (Self::Attempts, "attempts"),
        (Self::Payloads, "payloads"),
        (Self::OldSecrets, "old_secrets"),
    ];
}

pub(super) struct StorageMetrics {
    removed: [Counter; Removal::ALL.len()],
    store_used: Gauge,
    store_file: Gauge,
    disk_left: Box<dyn Fn() -> Gauge + Send + Sync>,
    commit_duration: Histogram,
    commit_batch: Histogram,
}

impl StorageMetrics {
    pub(super) fn new(recorder: &Arc<PrometheusRecorder>) -> Self {
        let counter = |name, help, labels| counter(recorder, name, help, labels);
        let for_disk = Arc::clone(recorder);
        Self {
            removed: Removal::ALL.map(|(_, what)| {
                let help = "What was removed because it was too old, too much, or not wanted any more";
                counter("switchhook_retention_removed_total", help, label("what", what))
            }),
            store_used: gauge(
                recorder,
                "switchhook_store_used_bytes",
                "Bytes that the store uses; what was freed and will be used again does not count",
            ),
            store_file: gauge(
                recorder,
                "switchhook_store_file_bytes",
                "Bytes that the store takes on the disk, without its log",
            ),
            disk_left: Box::new(move || {
                let help = "Bytes that the disk of the store has left; not there where that is not known (PostgreSQL)";
                gauge(&for_disk, "switchhook_disk_free_bytes", help)
            }),
            commit_duration: histogram(recorder, "switchhook_commit_duration_seconds", "Time of a commit"),
            commit_batch: histogram(
                recorder,
                "switchhook_commit_batch_size",
                "Operations that shared a commit",
            ),
        }
    }
}

impl Telemetry {
    /// Something is no longer kept.
    pub fn removed(&self, what: Removal, count: u64) {
        self.0.storage.removed[what as usize].increment(count);
    }

    pub fn store_size(&self, size: StoreSize) {
        self.0.storage.store_used.set(size.used as f64);
        self.0.storage.store_file.set(size.file as f64);
        if let Some(left) = size.disk_left {
            (self.0.storage.disk_left)().set(left as f64);
        }
    }

    /// The store made a commit.
    pub fn committed(&self, took: Duration, operations: usize) {
        self.0.storage.commit_duration.record(took.as_secs_f64());
        if operations > 0 {
            self.0.storage.commit_batch.record(operations as f64);
        }
    }
}
