//! The nodes of a test, on a database of their own.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::http::{Caller, RecordingReceiver};
use crate::support::postgres;
use crate::support::process::{ServerProcess, new_key};
pub(super) use crate::support::until::until;
use crate::support::until::{LOOK_EVERY, LOOKS};

/// The shortest lease that can be, so that tests need not wait long for one to end.
const VARIABLES: [(&str, &str); 2] = [("SWITCHHOOK_LEASE", "15s"), ("SWITCHHOOK_PROFILE", "dialpad")];

/// Several nodes on one database.
pub(super) struct Crew {
    pub(super) nodes: Vec<ServerProcess>,
    pub(super) store: String,
    key: String,
    dir: tempfile::TempDir,
}

impl Crew {
    /// So many nodes; `None` where there is no PostgreSQL.
    pub(super) async fn of(nodes: usize) -> Option<Self> {
        Some(Self::on(postgres::new_database()?, nodes).await)
    }

    /// So many nodes on a database.
    pub(super) async fn on(store: String, nodes: usize) -> Self {
        let key = new_key(&store, "");
        let mut crew = Self {
            nodes: Vec::new(),
            store,
            key,
            dir: tempfile::tempdir().expect("a temporary directory can be made"),
        };
        for _ in 0..nodes {
            crew.join().await;
        }
        crew
    }

    /// Adds a node.
    pub(super) async fn join(&mut self) {
        let log = self.dir.path().join(format!("log-{}", self.nodes.len()));
        let node = ServerProcess::start_on(&self.store, &self.key, &VARIABLES, log).await;
        self.nodes.push(node);
    }

    pub(super) fn caller(&self, node: usize) -> Caller {
        self.nodes[node].caller()
    }

    pub(super) fn callers(&self) -> Vec<Caller> {
        self.nodes.iter().map(ServerProcess::caller).collect()
    }

    /// Makes a webhook to the receiver that gets every call, by the first node. Answers its id.
    pub(super) async fn webhook(&self, receiver: &RecordingReceiver) -> Value {
        let caller = self.caller(0);
        let body = json!({"hook_url": receiver.url()}).to_string();
        let id = caller.ask("POST", "/api/v2/webhooks", &body).await["id"].clone();
        let settings = json!({
            "profile": "durable",
            "timeout_ms": 3_000,
            "retry_schedule": vec![1; 60],
        });
        let path = format!("/v1/webhooks/{}", id.as_str().expect("ids are strings"));
        caller.ask("PATCH", &path, &settings.to_string()).await;
        let body = json!({"endpoint_id": id}).to_string();
        caller.ask("POST", "/api/v2/subscriptions/call", &body).await;
        id
    }

    /// Makes such a webhook and waits until every node knows it.
    pub(super) async fn known_webhook(&self, receiver: &RecordingReceiver) -> Value {
        let id = self.webhook(receiver).await;
        for caller in self.callers() {
            until_it_sends_to(&caller, &id).await;
        }
        id
    }

    /// Whatever a node logged, for when a test fails.
    pub(super) fn logs(&self) -> String {
        let log = |number| {
            let path = self.dir.path().join(format!("log-{number}"));
            let text = std::fs::read_to_string(path).unwrap_or_default();
            format!("--- node {number}\n{text}")
        };
        (0..self.nodes.len()).map(log).collect()
    }
}

/// Sends events to a node until it says that one goes to the webhook.
pub(super) async fn until_it_sends_to(caller: &Caller, webhook_id: &Value) {
    for number in 0..LOOKS {
        let event = json!({"call_id": 1_000_000 + number, "state": "hangup", "n": 0});
        let answer = caller.ask("POST", "/v1/events/call", &event.to_string()).await;
        let deliveries = answer["deliveries"].as_array().cloned().unwrap_or_default();
        if deliveries.iter().any(|one| one["webhook_id"] == *webhook_id) {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    panic!("the node does not get to know webhook {webhook_id}");
}

/// Senders that hand events to the nodes in turn, and what was acknowledged.
pub(super) struct Load {
    acknowledged: Arc<Mutex<Vec<String>>>,
    refused: Arc<Mutex<Vec<StatusCode>>>,
    is_over: Arc<AtomicBool>,
    senders: Vec<JoinHandle<()>>,
}

impl Load {
    /// Begins with so many senders. Each sends calls of five events, the next one to the next node.
    pub(super) fn start(callers: &[Caller], senders: u64) -> Self {
        let mut load = Self {
            acknowledged: Arc::default(),
            refused: Arc::default(),
            is_over: Arc::default(),
            senders: Vec::new(),
        };
        for sender in 0..senders {
            load.senders.push(tokio::spawn(send(
                callers.to_vec(),
                sender,
                Arc::clone(&load.acknowledged),
                Arc::clone(&load.refused),
                Arc::clone(&load.is_over),
            )));
        }
        load
    }

    /// Waits until so many events more are acknowledged.
    pub(super) async fn until_acknowledged(&self, more: usize) {
        let wanted = self.acknowledged.lock().len() + more;
        until("the acknowledgement of events", || async {
            self.acknowledged.lock().len() >= wanted
        })
        .await;
    }

    /// Waits until a node refuses an event with this status.
    pub(super) async fn until_refused(&self, status: StatusCode) {
        until("a refusal", || async { self.refused.lock().contains(&status) }).await;
    }

    /// Ends, and answers the ids of the events that were acknowledged, each of which is its own.
    pub(super) async fn end(self) -> HashSet<String> {
        self.is_over.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.await.expect("the senders do not panic");
        }
        let all = self.acknowledged.lock().clone();
        let distinct: HashSet<_> = all.iter().cloned().collect();
        assert_eq!(distinct.len(), all.len(), "no id is given twice");
        distinct
    }
}

async fn send(
    callers: Vec<Caller>,
    sender: u64,
    acknowledged: Arc<Mutex<Vec<String>>>,
    refused: Arc<Mutex<Vec<StatusCode>>>,
    is_over: Arc<AtomicBool>,
) {
    for number in sender.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let event = json!({"call_id": (sender << 32) + number / 5, "state": "hangup", "n": number});
        let event = event.to_string();
        let caller = &callers[usize::try_from(number).unwrap_or_default() % callers.len()];
        let sent = caller.send("POST", "/v1/events/call", &event);
        match tokio::time::timeout(Duration::from_secs(2), sent).await {
            Ok(Ok((StatusCode::ACCEPTED, answer))) => {
                let id = answer["id"].as_str().expect("ids are strings").to_owned();
                acknowledged.lock().push(id);
            }
            Ok(Ok((status, _))) => refused.lock().push(status),
            // The node is gone or asleep: the next event goes to the next one.
            Ok(Err(_)) | Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// Waits until every one of these events has arrived; answers how many of the arrivals were repeats.
pub(super) async fn until_all_arrive(
    receiver: &RecordingReceiver,
    events: &HashSet<String>,
    crew: &Crew,
) -> usize {
    let ids = |receiver: &RecordingReceiver| -> Vec<String> {
        let arrivals = receiver.arrivals();
        let ids = arrivals
            .iter()
            .map(|one| one.header("switchhook-event-id").to_owned());
        ids.filter(|id| events.contains(id)).collect()
    };
    for _ in 0..LOOKS {
        let arrived = ids(receiver);
        let distinct: HashSet<_> = arrived.iter().collect();
        if distinct.len() == events.len() {
            return arrived.len() - distinct.len();
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let arrived: HashSet<_> = ids(receiver).into_iter().collect();
    let missing: Vec<_> = events.difference(&arrived).take(5).collect();
    panic!(
        "{} of {} events did not arrive, such as {missing:?}\n{}",
        events.len() - arrived.len(),
        events.len(),
        crew.logs()
    );
}
