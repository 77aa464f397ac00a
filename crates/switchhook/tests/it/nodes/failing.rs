//! Nodes that die or fall asleep lose nothing.

use std::collections::HashSet;

use http::StatusCode;
use parking_lot::Mutex;
use serde_json::json;

use super::crew::{Crew, Load, until, until_all_arrive};
use crate::support::http::{Arrival, RecordingReceiver};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_node_had_acknowledged_is_sent_by_the_others() {
    let Some(mut crew) = Crew::of(3).await else { return };
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    crew.known_webhook(&receiver).await;
    let load = Load::start(&crew.callers(), 6);
    load.until_acknowledged(100).await;
    crew.nodes[1].kill();
    load.until_acknowledged(100).await;
    let acknowledged = load.end().await;
    let repeats = until_all_arrive(&receiver, &acknowledged, &crew).await;
    println!(
        "{} acknowledged, {repeats} repeats, one node of three killed",
        acknowledged.len()
    );
}

/// Keeps the first answer to what comes until it is let go.
struct Gate {
    held: Mutex<HashSet<String>>,
    is_open: tokio::sync::watch::Sender<bool>,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_late_answer_of_a_node_that_slept_beyond_its_lease_is_refused() {
    let Some(crew) = Crew::of(2).await else { return };
    let gate = std::sync::Arc::new(Gate {
        held: Mutex::default(),
        is_open: tokio::sync::watch::Sender::new(false),
    });
    let at_gate = std::sync::Arc::clone(&gate);
    let react = move |arrival: &Arrival| {
        let is_it = arrival.body.windows(9).any(|part| part == b"\"sleep\":1");
        if is_it && arrival.header("switchhook-attempt") == "1" {
            at_gate
                .held
                .lock()
                .insert(arrival.header("switchhook-event-id").to_owned());
            let mut opened = at_gate.is_open.subscribe();
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async move {
                    // An error means that the test is over.
                    let _ = opened.wait_for(|is_open| *is_open).await;
                });
            });
        }
        StatusCode::OK
    };
    let receiver = RecordingReceiver::start(react).await;
    crew.known_webhook(&receiver).await;
    let sleeper = crew.caller(1);
    let event = json!({"call_id": 9, "state": "hangup", "sleep": 1}).to_string();
    let answer = sleeper.ask("POST", "/v1/events/call", &event).await;
    let id = answer["id"].as_str().expect("ids are strings").to_owned();
    until("the first attempt", || async { gate.held.lock().contains(&id) }).await;
    crew.nodes[1].suspend();
    // What it is answered it cannot read.
    gate.is_open.send_replace(true);
    let delivered = |arrivals: &[Arrival]| {
        let mut of_event = arrivals
            .iter()
            .filter(|one| one.header("switchhook-event-id") == id);
        of_event.any(|one| one.header("switchhook-attempt") == "2")
    };
    receiver
        .wait_until("an attempt of the other node", delivered)
        .await;
    let path = format!("/v1/events/{id}");
    until("the delivery's end", || async {
        let event = crew.caller(0).ask("GET", &path, "").await;
        event["deliveries"][0]["state"] == "delivered"
    })
    .await;
    crew.nodes[1].resume();
    until("the refusal of the late answer", || async {
        let text = sleeper.text("/metrics").await.unwrap_or_default();
        text.lines()
            .find_map(|line| line.strip_prefix("switchhook_late_answers_total "))
            .is_some_and(|count| count != "0")
    })
    .await;
    let event = crew.caller(0).ask("GET", &path, "").await;
    let delivery = &event["deliveries"][0];
    assert_eq!(
        (&delivery["state"], &delivery["attempt_number"]),
        (&json!("delivered"), &json!(2)),
        "{event}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_slept_beyond_its_lease_has_lost_nothing() {
    let Some(crew) = Crew::of(3).await else { return };
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    crew.known_webhook(&receiver).await;
    let load = Load::start(&crew.callers(), 6);
    load.until_acknowledged(100).await;
    crew.nodes[2].suspend();
    tokio::time::sleep(std::time::Duration::from_secs(17)).await;
    crew.nodes[2].resume();
    load.until_acknowledged(50).await;
    let acknowledged = load.end().await;
    let repeats = until_all_arrive(&receiver, &acknowledged, &crew).await;
    println!(
        "{} acknowledged, {repeats} repeats, one node of three asleep for 17 s",
        acknowledged.len()
    );
}
