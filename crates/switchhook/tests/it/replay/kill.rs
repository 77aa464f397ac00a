//! The same from outside: a replay of the real program, which is killed in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::http::{Arrival, Caller, RecordingReceiver};
use crate::support::process::ServerProcess;

const EVENTS: usize = 3_000;
const KILLS: u32 = 3;

async fn send_events(caller: &Caller) {
    for batch in 0..EVENTS / 500 {
        let line = |n: usize| json!({"call_id": n / 3, "state": "hangup", "n": n}).to_string();
        let lines: Vec<_> = (batch * 500..(batch + 1) * 500).map(line).collect();
        let answer = caller.ask_lines("/v1/events/call", &lines.join("\n")).await;
        assert_eq!(answer["accepted"], 500, "{answer}");
    }
}

fn replayed(arrivals: &[Arrival], id: &str) -> Vec<(String, String)> {
    let of_replay = arrivals
        .iter()
        .filter(|one| one.header("switchhook-replay") == id);
    of_replay
        .map(|one| {
            let text = |name| one.header(name).to_owned();
            (text("switchhook-event-id"), text("switchhook-delivery-id"))
        })
        .collect()
}

async fn wait_until_finished(caller: &Caller, path: &str) -> Value {
    for _ in 0..1_200 {
        let replay = caller.ask("GET", path, "").await;
        if replay["state"] != "running" {
            return replay;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} does not end: {}", caller.ask("GET", path, "").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_survives_the_killing_of_its_process() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    let mut server = ServerProcess::start(dir.path()).await;
    let caller = server.caller();
    send_events(&caller).await;

    // The events had nowhere to go when they came: now there is an address.
    let wish = json!({"filter": {"kind": "call"}, "to": {"url": receiver.url()}, "rate": 1_500});
    let replay = caller.ask("POST", "/v1/replays", &wish.to_string()).await;
    let id = replay["id"].as_str().unwrap();
    let path = format!("/v1/replays/{id}");
    assert_eq!(replay["progress"]["total"], EVENTS);
    for kill in 1..=KILLS {
        let enough = EVENTS * kill as usize / (KILLS as usize + 1);
        receiver
            .wait_until("a part of the replay", |arrivals| {
                replayed(arrivals, id).len() >= enough
            })
            .await;
        server.kill();
        server.start_again().await;
    }
    let replay = wait_until_finished(&server.caller(), &path).await;
    assert_eq!(replay["state"], "finished", "{replay}");
    for count in ["created", "delivered", "scanned"] {
        assert_eq!(replay["progress"][count], EVENTS, "{count}: {replay}");
    }
    let arrivals = replayed(&receiver.arrivals(), id);
    let mut by_event = BTreeMap::<_, BTreeSet<_>>::new();
    for (event, delivery) in &arrivals {
        by_event.entry(event).or_default().insert(delivery);
    }
    assert_eq!(by_event.len(), EVENTS);
    assert!(by_event.values().all(|deliveries| deliveries.len() == 1));
    println!(
        "{} repeats of {EVENTS} after {KILLS} kills",
        arrivals.len() - EVENTS
    );
}
