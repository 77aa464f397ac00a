//! A receiver that writes down what comes, in which order, and what overlaps.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tokio::net::TcpListener;

use super::Shared;

/// Time until an answer.
const TAKES: Duration = Duration::from_millis(5);

#[derive(Clone)]
pub(crate) struct Receiver {
    address: SocketAddr,
    failing: u64,
    seen: Shared<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Every event that a webhook took, in the order of the answers.
    taken: Vec<(usize, String)>,
    /// The calls of which a webhook has an event under way.
    under_way: HashMap<(usize, u64), u32>,
    overlaps: u64,
}

#[derive(Deserialize)]
struct Event {
    call_id: u64,
    n: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Finding {
    /// Acknowledged events at webhooks, each once.
    pub(crate) arrived: usize,
    pub(crate) repeats: usize,
    pub(crate) calls: usize,
    pub(crate) out_of_order: usize,
    /// Events of a call that came while another of it was under way.
    pub(crate) overlaps: u64,
}

impl Receiver {
    pub(crate) async fn start(failing: u64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let receiver = Self {
            address: listener.local_addr()?,
            failing,
            seen: Shared::default(),
        };
        let routes = Router::new()
            .route("/{webhook}", post(take))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(receiver)
    }

    pub(crate) fn url(&self, webhook: usize) -> String {
        format!("http://{}/{webhook}", self.address)
    }

    /// What has come of these events, which are known by their ids.
    pub(crate) fn look(&self, acknowledged: &HashMap<String, (u64, u64)>) -> Finding {
        let seen = self.seen.lock();
        let mut finding = Finding {
            overlaps: seen.overlaps,
            ..Finding::default()
        };
        let mut known = HashSet::new();
        let mut last = HashMap::<(usize, u64), u64>::new();
        for (webhook, id) in &seen.taken {
            let Some((call, n)) = acknowledged.get(id) else {
                continue;
            };
            if !known.insert((webhook, id)) {
                finding.repeats += 1;
                continue;
            }
            match last.insert((*webhook, *call), *n) {
                Some(before) if before > *n => finding.out_of_order += 1,
                _ => {}
            }
        }
        finding.arrived = known.len();
        finding.calls = last.len();
        finding
    }
}

async fn take(
    State(receiver): State<Receiver>,
    Path(webhook): Path<usize>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let Ok(event) = serde_json::from_slice::<Event>(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let line = (webhook, event.call_id);
    {
        let mut seen = receiver.seen.lock();
        let under_way = seen.under_way.entry(line).or_default();
        *under_way += 1;
        let overlaps = *under_way > 1;
        seen.overlaps += u64::from(overlaps);
    }
    tokio::time::sleep(TAKES).await;
    let fails = receiver.failing > 0
        && header("switchhook-attempt") == "1"
        && (event.call_id.wrapping_mul(31).wrapping_add(event.n * 7)).is_multiple_of(receiver.failing);
    let mut seen = receiver.seen.lock();
    if let Some(under_way) = seen.under_way.get_mut(&line) {
        *under_way -= 1;
        if *under_way == 0 {
            seen.under_way.remove(&line);
        }
    }
    if fails {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    seen.taken.push((webhook, header("switchhook-event-id")));
    StatusCode::OK
}
