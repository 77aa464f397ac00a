//! Metrics: what is counted and timed.
//!
//! Metrics are handles, made once: counting is one atomic addition, and several nodes in one process (tests) do not
//! mix. No label has unbounded values.

mod requests;
mod webhooks;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use switchhook_domain::Kind;
use switchhook_domain::attempt::OutcomeClass;
use switchhook_domain::id::WebhookId;
use switchhook_domain::webhook::Condition;
use switchhook_http::server::{ConnectionCounts, Overdue};
use switchhook_store::{PendingCount, StoreSize};

use self::requests::Requests;
use self::webhooks::WebhookMetrics;

/// Seconds: from a commit on a fast disk to an attempt that took its whole deadline.
const DURATIONS: [f64; 14] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0,
];

/// How many operations shared a commit.
const BATCHES: [f64; 8] = [1.0, 4.0, 16.0, 64.0, 256.0, 512.0, 1024.0, 2048.0];

/// What is no longer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Events, with their idempotency keys.
    Events,
    /// Their deliveries.
    Deliveries,
    /// Their attempts.
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

/// Why deliveries are pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingReason {
    /// They are due, or being sent.
    Due,
    /// They are to be tried at a later time.
    Later,
    /// Their receiver failed so often that only a probe is sent now and then.
    Breaker,
    /// Their webhook is paused or disabled.
    Paused,
}

impl PendingReason {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Due, Self::Later, Self::Breaker, Self::Paused];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Later => "later",
            Self::Breaker => "breaker",
            Self::Paused => "paused",
        }
    }
}

/// What is counted. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry(Arc<Handles>);

struct Handles {
    rendered: PrometheusHandle,
    accepted: [Counter; Kind::KEPT.len()],
    duplicates: [Counter; Kind::KEPT.len()],
    rejected: Box<dyn Fn(&'static str) -> Counter + Send + Sync>,
    delivered: Counter,
    attempts: [Counter; OutcomeClass::ALL.len()],
    attempt_duration: Histogram,
    exhausted: Counter,
    late_answers: Counter,
    removed: [Counter; Removal::ALL.len()],
    set_aside: Counter,
    set_aside_count: AtomicU64,
    in_flight: Gauge,
    handed_over: Gauge,
    handed_over_bytes: Gauge,
    oldest_due: Gauge,
    oldest_undelivered: Gauge,
    pending: [Gauge; PendingReason::ALL.len()],
    webhooks: [Gauge; Condition::ALL.len()],
    store_used: Gauge,
    store_file: Gauge,
    disk_left: Box<dyn Fn() -> Gauge + Send + Sync>,
    requests: Requests,
    single_webhooks: WebhookMetrics,
    process: metrics_process::Collector,
    recorder: Arc<PrometheusRecorder>,
    nodes: Gauge,
    clock_offset: Gauge,
    commit_duration: Histogram,
    commit_batch: Histogram,
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
        let counter = |name, help, labels| counter(&recorder, name, help, labels);
        let by_kind = |name, help| Kind::KEPT.map(|kind| counter(name, help, label("kind", kind.route())));
        let (for_rejections, for_disk) = (Arc::clone(&recorder), Arc::clone(&recorder));
        let handles = Handles {
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
                self::counter(
                    &for_rejections,
                    "switchhook_events_rejected_total",
                    help,
                    label("reason", reason),
                )
            }),
            delivered: counter(
                "switchhook_deliveries_delivered_total",
                "Deliveries that a receiver took",
                vec![],
            ),
            attempts: OutcomeClass::ALL.map(|class| {
                counter(
                    "switchhook_attempts_total",
                    "Attempts that ended",
                    label("class", class.as_str()),
                )
            }),
            exhausted: counter(
                "switchhook_deliveries_exhausted_total",
                "Deliveries that were given up",
                vec![],
            ),
            late_answers: counter(
                "switchhook_late_answers_total",
                "Attempts that ended after their claim had passed on",
                vec![],
            ),
            set_aside: counter(
                "switchhook_deliveries_set_aside_total",
                "Deliveries that were cancelled because their rows are damaged",
                vec![],
            ),
            set_aside_count: AtomicU64::new(0),
            removed: Removal::ALL.map(|(_, what)| {
                let help = "What was removed because it was too old, too much, or not wanted any more";
                counter("switchhook_retention_removed_total", help, label("what", what))
            }),
            attempt_duration: histogram(
                &recorder,
                "switchhook_attempt_duration_seconds",
                "Time of an attempt",
            ),
            in_flight: gauge(&recorder, "switchhook_attempts_in_flight", "Attempts under way"),
            handed_over: gauge(
                &recorder,
                "switchhook_deliveries_handed_over",
                "Deliveries in memory",
            ),
            handed_over_bytes: gauge(
                &recorder,
                "switchhook_handed_over_bytes",
                "Bytes of events, and of what is made of them for receivers, in memory to be sent",
            ),
            oldest_due: gauge(
                &recorder,
                "switchhook_oldest_due_age_seconds",
                "How long the oldest due delivery has been waiting; 0 if none is",
            ),
            oldest_undelivered: gauge(
                &recorder,
                "switchhook_oldest_undelivered_age_seconds",
                "How old the oldest pending delivery is, whatever it waits for; 0 if none is pending",
            ),
            pending: PendingReason::ALL.map(|reason| {
                let help = "Pending deliveries: due, to be tried later, behind an open breaker, of paused webhooks; counted \
                            up to 10000 of each webhook and 100000 in all";
                let name = "switchhook_deliveries_pending";
                labelled_gauge(&recorder, name, help, label("reason", reason.as_str()))
            }),
            webhooks: Condition::ALL.map(|condition| {
                let help = "Webhooks by their condition, those of running replays included";
                let label = label("state", condition.as_str());
                labelled_gauge(&recorder, "switchhook_webhooks", help, label)
            }),
            store_used: gauge(
                &recorder,
                "switchhook_store_used_bytes",
                "Bytes that the store uses; what was freed and will be used again does not count",
            ),
            store_file: gauge(
                &recorder,
                "switchhook_store_file_bytes",
                "Bytes that the store takes on the disk, without its log",
            ),
            disk_left: Box::new(move || {
                let help = "Bytes that the disk of the store has left; not there where that is not known (PostgreSQL)";
                gauge(&for_disk, "switchhook_disk_free_bytes", help)
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
            commit_duration: histogram(
                &recorder,
                "switchhook_commit_duration_seconds",
                "Time of a commit",
            ),
            commit_batch: histogram(
                &recorder,
                "switchhook_commit_batch_size",
                "Operations that shared a commit",
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

    /// An event was stored, or had been before.
    pub fn accepted(&self, kind: Kind, is_duplicate: bool) {
        let counters = if is_duplicate {
            &self.0.duplicates
        } else {
            &self.0.accepted
        };
        counters[kind as usize].increment(1);
    }

    /// An event was refused, for one of a few reasons.
    pub fn rejected(&self, reason: &'static str) {
        (self.0.rejected)(reason).increment(1);
    }

    /// An attempt begins.
    pub fn attempt_started(&self) {
        self.0.in_flight.increment(1.0);
    }

    /// An attempt is over.
    pub fn attempt_ended(&self, webhook_id: WebhookId, class: OutcomeClass, took: Duration) {
        self.0.single_webhooks.attempted(webhook_id, class.is_success());
        self.0.in_flight.decrement(1.0);
        self.0.attempts[class as usize].increment(1);
        self.0.attempt_duration.record(took.as_secs_f64());
        if class.is_success() {
            self.0.delivered.increment(1);
        }
    }

    /// A delivery was given up.
    pub fn exhausted(&self) {
        self.0.exhausted.increment(1);
    }

    /// Attempts ended after their claim had passed on.
    pub fn late_answers(&self, count: usize) {
        self.0.late_answers.increment(count as u64);
    }

    /// A delivery was cancelled because its row is damaged.
    pub fn set_aside(&self) {
        self.0.set_aside.increment(1);
        self.0.set_aside_count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were, since the start.
    #[must_use]
    pub fn set_aside_count(&self) -> u64 {
        self.0.set_aside_count.load(Ordering::Relaxed)
    }

    /// Something is no longer kept.
    pub fn removed(&self, what: Removal, count: u64) {
        self.0.removed[what as usize].increment(count);
    }

    /// How many deliveries are in memory, and how many bytes to send them.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge of bytes need not be exact beyond 2^53"
    )]
    pub fn handed_over(&self, count: u32, bytes: usize) {
        self.0.handed_over.set(f64::from(count));
        self.0.handed_over_bytes.set(bytes as f64);
    }

    /// How long the oldest due delivery has been waiting.
    pub fn oldest_due(&self, age: Duration) {
        self.0.oldest_due.set(age.as_secs_f64());
    }

    /// How old the oldest pending delivery is.
    pub fn oldest_undelivered(&self, age: Duration) {
        self.0.oldest_undelivered.set(age.as_secs_f64());
    }

    /// How many deliveries are pending for each reason.
    pub fn pending(&self, counts: [u64; PendingReason::ALL.len()]) {
        for (gauge, count) in self.0.pending.iter().zip(counts) {
            gauge.set(count as f64);
        }
    }

    /// How many webhooks are in each condition.
    pub fn webhooks(&self, counts: [u64; Condition::ALL.len()]) {
        for (gauge, count) in self.0.webhooks.iter().zip(counts) {
            gauge.set(count as f64);
        }
    }

    /// How much room the store takes.
    pub fn store_size(&self, size: StoreSize) {
        self.0.store_used.set(size.used as f64);
        self.0.store_file.set(size.file as f64);
        if let Some(left) = size.disk_left {
            (self.0.disk_left)().set(left as f64);
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

    /// How far the machine's clock is ahead of the database's.
    pub fn clock_offset(&self, ahead_ms: i64) {
        self.0.clock_offset.set(ahead_ms as f64 / 1_000.0);
    }

    /// How many nodes share the work.
    pub fn nodes(&self, count: u32) {
        self.0.nodes.set(f64::from(count));
    }

    /// Where connections are counted.
    pub fn connections(&self) -> ConnectionCounts {
        self.0.connections.clone()
    }

    /// The store made a commit.
    pub fn committed(&self, took: Duration, operations: usize) {
        self.0.commit_duration.record(took.as_secs_f64());
        self.0.commit_batch.record(operations as f64);
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

fn connection_counts(recorder: &PrometheusRecorder) -> ConnectionCounts {
    let closed = |reason| {
        let help = "Connections that were closed although their clients had not: `head`, `idle`, `body` and `answer` for \
                    what the client took too long with, `room` to make room for another";
        counter(
            recorder,
            "switchhook_connections_closed_total",
            help,
            label("reason", reason),
        )
    };
    let refused = |reason| {
        let help = "Connections that were not taken: `limit` if there was no room to be made, `files` if no file was left";
        counter(
            recorder,
            "switchhook_connections_refused_total",
            help,
            label("reason", reason),
        )
    };
    ConnectionCounts {
        open: gauge(
            recorder,
            "switchhook_connections_open",
            "Connections of clients that are open",
        ),
        accepted: counter(
            recorder,
            "switchhook_connections_accepted_total",
            "Connections of clients that were taken",
            vec![],
        ),
        overdue: Overdue::ALL.map(|why| closed(why.as_str())),
        made_room: closed("room"),
        refused: refused("limit"),
        without_file: refused("files"),
    }
}

const METADATA: Metadata<'_> = Metadata::new("switchhook", Level::INFO, None);

fn label(name: &'static str, value: &'static str) -> Vec<Label> {
    vec![Label::from_static_parts(name, value)]
}

fn counter(
    recorder: &PrometheusRecorder,
    name: &'static str,
    help: &'static str,
    labels: Vec<Label>,
) -> Counter {
    recorder.describe_counter(
        KeyName::from_const_str(name),
        Some(Unit::Count),
        SharedString::const_str(help),
    );
    recorder.register_counter(&Key::from_parts(name, labels), &METADATA)
}

fn gauge(recorder: &PrometheusRecorder, name: &'static str, help: &'static str) -> Gauge {
    labelled_gauge(recorder, name, help, vec![])
}

fn labelled_gauge(
    recorder: &PrometheusRecorder,
    name: &'static str,
    help: &'static str,
    labels: Vec<Label>,
) -> Gauge {
    recorder.describe_gauge(KeyName::from_const_str(name), None, SharedString::const_str(help));
    recorder.register_gauge(&Key::from_parts(name, labels), &METADATA)
}

fn histogram(recorder: &PrometheusRecorder, name: &'static str, help: &'static str) -> Histogram {
    recorder.describe_histogram(KeyName::from_const_str(name), None, SharedString::const_str(help));
    recorder.register_histogram(&Key::from_static_name(name), &METADATA)
}
