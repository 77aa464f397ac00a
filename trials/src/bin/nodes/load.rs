//! Senders that each go on until their event is acknowledged, by whichever server.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use trials::server::{Http, http};

use super::Shared;

/// Number of a call's events.
pub(crate) const EVENTS_OF_A_CALL: u64 = 10;

/// Time that a sender waits for an answer, and before it tries the next server.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// What was sent.
pub(crate) struct Sent {
    /// The call and the number of each event that was acknowledged, by the event's id.
    pub(crate) acknowledged: HashMap<String, (u64, u64)>,
    pub(crate) refused: u64,
    pub(crate) unanswered: u64,
}

pub(crate) struct Load {
    shared: Arc<Counted>,
    senders: Vec<JoinHandle<()>>,
}

struct Counted {
    addresses: Vec<SocketAddr>,
    key: String,
    http: Http,
    acknowledged: Shared<HashMap<String, (u64, u64)>>,
    refused: AtomicU64,
    unanswered: AtomicU64,
    is_over: AtomicBool,
}

impl Load {
    pub(crate) fn start(addresses: Vec<SocketAddr>, key: &str, senders: u64) -> Self {
        let shared = Arc::new(Counted {
            addresses,
            key: key.to_owned(),
            http: http(),
            acknowledged: Shared::default(),
            refused: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        });
        let senders = (0..senders).map(|sender| tokio::spawn(send(Arc::clone(&shared), sender)));
        Self {
            senders: senders.collect(),
            shared,
        }
    }

    /// Ends: what is under way is still acknowledged.
    pub(crate) async fn end(self) -> Sent {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for sender in self.senders {
            // A sender that panicked has said so.
            let _ = sender.await;
        }
        Sent {
            acknowledged: std::mem::take(&mut *self.shared.acknowledged.lock()),
            refused: self.shared.refused.load(Ordering::Relaxed),
            unanswered: self.shared.unanswered.load(Ordering::Relaxed),
        }
    }
}

async fn send(shared: Arc<Counted>, sender: u64) {
    for number in 0.. {
        if shared.is_over.load(Ordering::Relaxed) {
            return;
        }
        let call = (sender << 32) + number / EVENTS_OF_A_CALL;
        let n = number % EVENTS_OF_A_CALL;
        let event = json!({
            "call_id": call, "state": "hangup", "n": n, "direction": "inbound", "duration": 8951.03,
            "contact": {"name": "Ann Example", "phone": "+15550001234"}, "target": {"id": sender, "type": "user"},
        });
        let event = event.to_string();
        let key = format!("{call}-{n}");
        let mut server = sender + number;
        let id = loop {
            match shared.try_once(server, &key, &event).await {
                Some(id) => break id,
                None => sleep(TRY_AGAIN_AFTER).await,
            }
            server += 1;
        };
        let before = shared.acknowledged.lock().insert(id, (call, n));
        assert!(
            before.is_none(),
            "two events got one id: {before:?} and {call} {n}"
        );
    }
}

impl Counted {
    /// The event's id, if the server acknowledges it.
    async fn try_once(&self, server: u64, key: &str, event: &str) -> Option<String> {
        let server = usize::try_from(server).unwrap_or_default() % self.addresses.len();
        let request = Request::post(format!("http://{}/v1/events/call", self.addresses[server]))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Full::from(Bytes::copy_from_slice(event.as_bytes())))
            .ok()?;
        let answered = timeout(ANSWER_WITHIN, async {
            let response = self.http.request(request).await.ok()?;
            let status = response.status();
            let body = response.into_body().collect().await.ok()?.to_bytes();
            Some((status, body))
        });
        match answered.await.ok().flatten() {
            Some((StatusCode::ACCEPTED | StatusCode::OK, body)) => {
                let answer: Value = serde_json::from_slice(&body).ok()?;
                answer["id"].as_str().map(str::to_owned)
            }
            Some(_) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                None
            }
            None => {
                self.unanswered.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}
