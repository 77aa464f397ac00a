//! One trial: sets up a variant, lets the load run over it for a while, and tells what came of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::latency::Percentiles;
use super::load::{Load, Pace, Senders};
use super::receiver::Receiver;
use super::subject::{self, Subject, Usage};
use super::test_bed::TestBed;
use super::variant::Variant;
use super::watch::Watch;

/// Times of a trial.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) warm_up: Duration,
    pub(super) window: Duration,
}

/// Result of a trial.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) accepted_per_second: f64,
    pub(super) delivered_per_second: f64,
    /// Processor time of the process under test for each delivery.
    pub(super) cpu_us: Option<f64>,
    /// The same of senders and receiver.
    pub(super) load_cpu_us: Option<f64>,
    pub(super) peak_memory_mb: Option<f64>,
    /// Processor time of a database beside it for each delivery.
    pub(super) database_cpu_us: Option<f64>,
    /// Only of a load on a schedule, and of events to many webhooks.
    pub(super) accepted: Option<Percentiles>,
    pub(super) delivered: Option<Percentiles>,
}

/// Measures a variant once.
pub(super) async fn measure(
    variant: &Variant,
    load: Load,
    times: Times,
    test_bed: &TestBed<'_>,
) -> Result<Sample> {
    let room = test_bed.room()?;
    let watch = Arc::new(Watch::start());
    let payload = test_bed.payload();
    let of_each_event = variant.deliveries_of_an_event();
    let receiver =
        Receiver::start(variant.scheme, of_each_event, Arc::clone(&watch), payload.clone()).await?;
    let mut subject = variant.start(&receiver, room.path(), test_bed).await?;

    let mut senders = Senders::start(&subject.addresses(), &subject.key, load, payload, &watch);
    let from = watch.elapsed() + times.warm_up;
    let until = from + times.window;
    if load.pace != Pace::AsFastAsAnswered || of_each_event > 1 {
        // With many webhooks sending can fall behind accepting.
        watch.set_window(from, until);
    }
    let measured = async {
        senders.wait_until(&watch, from).await?;
        let before = Reading::take(&senders, &receiver, &subject, &watch);
        senders.wait_until(&watch, until).await?;
        let after = Reading::take(&senders, &receiver, &subject, &watch);
        Ok((before, after, senders.finish(until).await?))
    };
    let (before, after, sent) = match measured.await {
        Ok(measured) => measured,
        // If the process is gone, that is why senders fail.
        Err(error) => return Err(subject.check().err().unwrap_or(error)),
    };
    // Everything that was acknowledged has to arrive.
    receiver.wait_for(variant.expected(&sent), &mut subject).await?;

    let usage = subject.usage();
    subject.stop().await?;
    Ok(Sample {
        accepted: sent.latencies.percentiles(),
        delivered: receiver.arrivals.latencies.percentiles(),
        peak_memory_mb: usage.peak_memory_mb,
        ..before.until(&after)
    })
}

/// Counters at one time.
struct Reading {
    at: Duration,
    accepted: u64,
    delivered: u64,
    subject: Usage,
    own: Usage,
    database_cpu: Option<Duration>,
}

impl Reading {
    fn take(senders: &Senders, receiver: &Receiver, subject: &Subject, watch: &Watch) -> Self {
        Self {
            accepted: senders.sent.count(),
            delivered: receiver.arrivals.count(),
            subject: subject.usage(),
            own: subject::own_usage(),
            database_cpu: subject.database_cpu(),
            at: watch.elapsed(),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    fn until(&self, later: &Self) -> Sample {
        let seconds = (later.at - self.at).as_secs_f64();
        let accepted = (later.accepted - self.accepted) as f64;
        let delivered = (later.delivered - self.delivered) as f64;
        let cpu_us = |before: Option<Duration>, after: Option<Duration>| {
            let spent = after?.checked_sub(before?)?;
            (delivered > 0.0).then(|| spent.as_secs_f64() * 1e6 / delivered)
        };
        Sample {
            accepted_per_second: accepted / seconds,
            delivered_per_second: delivered / seconds,
            cpu_us: cpu_us(self.subject.cpu, later.subject.cpu),
            load_cpu_us: cpu_us(self.own.cpu, later.own.cpu),
            database_cpu_us: cpu_us(self.database_cpu, later.database_cpu),
            peak_memory_mb: None,
            accepted: None,
            delivered: None,
        }
    }
}
