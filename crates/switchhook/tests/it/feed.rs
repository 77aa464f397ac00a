//! The feed under kills: what was accepted is in it, and what was acknowledged does not come again.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::http::Caller;
use crate::support::process::ServerProcess;
use crate::support::until::until;

/// How often the server is killed.
const KILLS: usize = 10;

/// Events that a consumer got, and the position that it knows to be acknowledged.
#[derive(Default)]
struct Got {
    seen: HashSet<String>,
    acknowledged: HashSet<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_loses_nothing_and_gets_nothing_twice_however_often_the_server_is_killed() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let mut server = ServerProcess::start(dir.path()).await;
    server.caller().ask("PUT", "/v1/consumers/crm", "{}").await;
    let accepted = Arc::new(Mutex::new(HashSet::new()));
    let is_over = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            tokio::spawn(send(
                server.caller(),
                sender,
                Arc::clone(&accepted),
                Arc::clone(&is_over),
            ))
        })
        .collect();
    let consumer = tokio::spawn(consume(server.caller(), Arc::clone(&is_over)));
    for kill in 0..KILLS {
        let before = accepted.lock().len();
        until("the acceptance of more", || async {
            accepted.lock().len() > before + kill * 37 % 20
        })
        .await;
        server.kill();
        server.start_again().await;
    }
    is_over.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.expect("the senders do not panic");
    }
    let mut got = consumer.await.expect("the consumer does not panic");
    while poll(&server.caller(), &mut got).await != Some(0) {}
    let accepted = accepted.lock().clone();
    assert!(
        accepted.len() > 50,
        "only {} events were accepted",
        accepted.len()
    );
    let lost: Vec<_> = accepted.difference(&got.seen).collect();
    assert_eq!(lost, Vec::<&String>::new());
}

async fn send(caller: Caller, sender: u32, accepted: Arc<Mutex<HashSet<String>>>, is_over: Arc<AtomicBool>) {
    let mut number = 0_u32;
    while !is_over.load(Ordering::Relaxed) {
        number += 1;
        let event = json!({"call_id": sender, "state": "hangup", "n": number}).to_string();
        match caller.send("POST", "/v1/events/call", &event).await {
            Ok((StatusCode::ACCEPTED, answer)) => {
                let id = answer["id"].as_str().expect("ids are strings").to_owned();
                accepted.lock().insert(id);
            }
            // Killed, or on its way back.
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn consume(caller: Caller, is_over: Arc<AtomicBool>) -> Got {
    let mut got = Got::default();
    while !is_over.load(Ordering::Relaxed) {
        if poll(&caller, &mut got).await.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    got
}

/// Takes a page and acknowledges it; answers how many events it had, if the server was there.
async fn poll(caller: &Caller, got: &mut Got) -> Option<usize> {
    let path = "/v1/consumers/crm/feed?limit=50&wait=1";
    let Ok((StatusCode::OK, page)) = caller.send("GET", path, "").await else {
        return None;
    };
    let items = page["items"].as_array().expect("there is a list");
    let ids: Vec<_> = items
        .iter()
        .map(|item: &Value| item["event_id"].as_str().expect("ids are strings").to_owned())
        .collect();
    for id in &ids {
        assert!(
            !got.acknowledged.contains(id),
            "event {id} came again after it was acknowledged"
        );
        got.seen.insert(id.clone());
    }
    let ack = json!({"cursor": page["cursor"]}).to_string();
    if let Ok((StatusCode::OK, _)) = caller.send("POST", "/v1/consumers/crm/ack", &ack).await {
        got.acknowledged.extend(ids.iter().cloned());
    }
    Some(ids.len())
}
