//! Nodes that die or fall asleep lose nothing. One test for all of it, because it waits until the leases of real servers end,
//! of which the shortest takes 15 seconds: processes are killed and stopped here, and theirs is the machine's clock.

use std::collections::HashSet;
use std::sync::Arc;

use http::StatusCode;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::watch;

use super::crew::{Crew, Load, until, until_all_arrive};
use crate::support::http::{Arrival, RecordingReceiver};

/// Keeps the answer to the first attempt of the marked event until it is opened.
struct Gate {
    waiting: Mutex<HashSet<String>>,
    is_open: watch::Sender<bool>,
}

impl Gate {
    fn answer(&self, arrival: &Arrival) -> StatusCode {
        let is_marked = arrival.body.windows(9).any(|part| part == b"\"sleep\":1");
        if is_marked && arrival.header("switchhook-attempt") == "1" {
            let id = arrival.header("switchhook-event-id").to_owned();
            self.waiting.lock().insert(id);
            let mut opened = self.is_open.subscribe();
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async move {
                    // An error means that the test is over.
                    let _ = opened.wait_for(|is_open| *is_open).await;
                });
            });
        }
        StatusCode::OK
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nodes_had_that_are_killed_or_sleep_is_sent_by_others_and_late_answers_are_refused() {
    let Some(mut crew) = Crew::of(3).await else { return };
    let gate = Arc::new(Gate {
        waiting: Mutex::default(),
        is_open: watch::Sender::new(false),
    });
    let at_gate = Arc::clone(&gate);
    let receiver = RecordingReceiver::start(move |arrival: &Arrival| at_gate.answer(arrival)).await;
    crew.known_webhook(&receiver).await;
    let sleeper = crew.caller(1);
    let event = json!({"call_id": 9, "state": "hangup", "sleep": 1}).to_string();
    let answer = sleeper.ask("POST", "/v1/events/call", &event).await;
    let id = answer["id"].as_str().expect("ids are strings").to_owned();
    until("the first attempt", || async {
        gate.waiting.lock().contains(&id)
    })
    .await;

    let load = Load::start(&crew.callers(), 6);
    load.until_acknowledged(100).await;
    crew.nodes[1].suspend();
    crew.nodes[2].kill();
    // The sleeping node cannot read the answer.
    gate.is_open.send_replace(true);
    let mut acknowledged = load.end().await;
    let load = Load::start(&[crew.caller(0)], 6);
    load.until_acknowledged(100).await;
    acknowledged.extend(load.end().await);
    until_all_arrive(&receiver, &acknowledged, &crew).await;

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
    // The node that woke up takes part again.
    let load = Load::start(&[crew.caller(0), sleeper], 6);
    load.until_acknowledged(50).await;
    let acknowledged = load.end().await;
    until_all_arrive(&receiver, &acknowledged, &crew).await;
}
