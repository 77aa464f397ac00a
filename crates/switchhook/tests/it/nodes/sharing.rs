//! Requests to one node count for all of them.

use std::collections::HashSet;

use http::StatusCode;
use serde_json::{Value, json};

use super::crew::{Crew, until_all_arrive, until_it_sends_to};
use crate::support::http::RecordingReceiver;
use crate::support::listener::Listener;

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_made_at_one_node_gets_what_another_accepts() {
    let Some(crew) = Crew::of(2).await else { return };
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    let id = crew.webhook(&receiver).await;
    until_it_sends_to(&crew.caller(1), &id).await;
    receiver
        .wait_until("the event's arrival", |arrivals| !arrivals.is_empty())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_paused_at_one_node_is_held_by_all_and_resumed_by_all() {
    let Some(crew) = Crew::of(2).await else { return };
    let (one, other) = (crew.caller(0), crew.caller(1));
    let paused = RecordingReceiver::start(|_| StatusCode::OK).await;
    let id = crew.known_webhook(&paused).await;
    let path = format!("/v1/webhooks/{}", id.as_str().unwrap());
    one.ask("POST", &format!("{path}/pause"), "").await;
    // Changes come in their order: who knows the later one knows the pause.
    let going = RecordingReceiver::start(|_| StatusCode::OK).await;
    let later = crew.webhook(&going).await;
    until_it_sends_to(&other, &later).await;
    let event = json!({"call_id": 77, "state": "hangup"}).to_string();
    let answer = other.ask("POST", "/v1/events/call", &event).await;
    let event_id: HashSet<_> = [answer["id"].as_str().unwrap().to_owned()].into();
    until_all_arrive(&going, &event_id, &crew).await;
    let has_come = |receiver: &RecordingReceiver| {
        let arrivals = receiver.arrivals();
        arrivals
            .iter()
            .any(|one| event_id.contains(one.header("switchhook-event-id")))
    };
    assert!(!has_come(&paused), "{}", crew.logs());
    one.ask("POST", &format!("{path}/resume"), "").await;
    until_all_arrive(&paused, &event_id, &crew).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_used_at_two_nodes_at_once_is_one_event() {
    let Some(crew) = Crew::of(2).await else { return };
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    crew.known_webhook(&receiver).await;
    let mut kept = HashSet::new();
    for number in 0..20 {
        let event = json!({"call_id": 500 + number, "state": "hangup"}).to_string();
        let (key, path) = (format!("key-{number}"), "/v1/events/call");
        let (one, other) = (crew.caller(0), crew.caller(1));
        let (one, other) = tokio::join!(
            one.ask_once(&key, path, &event),
            other.ask_once(&key, path, &event)
        );
        assert_eq!(one["id"], other["id"], "{one} {other}");
        kept.insert(one["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(kept.len(), 20);
    assert_eq!(
        until_all_arrive(&receiver, &kept, &crew).await,
        0,
        "none comes twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_listens_at_one_node_is_told_what_another_accepts() {
    let Some(crew) = Crew::of(2).await else { return };
    let (one, other) = (crew.caller(0), crew.caller(1));
    let made = one.ask("POST", "/api/v2/websockets", "{}").await;
    let body = json!({"endpoint_id": made["id"]}).to_string();
    one.ask("POST", "/api/v2/subscriptions/call", &body).await;
    let mut listener = Listener::connect(made["websocket_url"].as_str().unwrap())
        .await
        .unwrap();
    // The other node may not know of the websocket yet.
    let frame = tokio::select! {
        frame = listener.next() => frame,
        () = async { loop {
            let event = json!({"call_id": 5, "state": "hangup"}).to_string();
            other.ask("POST", "/v1/events/call", &event).await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        } } => unreachable!("it never ends"),
    };
    let frame: Value = serde_json::from_str(&frame).unwrap();
    assert_eq!(frame["call_id"], 5);
}
