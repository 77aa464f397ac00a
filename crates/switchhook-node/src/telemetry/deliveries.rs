//! Metrics of deliveries and attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};
use metrics_exporter_prometheus::PrometheusRecorder;
use switchhook_domain::attempt::OutcomeClass;
use switchhook_domain::id::WebhookId;

use super::Telemetry;
use super::metric::{counter, gauge, histogram, label, labelled_gauge};

/// Reasons for which deliveries are pending.
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
    /// These are the quiet hours of their webhook.
    Quiet,
}

impl PendingReason {
    pub const ALL: [Self; 5] = [Self::Due, Self::Later, Self::Breaker, Self::Paused, Self::Quiet];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Later => "later",
            Self::Breaker => "breaker",
            Self::Paused => "paused",
            Self::Quiet => "quiet",
        }
    }
}

pub(super) struct DeliveryMetrics {
    delivered: Counter,
    attempts: [Counter; OutcomeClass::ALL.len()],
    attempt_duration: Histogram,
    exhausted: Counter,
    late_answers: Counter,
    set_aside: Counter,
    set_aside_count: AtomicU64,
    in_flight: Gauge,
    handed_over: Gauge,
    handed_over_bytes: Gauge,
    oldest_due: Gauge,
    oldest_undelivered: Gauge,
    pending: [Gauge; PendingReason::ALL.len()],
}

impl DeliveryMetrics {
    pub(super) fn new(recorder: &Arc<PrometheusRecorder>) -> Self {
        let counter = |name, help, labels| counter(recorder, name, help, labels);
        Self {
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
            attempt_duration: histogram(
                recorder,
                "switchhook_attempt_duration_seconds",
                "Time of an attempt",
            ),
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
            in_flight: gauge(recorder, "switchhook_attempts_in_flight", "Attempts under way"),
            handed_over: gauge(
                recorder,
                "switchhook_deliveries_handed_over",
                "Deliveries in memory",
            ),
            handed_over_bytes: gauge(
                recorder,
                "switchhook_handed_over_bytes",
                "Bytes of events, and of what is made of them for receivers, in memory to be sent",
            ),
            oldest_due: gauge(
                recorder,
                "switchhook_oldest_due_age_seconds",
                "How long the oldest due delivery has been waiting; 0 if none is",
            ),
            oldest_undelivered: gauge(
                recorder,
                "switchhook_oldest_undelivered_age_seconds",
                "How old the oldest pending delivery is, whatever it waits for; 0 if none is pending",
            ),
            pending: PendingReason::ALL.map(|reason| {
                let help = "Pending deliveries: due, to be tried later, behind an open breaker, of paused \
                            webhooks; counted up to 10000 of each webhook and 100000 in all";
                let name = "switchhook_deliveries_pending";
                labelled_gauge(recorder, name, help, label("reason", reason.as_str()))
            }),
        }
    }
}

impl Telemetry {
    pub fn attempt_started(&self) {
        self.0.deliveries.in_flight.increment(1.0);
    }

    /// An attempt is over.
    pub fn attempt_ended(&self, webhook_id: WebhookId, class: OutcomeClass, took: Duration) {
        self.0.single_webhooks.attempted(webhook_id, class.is_success());
        self.0.deliveries.in_flight.decrement(1.0);
        self.0.deliveries.attempts[class as usize].increment(1);
        self.0.deliveries.attempt_duration.record(took.as_secs_f64());
        if class.is_success() {
            self.0.deliveries.delivered.increment(1);
        }
    }

    /// A delivery was given up.
    pub fn exhausted(&self) {
        self.0.deliveries.exhausted.increment(1);
    }

    /// Attempts ended after their claim had passed on.
    pub fn late_answers(&self, count: usize) {
        self.0.deliveries.late_answers.increment(count as u64);
    }

    /// A delivery was cancelled because its row is damaged.
    pub fn set_aside(&self) {
        self.0.deliveries.set_aside.increment(1);
        self.0.deliveries.set_aside_count.fetch_add(1, Ordering::Relaxed);
    }

    /// Total since the start.
    #[must_use]
    pub fn set_aside_count(&self) -> u64 {
        self.0.deliveries.set_aside_count.load(Ordering::Relaxed)
    }

    /// Sets the number of deliveries in memory, and their bytes.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge of bytes need not be exact beyond 2^53"
    )]
    pub fn handed_over(&self, count: u32, bytes: usize) {
        self.0.deliveries.handed_over.set(f64::from(count));
        self.0.deliveries.handed_over_bytes.set(bytes as f64);
    }

    /// Sets the waiting time of the oldest due delivery.
    pub fn oldest_due(&self, age: Duration) {
        self.0.deliveries.oldest_due.set(age.as_secs_f64());
    }

    /// Sets the age of the oldest pending delivery.
    pub fn oldest_undelivered(&self, age: Duration) {
        self.0.deliveries.oldest_undelivered.set(age.as_secs_f64());
    }

    /// Sets the number of pending deliveries for each reason.
    pub fn pending(&self, counts: [u64; PendingReason::ALL.len()]) {
        for (gauge, count) in self.0.deliveries.pending.iter().zip(counts) {
            gauge.set(count as f64);
        }
    }
}
