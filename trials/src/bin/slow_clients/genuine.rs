//! Senders that send on a schedule, whatever comes back, and a receiver that remembers what arrived.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use trials::server::{Http, http};

/// Longest wait for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What came of what was sent.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// The ids of events.
    pub(crate) accepted: Vec<String>,
    /// Why events were not accepted.
    pub(crate) failed: Vec<String>,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) longest: Duration,
    /// From when each event was due until it was accepted.
    took: Vec<Duration>,
}

impl Sent {
    pub(crate) fn failed_by(&self) -> BTreeMap<&str, usize> {
        let mut all = BTreeMap::new();
        for why in &self.failed {
            *all.entry(why.as_str()).or_default() += 1;
        }
        all
    }
}

/// All senders.
pub(crate) struct Genuine {
    sent: Arc<Mutex<Sent>>,
    is_over: Arc<AtomicBool>,
    sending: JoinHandle<()>,
}

impl Genuine {
    pub(crate) fn start(to: SocketAddr, key: &str, rate: u32) -> Self {
        let (sent, is_over) = (Arc::<Mutex<Sent>>::default(), Arc::<AtomicBool>::default());
        let (noted, asked) = (Arc::clone(&sent), Arc::clone(&is_over));
        let (key, http) = (key.to_owned(), http());
        let sending = tokio::spawn(async move {
            let mut under_way = JoinSet::new();
            let began = Instant::now();
            for number in 0.. {
                let due = began + Duration::from_secs(1).mul_f64(f64::from(number) / f64::from(rate));
                sleep_until(due).await;
                if asked.load(Ordering::Relaxed) {
                    break;
                }
                while under_way.try_join_next().is_some() {}
                let (http, key, noted) = (http.clone(), key.clone(), Arc::clone(&noted));
                under_way.spawn(async move {
                    let answered = timeout(ANSWER_WITHIN, send(&http, to, &key, number)).await;
                    let answered = answered.unwrap_or_else(|_| Err("no answer came".to_owned()));
                    let mut sent = noted.lock();
                    sent.took.push(due.elapsed());
                    match answered {
                        Ok(id) => sent.accepted.push(id),
                        Err(why) => sent.failed.push(why),
                    }
                });
            }
            while under_way.join_next().await.is_some() {}
        });
        Self {
            sent,
            is_over,
            sending,
        }
    }

    pub(crate) fn accepted(&self) -> usize {
        self.sent.lock().accepted.len()
    }

    pub(crate) fn failed(&self) -> usize {
        self.sent.lock().failed.len()
    }

    /// Ends when the last event is answered.
    pub(crate) async fn end(self) -> Sent {
        self.is_over.store(true, Ordering::Relaxed);
        // A sender that panicked has said so.
        let _ = self.sending.await;
        let mut sent = std::mem::take(&mut *self.sent.lock());
        sent.took.sort_unstable();
        let at = |share: f64| {
            let index = (sent.took.len() as f64 * share) as usize;
            sent.took
                .get(index.min(sent.took.len().saturating_sub(1)))
                .copied()
        };
        let [p50, p99, longest] = [0.5, 0.99, 1.0].map(|share| at(share).unwrap_or_default());
        Sent {
            p50,
            p99,
            longest,
            ..sent
        }
    }
}

async fn send(http: &Http, to: SocketAddr, key: &str, number: u32) -> Result<String, String> {
    let event = json!({
        "call_id": number, "state": "hangup", "direction": "inbound", "duration": 8951.03,
        "contact": {"name": "Ann Example", "phone": "+15550001234"}, "target": {"id": 1, "type": "user"},
    });
    let request = Request::post(format!("http://{to}/v1/events/call"))
        .header("authorization", format!("Bearer {key}"))
        .body(Full::from(event.to_string()))
        .map_err(|error| error.to_string())?;
    let response = http
        .request(request)
        .await
        .map_err(|error| format!("{error:?}"))?;
    let status = response.status();
    let body = response.into_body().collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    match answer["id"].as_str() {
        Some(id) if status == StatusCode::ACCEPTED => Ok(id.to_owned()),
        _ => Err(format!("{status} {answer}")),
    }
}

/// Takes every delivery.
#[derive(Clone)]
pub(crate) struct Receiver {
    address: SocketAddr,
    arrived: Arc<Mutex<HashSet<String>>>,
}

impl Receiver {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let receiver = Self {
            address: listener.local_addr()?,
            arrived: Arc::default(),
        };
        let routes = Router::new()
            .route("/hook", post(take))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(receiver)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn count(&self) -> usize {
        self.arrived.lock().len()
    }

    /// Number of these that did not arrive.
    pub(crate) fn missing(&self, ids: &[String]) -> usize {
        let arrived = self.arrived.lock();
        ids.iter().filter(|id| !arrived.contains(*id)).count()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, _: Bytes) -> StatusCode {
    let id = headers.get("switchhook-event-id").and_then(|id| id.to_str().ok());
    if let Some(id) = id {
        receiver.arrived.lock().insert(id.to_owned());
    }
    StatusCode::OK
}
