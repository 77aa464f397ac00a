//! Sends events directly to a receiver: several at once, but those of one call one after the other.

use std::cell::RefCell;

use anyhow::anyhow;
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, header};
use switchhook_domain::Timestamp;
use switchhook_domain::secret::Secret;
use switchhook_protocol::headers;
use switchhook_simulator::{Fault, Sending, Wire};
use tokio::sync::mpsc;
use url::Url;

use super::progress::Progress;
use super::results::{RequestOutcome, Results, SentEvent};
use super::stream::Stream;
use super::{Expectation, Simulate};
use crate::server::asked_to_stop;
use switchhook_client::{Hook, HookAnswer};
use switchhook_node::pace::Paced;

/// Bound on the events in a queue.
const QUEUE_LENGTH: usize = 32;

/// Number of unanswered events after which sending ends.
const MAX_UNANSWERED: u64 = 5;

/// Sends all events, and counts the answers.
pub(super) async fn send_all(options: &Simulate, url: &Url, stream: Stream) -> anyhow::Result<Results> {
    let hook = Hook::new(url, options.timeout, &options.trust.trust()?)?;
    let mut wire = Wire::new(options.secret.as_ref().map(Secret::expose));
    if let Some(old) = &options.old_secret {
        wire = wire.with_old_secret(old.expose());
    }
    let run = Run {
        results: RefCell::default(),
        progress: Progress::begin(),
        expect: options.expect,
    };
    let (senders, queues): (Vec<_>, Vec<_>) = (0..options.in_flight)
        .map(|_| mpsc::channel(QUEUE_LENGTH))
        .unzip();
    let queues = queues.into_iter().map(|queue| run.follow(&hook, &wire, queue));
    let distributing = distribute(stream, senders, &run);
    let all = async { tokio::join!(distributing, join_all(queues)).0 };
    let ended = tokio::select! {
        ended = all => ended,
        () = asked_to_stop() => Ok(()),
    };
    run.progress.end();
    let results = run.results.into_inner();
    if ended.is_err() || results.nobody_answers(1) {
        return Err(anyhow!("{}", results.first_wrong().to_owned()).context(format!("no answer from {url}")));
    }
    Ok(results)
}

/// No receiver answers.
struct NoReceiver;

/// Puts events into queues when they are due; those of one story always into the same.
async fn distribute(stream: Stream, queues: Vec<mpsc::Sender<Sending>>, run: &Run) -> Result<(), NoReceiver> {
    let mut paced = Paced::new(stream.events, stream.start, stream.speed);
    while let Some(due) = paced.next_due(QUEUE_LENGTH).await {
        for sending in due {
            if run.results.borrow().nobody_answers(MAX_UNANSWERED) {
                return Err(NoReceiver);
            }
            let queue = (sending.event.story % queues.len() as u64) as usize;
            // Lanes live as long as this.
            let _ = queues[queue].send(sending).await;
        }
    }
    Ok(())
}

/// State of sending.
struct Run {
    results: RefCell<Results>,
    progress: Progress,
    expect: Option<Expectation>,
}

impl Run {
    async fn follow(&self, hook: &Hook, wire: &Wire, mut queue: mpsc::Receiver<Sending>) {
        while let Some(sending) = queue.recv().await {
            let request = wire.request(&sending);
            let answer = hook
                .post(
                    delivery_headers(&sending, request.content_type),
                    Bytes::from(request.body),
                )
                .await;
            let outcome = match answer {
                HookAnswer::Status(status) => RequestOutcome::Answered(status),
                HookAnswer::Unreachable(reason)
                | HookAnswer::Closed(reason)
                | HookAnswer::NoAnswer(reason) => RequestOutcome::Unanswered(reason),
            };
            let sent = SentEvent::of(&sending, request.demand);
            self.count(sent, &outcome, sending.event.at);
        }
    }

    fn count(&self, sent: SentEvent, outcome: &RequestOutcome, at: Timestamp) {
        let mut results = self.results.borrow_mut();
        results.count(sent, outcome, self.expect);
        self.progress.show(&results, at);
    }
}

/// Headers of a delivery. A duplicate is another attempt of the same delivery.
fn delivery_headers(sending: &Sending, content_type: &'static str) -> HeaderMap {
    let attempt = if sending.fault == Some(Fault::Duplicate) {
        2
    } else {
        1
    };
    let mut delivery_headers = HeaderMap::new();
    delivery_headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    let id = event_id(sending.number, sending.event.body.as_bytes());
    delivery_headers.insert(headers::EVENT_ID, id.into());
    delivery_headers.insert(
        headers::EVENT_KIND,
        HeaderValue::from_static(sending.event.kind.route()),
    );
    delivery_headers.insert(headers::DELIVERY_ID, id.into());
    delivery_headers.insert(headers::ATTEMPT, HeaderValue::from(attempt));
    delivery_headers
}

/// Id that ends in the event's number and begins with a hash, so that events of another run are not repeats. Below 2^53.
fn event_id(number: u64, body: &[u8]) -> u64 {
    let digest = digest(&SHA256, body);
    let beginning = digest
        .as_ref()
        .first_chunk()
        .map_or(0, |bytes| u32::from_be_bytes(*bytes));
    u64::from(beginning) * 1_000_000 + number % 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_of_another_run_is_another_event() {
        let (one, again, other) = (event_id(7, b"{1}"), event_id(7, b"{1}"), event_id(7, b"{2}"));
        assert_eq!(one, again);
        assert_ne!(one, other);
        assert!(one % 1_000_000 == 7 && u64::from(u32::MAX) * 1_000_000 < 1 << 53);
    }
}
