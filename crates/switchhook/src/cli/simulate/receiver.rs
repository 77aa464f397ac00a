//! Events straight to a receiver: several at once, but those of one call one after the other.

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
use super::stream::Stream;
use super::tally::{Fate, Sent, Tally};
use super::{Expectation, Simulate};
use crate::server::asked_to_stop;
use switchhook_client::{Hook, HookAnswer};
use switchhook_node::pace::Paced;

/// How many events wait for their turn in a lane.
const LANE: usize = 32;

/// How many events nobody answers before it is given up.
const PATIENCE: u64 = 5;

/// Sends everything, and counts what is answered.
pub(super) async fn send_all(chosen: &Simulate, url: &Url, stream: Stream) -> anyhow::Result<Tally> {
    let hook = Hook::new(url, chosen.timeout, &chosen.trust.trust()?)?;
    let mut wire = Wire::new(chosen.secret.as_ref().map(Secret::expose));
    if let Some(old) = &chosen.old_secret {
        wire = wire.with_old_secret(old.expose());
    }
    let course = Course {
        tally: RefCell::default(),
        progress: Progress::begin(),
        expect: chosen.expect,
    };
    let (senders, lanes): (Vec<_>, Vec<_>) = (0..chosen.in_flight).map(|_| mpsc::channel(LANE)).unzip();
    let lanes = lanes.into_iter().map(|lane| course.follow(&hook, &wire, lane));
    let dealing = deal(stream, senders, &course);
    let all = async { tokio::join!(dealing, join_all(lanes)).0 };
    let ended = tokio::select! {
        ended = all => ended,
        () = asked_to_stop() => Ok(()),
    };
    course.progress.end();
    let tally = course.tally.into_inner();
    if ended.is_err() || tally.is_shouting_into_the_void(1) {
        return Err(anyhow!("{}", tally.first_wrong().to_owned()).context(format!("no answer from {url}")));
    }
    Ok(tally)
}

/// Nobody is there.
struct Void;

/// Hands out events when they are due; those of one story always to the same lane.
async fn deal(stream: Stream, lanes: Vec<mpsc::Sender<Sending>>, course: &Course) -> Result<(), Void> {
    let mut paced = Paced::new(stream.events, stream.start, stream.speed);
    while let Some(due) = paced.next_due(LANE).await {
        for sending in due {
            if course.tally.borrow().is_shouting_into_the_void(PATIENCE) {
                return Err(Void);
            }
            let lane = (sending.event.story % lanes.len() as u64) as usize;
            // Lanes live as long as this.
            let _ = lanes[lane].send(sending).await;
        }
    }
    Ok(())
}

/// What is known so far.
struct Course {
    tally: RefCell<Tally>,
    progress: Progress,
    expect: Option<Expectation>,
}

impl Course {
    async fn follow(&self, hook: &Hook, wire: &Wire, mut lane: mpsc::Receiver<Sending>) {
        while let Some(sending) = lane.recv().await {
            let request = wire.request(&sending);
            let answer = hook
                .post(labels(&sending, request.content_type), Bytes::from(request.body))
                .await;
            let fate = match answer {
                HookAnswer::Status(status) => Fate::Answered(status),
                HookAnswer::Unreachable(reason) | HookAnswer::Closed(reason) | HookAnswer::Silent(reason) => {
                    Fate::Unanswered(reason)
                }
            };
            let sent = Sent::of(&sending, request.demand);
            self.count(sent, &fate, sending.event.at);
        }
    }

    fn count(&self, sent: Sent, fate: &Fate, at: Timestamp) {
        let mut tally = self.tally.borrow_mut();
        tally.count(sent, fate, self.expect);
        self.progress.show(&tally, at);
    }
}

/// The headers of a delivery. What comes again is the same event and the same delivery, tried once more.
fn labels(sending: &Sending, content_type: &'static str) -> HeaderMap {
    let attempt = if sending.fault == Some(Fault::Duplicate) {
        2
    } else {
        1
    };
    let mut labels = HeaderMap::new();
    labels.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    let id = event_id(sending.number, sending.event.body.as_bytes());
    labels.insert(headers::EVENT_ID, id.into());
    labels.insert(
        headers::EVENT_KIND,
        HeaderValue::from_static(sending.event.kind.route()),
    );
    labels.insert(headers::DELIVERY_ID, id.into());
    labels.insert(headers::ATTEMPT, HeaderValue::from(attempt));
    labels
}

/// Ends in the event's number, and begins so that another run's first event is no repeat of this one's. Below 2^53.
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
