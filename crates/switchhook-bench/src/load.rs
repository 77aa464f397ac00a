//! The senders of a trial: each has one connection and one event under way.
//!
//! Either as fast as they are answered, which finds the maximum, or on a schedule that does not wait for the server: then
//! latency counts from when an event was *due*, so that a server that stalls is charged for everything that should have
//! been sent meanwhile (no coordinated omission).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use super::latency::Latencies;
use super::payload::{EventDetails, Payload};
use super::watch::Watch;
use super::wire::{self, Messages};

/// Lateness of a timer that is not charged to the server.
const TIMER_GRAIN: Duration = Duration::from_millis(2);

/// Pace at which events are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Pace {
    /// The next one as soon as the last one is answered.
    AsFastAsAnswered,
    /// So many a second by all senders together, whatever the answers.
    PerSecond(f64),
}

/// Load that the senders make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Load {
    pub(super) senders: u32,
    pub(super) pace: Pace,
    /// Number of consecutive events about the same call.
    pub(super) events_per_call: u64,
    /// Number of entities called, in turn.
    pub(super) targets: u64,
}

pub(super) struct Sent {
    /// By target: the first one's events may go to a receiver that does not count.
    accepted: AtomicU64,
    accepted_of_first_target: AtomicU64,
    /// From when an event was due until it was acknowledged.
    pub(super) latencies: Latencies,
    /// End of sending: what is due later is not sent.
    over_at_us: AtomicU64,
}

impl Sent {
    /// Number of acknowledged events.
    pub(super) fn count(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// The same without those for the first target.
    pub(super) fn count_without_first_target(&self) -> u64 {
        self.count() - self.accepted_of_first_target.load(Ordering::Relaxed)
    }

    fn over_at(&self) -> Duration {
        Duration::from_micros(self.over_at_us.load(Ordering::Relaxed))
    }
}

/// Senders at work; they stop when this is dropped.
pub(super) struct Senders {
    pub(super) sent: Arc<Sent>,
    tasks: JoinSet<Result<()>>,
}

/// One sender and all it needs.
struct Sender {
    number: u32,
    load: Load,
    /// Due time of the first event.
    start: Duration,
    payload: Payload,
    sent: Arc<Sent>,
    watch: Arc<Watch>,
}

impl Senders {
    /// Starts sending to the servers at `addresses`, each sender to one, in turns.
    pub(super) fn start(
        addresses: &[SocketAddr],
        key: &str,
        load: Load,
        payload: &Payload,
        watch: &Arc<Watch>,
    ) -> Self {
        let sent = Arc::new(Sent {
            accepted: AtomicU64::new(0),
            accepted_of_first_target: AtomicU64::new(0),
            latencies: Latencies::new(),
            over_at_us: AtomicU64::new(u64::MAX),
        });
        let start = watch.elapsed();
        let mut tasks = JoinSet::new();
        for (number, address) in (0..load.senders).zip(addresses.iter().cycle()) {
            let sender = Sender {
                number,
                load,
                start,
                payload: payload.clone(),
                sent: Arc::clone(&sent),
                watch: Arc::clone(watch),
            };
            tasks.spawn(sender.run(*address, key.to_owned()));
        }
        Self { sent, tasks }
    }

    /// Waits until `time`; an error if a sender fails before.
    pub(super) async fn wait_until(&mut self, watch: &Watch, time: Duration) -> Result<()> {
        tokio::select! {
            () = watch.wait_until(time) => Ok(()),
            Some(ended) = self.tasks.join_next() => ended.context("a sender panicked")?,
        }
    }

    /// Lets the senders end, once everything that was due before `over_at` is sent.
    pub(super) async fn finish(mut self, over_at: Duration) -> Result<Arc<Sent>> {
        let micros = u64::try_from(over_at.as_micros()).unwrap_or(u64::MAX);
        self.sent.over_at_us.store(micros, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.context("a sender panicked")??;
        }
        Ok(self.sent)
    }
}

impl Sender {
    async fn run(self, address: SocketAddr, key: String) -> Result<()> {
        let mut stream = wire::connect(address).await?;
        let mut messages = Messages::new();
        let mut request = format!(
            "POST /v1/events/call HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.payload.body().len()
        )
        .into_bytes();
        let body = request.len();
        request.extend_from_slice(self.payload.body());
        let mut number = 0;
        while let Some(due) = self.next_due(number).await {
            let target = number % self.load.targets;
            let says = EventDetails {
                sender: self.number.into(),
                call: number / self.load.events_per_call,
                target,
                due,
            };
            self.payload.write(&mut request[body..], says);
            stream.write_all(&request).await?;
            let message = messages.next(&mut stream).await?;
            let message = message.context("the server closed a sender's connection")?;
            let head = messages.bytes(&message.head);
            ensure!(
                head.starts_with(b"HTTP/1.1 202"),
                "an event was refused: {} {}",
                String::from_utf8_lossy(head).lines().next().unwrap_or_default(),
                String::from_utf8_lossy(messages.bytes(&message.body)),
            );
            self.note(target, due);
            number += 1;
        }
        Ok(())
    }

    /// Waits until the next event is due and answers since when it is; `None` if there is no next one.
    async fn next_due(&self, number: u64) -> Option<Duration> {
        let now = self.watch.elapsed();
        match self.load.pace {
            Pace::AsFastAsAnswered => (now < self.sent.over_at()).then_some(now),
            Pace::PerSecond(rate) => {
                let turn = number * u64::from(self.load.senders) + u64::from(self.number);
                #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 events")]
                let due = self.start + Duration::from_secs_f64(turn as f64 / rate);
                if due >= self.sent.over_at() {
                    return None;
                }
                if due <= now {
                    return Some(due);
                }
                self.watch.wait_until(due).await;
                Some(self.watch.elapsed().min(due + TIMER_GRAIN))
            }
        }
    }

    fn note(&self, target: u64, due: Duration) {
        self.sent.accepted.fetch_add(1, Ordering::Relaxed);
        if target == 0 {
            self.sent.accepted_of_first_target.fetch_add(1, Ordering::Relaxed);
        }
        if self.watch.counts(due) {
            self.sent
                .latencies
                .record(self.watch.elapsed().saturating_sub(due));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Answers every request of one connection with 202, the first one after `stall`.
    async fn stalling_server(stall: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a port");
        let address = listener.local_addr().expect("it listens");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("the sender connects");
            let mut messages = Messages::new();
            let mut wait = Some(stall);
            while let Ok(Some(_)) = messages.next(&mut stream).await {
                tokio::time::sleep(wait.take().unwrap_or_default()).await;
                let answer = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.expect("the sender waits for it");
            }
        });
        address
    }

    #[tokio::test]
    async fn a_stall_is_charged_to_everything_that_was_due_meanwhile() {
        let address = stalling_server(Duration::from_millis(240)).await;
        let watch = Arc::new(Watch::start());
        let until = watch.elapsed() + Duration::from_millis(300);
        watch.set_window(Duration::ZERO, until);
        let load = Load {
            senders: 1,
            pace: Pace::PerSecond(1_000.0 / 3.0),
            events_per_call: 1,
            targets: 1,
        };
        let mut senders = Senders::start(&[address], "", load, &Payload::simulated(), &watch);
        senders.wait_until(&watch, until).await.expect("the senders work");
        let sent = senders.finish(until).await.expect("the senders work");
        assert!(sent.count() >= 95, "{} were due", sent.count());
        let found = sent.latencies.percentiles().expect("they were counted");
        // Eighty of a hundred were due during the stall; a sender that had waited would have seen one.
        assert!(found.p50_ms > 60.0, "{found:?}");
    }
}
