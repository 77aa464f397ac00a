//! The promise, from outside: what was acknowledged arrives, whenever the process is killed.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use parking_lot::Mutex;
use serde_json::json;

use crate::support::http::{Caller, RecordingReceiver};
use crate::support::process::ServerProcess;
use crate::support::until::until;

/// Number of kills.
const KILLS: u64 = 20;

/// A seed that differs from run to run, and can be given to see a run again.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's seed comes from outside; the run prints it"
)]
pub(crate) fn seed() -> u64 {
    let given = std::env::var("SWITCHHOOK_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let by_clock = || {
        std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |since| since.subsec_nanos().into())
    };
    given.unwrap_or_else(by_clock)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_event_arrives_however_often_the_server_is_killed() {
    let seed = seed();
    println!("SWITCHHOOK_TEST_SEED={seed}");
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    let mut server = ServerProcess::start(dir.path()).await;
    let webhook = server
        .caller()
        .ask(
            "POST",
            "/api/v2/webhooks",
            &json!({"hook_url": receiver.url()}).to_string(),
        )
        .await;
    let subscription = json!({"endpoint_id": webhook["id"]}).to_string();
    server
        .caller()
        .ask("POST", "/api/v2/subscriptions/call", &subscription)
        .await;

    let acknowledged = Arc::new(Mutex::new(HashSet::new()));
    let is_over = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            tokio::spawn(send_events(
                server.caller(),
                sender,
                Arc::clone(&acknowledged),
                Arc::clone(&is_over),
            ))
        })
        .collect();
    let mut dice = seed;
    for _ in 0..KILLS {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        // At any moment of its work, whether that is of the first events or of the hundredth.
        let before = acknowledged.lock().len();
        let more = usize::try_from((dice >> 33) % 40).expect("it is small");
        until("the acknowledgement of more", || async {
            acknowledged.lock().len() > before + more
        })
        .await;
        tokio::time::sleep(Duration::from_micros(dice % 10_000)).await;
        server.kill();
        server.start_again().await;
    }
    is_over.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.expect("the senders do not panic");
    }

    let acknowledged = acknowledged.lock().clone();
    assert!(
        acknowledged.len() > 100,
        "only {} events were acknowledged",
        acknowledged.len()
    );
    receiver
        .wait_until("the arrival of every acknowledged event", |arrivals| {
            let arrived: HashSet<_> = arrivals
                .iter()
                .map(|one| one.header("switchhook-event-id"))
                .collect();
            acknowledged.iter().all(|id| arrived.contains(id.as_str()))
        })
        .await;
    let arrivals = receiver.arrivals();
    let distinct: HashSet<_> = arrivals
        .iter()
        .map(|one| one.header("switchhook-event-id").to_owned())
        .collect();
    println!(
        "{} acknowledged, {} arrived, {} of them repeats, after {KILLS} kills",
        acknowledged.len(),
        distinct.len(),
        arrivals.len() - distinct.len(),
    );
}

async fn send_events(
    caller: Caller,
    sender: u32,
    acknowledged: Arc<Mutex<HashSet<String>>>,
    is_over: Arc<AtomicBool>,
) {
    let mut number = 0_u64;
    while !is_over.load(Ordering::Relaxed) {
        number += 1;
        let event =
            json!({"call_id": (u64::from(sender) << 32) + number / 5, "state": "hangup", "n": number});
        match caller.send("POST", "/v1/events/call", &event.to_string()).await {
            Ok((StatusCode::ACCEPTED, answer)) => {
                acknowledged
                    .lock()
                    .insert(answer["id"].as_str().expect("ids are strings").to_owned());
            }
            // Killed, or on its way back: the sender of an event tries again.
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
