//! Order holds across nodes.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};

use super::crew::{Crew, until};
use crate::support::http::{Arrival, RecordingReceiver};

const CALLS: u64 = 8;
const EVENTS: u64 = 15;

/// The number of an event that was sent by this test.
fn number(arrival: &Arrival) -> Option<(u64, u64)> {
    let body: Value = serde_json::from_slice(&arrival.body).ok()?;
    let call = body["call_id"].as_u64().filter(|call| *call < CALLS)?;
    Some((call, body["n"].as_u64()?))
}

/// Some first attempts fail, always the same.
fn react(arrival: &Arrival) -> StatusCode {
    let is_first = arrival.header("switchhook-attempt") == "1";
    match number(arrival) {
        Some((call, n)) if is_first && (call * 7 + n * 3) % 9 == 0 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_a_call_arrive_in_order_whichever_node_accepts_them() {
    let Some(crew) = Crew::of(3).await else { return };
    let receiver = RecordingReceiver::start(react).await;
    crew.known_webhook(&receiver).await;
    let calls = (0..CALLS).map(|call| {
        let callers = crew.callers();
        tokio::spawn(async move {
            for n in 0..EVENTS {
                let event = json!({"call_id": call, "state": "hangup", "n": n});
                let caller = &callers[usize::try_from(call + n).unwrap() % callers.len()];
                caller.ask("POST", "/v1/events/call", &event.to_string()).await;
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("every event is accepted");
    }
    let arrived = || -> BTreeMap<u64, Vec<u64>> {
        let mut calls = BTreeMap::<_, Vec<_>>::new();
        for arrival in receiver.arrivals() {
            let Some((call, n)) = number(&arrival).filter(|_| react(&arrival) == StatusCode::OK) else {
                continue;
            };
            calls.entry(call).or_default().push(n);
        }
        calls
    };
    until("the arrival of everything", || async {
        arrived().values().map(Vec::len).sum::<usize>() >= usize::try_from(CALLS * EVENTS).unwrap()
    })
    .await;
    for (call, order) in arrived() {
        assert_eq!(
            order,
            (0..EVENTS).collect::<Vec<_>>(),
            "call {call}\n{}",
            crew.logs()
        );
    }
}
