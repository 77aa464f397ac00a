//! Failing receivers: their health, and how to get them going again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use switchhook_node::settings::Settings;

use crate::support::rig::Reaction;
use crate::support::test_server::TestServer;

const SECOND: Duration = Duration::from_secs(1);

/// A server whose receivers answer what `status` says; 0 is nobody there.
async fn answering(status: &Arc<AtomicU16>) -> TestServer {
    let status = Arc::clone(status);
    TestServer::reacting(Settings::default(), move |_| {
        match status.load(Ordering::Relaxed) {
            0 => Reaction::Refuse,
            status => Reaction::Answer(status),
        }
    })
    .await
}

async fn webhook(server: &TestServer) -> String {
    let body = json!({"hook_url": "https://example.com/hook", "secret": "0123456789abcdef0123456789abcdef"});
    let webhook = server.post("/v1/webhooks", body).await.ok();
    let id = webhook["id"].as_str().expect("ids are texts").to_owned();
    server.subscribe(&id).await;
    id
}

async fn calls(server: &TestServer, ids: std::ops::Range<u64>) {
    for id in ids {
        let body = format!(r#"{{"call_id": {id}}}"#);
        server.event("call", body, &[]).await.ok();
    }
}

async fn health(server: &TestServer, id: &str) -> Value {
    server.get(&format!("/v1/webhooks/{id}")).await.ok()["health"].clone()
}

async fn pending(server: &TestServer) -> usize {
    let list = server.get("/v1/deliveries?state=pending&limit=100").await.ok();
    list["items"].as_array().expect("a list").len()
}

#[tokio::test(start_paused = true)]
async fn one_event_is_enough_to_see_within_seconds_that_a_receiver_fails() {
    let status = Arc::new(AtomicU16::new(500));
    let server = answering(&status).await;
    let id = webhook(&server).await;
    assert_eq!(health(&server, &id).await["condition"], "active");
    calls(&server, 1..2).await;
    server.wait(30 * SECOND).await;
    let health = health(&server, &id).await;
    assert_eq!(health["condition"], "failing", "{health:#}");
    assert_eq!(health["failures"]["last_status"], 500);
    assert_eq!(health["waiting"]["count"], 1);
    assert!(
        health["text"].as_str().unwrap().contains("answered 500"),
        "{health:#}"
    );
    let doctor = server.get("/v1/doctor").await.ok();
    let finding = &doctor["findings"][0];
    assert_eq!(finding["trouble"], "failing", "{doctor:#}");
    let remedy = finding["remedy"].as_str().unwrap();
    assert!(
        remedy.contains(&format!("switchhook webhooks retry {id}")),
        "{remedy}"
    );
    let list = server.get("/v1/webhooks").await.ok();
    assert_eq!(list["items"][0]["health"]["condition"], "failing");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_asks_for_patience_is_seen_to_fail_as_soon() {
    let patience = |_: &_| Reaction::AnswerLater(503, 600 * SECOND);
    let server = TestServer::reacting(Settings::default(), patience).await;
    let id = webhook(&server).await;
    calls(&server, 1..2).await;
    server.wait(30 * SECOND).await;
    let health = health(&server, &id).await;
    assert_eq!(health["condition"], "failing", "{health:#}");
    assert_eq!(health["failures"]["attempts"], 1);
    let doctor = server.get("/v1/doctor").await.ok();
    assert_eq!(doctor["findings"][0]["trouble"], "failing", "{doctor:#}");
}

#[tokio::test(start_paused = true)]
async fn a_repaired_receiver_gets_everything_within_seconds_of_a_retry() {
    for broken in [500, 401, 0] {
        let status = Arc::new(AtomicU16::new(broken));
        let server = answering(&status).await;
        let id = webhook(&server).await;
        calls(&server, 1..51).await;
        server.wait(17 * 60 * SECOND).await;
        let before = health(&server, &id).await;
        let condition = if broken == 401 {
            "failing"
        } else {
            "paused_by_failures"
        };
        assert_eq!(before["condition"], condition, "{broken}: {before:#}");
        assert_eq!(before["next_try_at"].is_i64(), broken != 401);
        status.store(200, Ordering::Relaxed);
        let retried = server
            .post(&format!("/v1/webhooks/{id}/retry"), Value::Null)
            .await
            .ok();
        assert_eq!(retried["health"]["waiting"]["count"], 50, "{broken}");
        server.wait(5 * SECOND).await;
        assert_eq!(pending(&server).await, 0, "{broken}");
        assert_eq!(health(&server, &id).await["condition"], "active", "{broken}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_at_a_receiver_that_still_fails_is_one_attempt() {
    let status = Arc::new(AtomicU16::new(500));
    let server = answering(&status).await;
    let id = webhook(&server).await;
    calls(&server, 1..51).await;
    server.wait(3600 * SECOND).await;
    let before = server.network.seen().len();
    server
        .post(&format!("/v1/webhooks/{id}/retry"), Value::Null)
        .await
        .ok();
    server.wait(SECOND).await;
    assert_eq!(server.network.seen().len(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_paused_webhook_is_not_retried_but_resumed_which_tries_at_once() {
    let status = Arc::new(AtomicU16::new(500));
    let server = answering(&status).await;
    let id = webhook(&server).await;
    calls(&server, 1..21).await;
    server.wait(17 * 60 * SECOND).await;
    server
        .post(&format!("/v1/webhooks/{id}/pause"), Value::Null)
        .await
        .ok();
    assert_eq!(health(&server, &id).await["condition"], "paused");
    let refused = server
        .post(&format!("/v1/webhooks/{id}/retry"), Value::Null)
        .await;
    refused.refused(409, "is paused, so nothing is sent to it: resume it");
    status.store(200, Ordering::Relaxed);
    let resumed = server
        .post(&format!("/v1/webhooks/{id}/resume"), Value::Null)
        .await
        .ok();
    assert_eq!(resumed["health"]["waiting"]["count"], 20);
    server.wait(5 * SECOND).await;
    assert_eq!(pending(&server).await, 0);
}

/// Its own words, and the doctor's.
async fn check_words(server: &TestServer, id: &str, condition: &str, trouble: &str) {
    let health = health(server, id).await;
    assert_eq!(health["condition"], condition);
    let doctor = server.get("/v1/doctor").await.ok();
    let finding = &doctor["findings"][0];
    assert_eq!(finding["trouble"], trouble, "{doctor:#}");
    assert_eq!(finding["what"], health["text"]);
}

#[tokio::test(start_paused = true)]
async fn the_doctor_says_of_what_is_held_back_what_its_health_says() {
    let disable = |_: &_| Reaction::AnswerWith(200, "webhook-delivery", "disable");
    let server = TestServer::reacting(Settings::default(), disable).await;
    let secret = "0123456789abcdef0123456789abcdef";
    let body = json!({"hook_url": "https://example.com/hook", "secret": secret, "standard_webhooks": true, "jwt": false});
    let webhook = server.post("/v1/webhooks", body).await.ok();
    let id = webhook["id"].as_str().expect("ids are texts");
    check_words(&server, id, "no_subscription", "no_subscription").await;
    server.subscribe(id).await;
    let path = format!("/v1/webhooks/{id}");
    server.post(&format!("{path}/pause"), Value::Null).await.ok();
    check_words(&server, id, "paused", "paused").await;
    server.post(&format!("{path}/resume"), Value::Null).await.ok();
    calls(&server, 1..2).await;
    server.wait(10 * SECOND).await;
    check_words(&server, id, "disabled", "webhook_disabled").await;
    let refused = server.post(&format!("{path}/retry"), Value::Null).await;
    refused.refused(409, "is disabled");
}

#[tokio::test(start_paused = true)]
async fn test_events_and_redeliveries_are_sent_while_the_breaker_is_open_and_nothing_else_is() {
    let status = Arc::new(AtomicU16::new(500));
    let server = answering(&status).await;
    let id = webhook(&server).await;
    calls(&server, 1..51).await;
    server.wait(3600 * SECOND).await;
    let before = server.network.seen().len();
    let test = server
        .post(&format!("/v1/webhooks/{id}/test"), json!({}))
        .await
        .ok();
    let tested = test["deliveries"][0]["id"].as_str().unwrap().to_owned();
    let old = server
        .get("/v1/deliveries?limit=1&state=pending&failed=true")
        .await
        .ok();
    let old = old["items"][0]["id"].as_str().unwrap().to_owned();
    let again = server
        .post(&format!("/v1/deliveries/{old}/redeliver"), Value::Null)
        .await
        .ok();
    let again = again["id"].as_str().unwrap().to_owned();
    server.wait(SECOND).await;
    let sent: Vec<_> = server.network.seen()[before..]
        .iter()
        .map(|seen| seen.delivery_id.to_string())
        .collect();
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent.contains(&tested) && sent.contains(&again), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn what_changes_what_is_sent_gives_the_receiver_another_chance_and_other_changes_do_not() {
    let status = Arc::new(AtomicU16::new(500));
    let server = answering(&status).await;
    let id = webhook(&server).await;
    calls(&server, 1..21).await;
    server.wait(3600 * SECOND).await;
    let path = format!("/v1/webhooks/{id}");
    let before = server.network.seen().len();
    server.patch(&path, json!({"max_in_flight": 7})).await.ok();
    server.wait(SECOND).await;
    assert_eq!(server.network.seen().len(), before);
    status.store(200, Ordering::Relaxed);
    server
        .patch(&path, json!({"headers": {"X-Team": "phones"}}))
        .await
        .ok();
    server.wait(5 * SECOND).await;
    assert_eq!(pending(&server).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_says_what_it_waits_for() {
    let status = Arc::new(AtomicU16::new(500));
    let server = answering(&status).await;
    let id = webhook(&server).await;
    for state in ["ringing", "connected"] {
        let body = format!(r#"{{"call_id": 1, "state": "{state}"}}"#);
        server.event("call", body, &[]).await.ok();
    }
    server.wait(2 * SECOND).await;
    let list = server.get("/v1/deliveries").await.ok();
    let (second, first) = (&list["items"][0], &list["items"][1]);
    assert_eq!(first["waiting_for"], "retry", "{list:#}");
    assert_eq!(second["waiting_for"], "delivery", "{list:#}");
    assert_eq!(second["waiting_for_delivery_id"], first["id"]);
    calls(&server, 2..31).await;
    server.wait(60 * SECOND).await;
    let list = server.get("/v1/deliveries?limit=1").await.ok();
    assert_eq!(list["items"][0]["waiting_for"], "receiver", "{list:#}");
    server
        .post(&format!("/v1/webhooks/{id}/pause"), Value::Null)
        .await
        .ok();
    let list = server.get("/v1/deliveries?limit=1").await.ok();
    assert_eq!(list["items"][0]["waiting_for"], "resume");
    status.store(200, Ordering::Relaxed);
    server
        .post(&format!("/v1/webhooks/{id}/resume"), Value::Null)
        .await
        .ok();
    server.wait(5 * SECOND).await;
    let list = server.get("/v1/deliveries?limit=1").await.ok();
    assert_eq!(list["items"][0]["waiting_for"], Value::Null);
    assert_eq!(list["items"][0]["state"], "delivered");
}

#[tokio::test(start_paused = true)]
async fn the_doctor_finds_a_source_that_refuses() {
    let server = TestServer::new().await;
    webhook(&server).await;
    let source = json!({"name": "phones", "secret": "0123456789abcdef0123456789abcdef"});
    let source = server.post("/v1/sources", source).await.ok();
    let url = source["url"].as_str().unwrap();
    let path = url.find("/in/").map(|place| &url[place..]).unwrap();
    server.post(path, json!({"call_id": 1})).await;
    let doctor = server.get("/v1/doctor").await.ok();
    let finding = &doctor["findings"][0];
    assert_eq!(finding["trouble"], "source_refuses", "{doctor:#}");
    assert_eq!(finding["source_id"], source["id"]);
}
