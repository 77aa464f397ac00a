//! `/v1/events/{id}/explain`: every subscription says why, as it stood when the event was accepted.

use std::time::Duration;

use serde_json::{Value, json};
use switchhook_node::settings::Settings;

use crate::support::process::ServerProcess;
use crate::support::rig::Reaction;
use crate::support::test_server::TestServer;

const HANGUP: &str = r#"{"call_id": 1, "state": "hangup", "target": {"type": "office", "id": 7}}"#;

async fn subscribe(server: &TestServer, kind: &str, body: Value) -> String {
    let path = format!("/api/v2/subscriptions/{kind}");
    let subscription = server.post(&path, body).await.ok();
    subscription["id"].as_str().expect("ids are texts").to_owned()
}

async fn accept(server: &TestServer, body: &str) -> String {
    let accepted = server.event("call", body.to_owned(), &[]).await.ok();
    accepted["id"].as_str().expect("ids are texts").to_owned()
}

async fn explain(server: &TestServer, event: &str) -> Value {
    server.get(&format!("/v1/events/{event}/explain")).await.ok()
}

/// Verdict or reason of each subscription, with the sentence.
fn said(explanation: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = explanation["items"].as_array().expect("a list").iter();
    items
        .map(|item| {
            let why = if item["reason"].is_null() {
                &item["verdict"]
            } else {
                &item["reason"]
            };
            (
                text(&item["subscription_id"]),
                text(why),
                text(&item["explanation"]),
            )
        })
        .collect()
}

#[track_caller]
fn check(explanation: &Value, expected: &[(&str, &str, &str)]) {
    let said = said(explanation);
    assert_eq!(said.len(), expected.len(), "{explanation:#}");
    for ((id, why, sentence), expected) in said.iter().zip(expected) {
        assert_eq!(
            (id.as_str(), why.as_str()),
            (expected.0, expected.1),
            "{explanation:#}"
        );
        assert!(
            sentence.contains(expected.2),
            "`{sentence}` does not say `{}`",
            expected.2
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_subscription_says_why_it_did_or_did_not_take_an_event() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com/hook").await;
    let call = |extra: Value| {
        let mut body = json!({ "endpoint_id": webhook });
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        body
    };
    let all = subscribe(&server, "call", call(json!({}))).await;
    let ringing = subscribe(&server, "call", call(json!({"call_states": ["ringing"]}))).await;
    let office = json!({"target_type": "office", "target_id": "8"});
    let office = subscribe(&server, "call", call(office)).await;
    let off = json!({"enabled": false, "call_states": ["hangup"]});
    let off = subscribe(&server, "call", call(off)).await;
    let nowhere = subscribe(&server, "call", json!({})).await;
    let sms = subscribe(&server, "sms", call(json!({"direction": "all"}))).await;
    let gone = subscribe(&server, "call", call(json!({"call_states": ["missed"]}))).await;
    server
        .delete(&format!("/api/v2/subscriptions/call/{gone}"))
        .await
        .ok();
    let event = accept(&server, HANGUP).await;
    let late = subscribe(&server, "call", call(json!({"call_states": ["hold"]}))).await;
    server.wait(Duration::from_secs(1)).await;

    let explanation = explain(&server, &event).await;
    check(
        &explanation,
        &[
            (&all, "sent", "Delivered at 2026-"),
            (&ringing, "state_not_in_list", "(ringing) do not include hangup"),
            (&office, "other_target", "office 8"),
            (&off, "disabled", "it is disabled"),
            (&nowhere, "no_webhook", "no webhook"),
            (&sms, "other_kind", "kind sms"),
            (&gone, "deleted_before", "deleted before"),
            (&late, "created_afterwards", "created after"),
        ],
    );
    assert_eq!(explanation["advice"], Value::Null);
    assert_eq!(explanation["event"]["id"], event);
    assert_eq!(explanation["items"][0]["delivery"]["state"], "delivered");
    assert_eq!(explanation["items"][0]["webhook_id"], webhook);
    assert!(explanation["items"][1]["delivery"].is_null());
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_afterwards_does_not_change_the_answer() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com/hook").await;
    let kept = server.subscribe(&webhook).await;
    let path = format!("/api/v2/subscriptions/call/{kept}");
    let taken = accept(&server, HANGUP).await;
    server
        .patch(&path, json!({"call_states": ["ringing"]}))
        .await
        .ok();
    let passed_over = accept(&server, HANGUP).await;
    server.patch(&path, json!({"call_states": []})).await.ok();
    server.delete(&format!("/api/v2/webhooks/{webhook}")).await.ok();
    let orphaned = accept(&server, HANGUP).await;
    server.delete(&path).await.ok();

    let explanation = explain(&server, &taken).await;
    check(&explanation, &[(&kept, "sent", "delivery")]);
    assert!(explanation["items"][0]["changed_at"].is_i64());
    let explanation = explain(&server, &passed_over).await;
    check(&explanation, &[(&kept, "state_not_in_list", "(ringing)")]);
    let explanation = explain(&server, &orphaned).await;
    check(&explanation, &[(&kept, "no_webhook", "endpoint_id")]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_went_nowhere_comes_with_advice() {
    let server = TestServer::new().await;
    let event = accept(&server, HANGUP).await;
    let advice = |explanation: Value| explanation["advice"].as_str().unwrap().to_owned();
    assert!(advice(explain(&server, &event).await).contains("webhooks create URL"));
    let webhook = server.webhook("https://example.com/hook").await;
    let create = format!("subscriptions create call --webhook {webhook}");
    assert!(advice(explain(&server, &event).await).contains(&create));
    subscribe(
        &server,
        "call",
        json!({"endpoint_id": webhook, "call_states": ["hold"]}),
    )
    .await;
    let event = accept(&server, HANGUP).await;
    assert!(advice(explain(&server, &event).await).contains("subscriptions update"));
}

#[tokio::test(start_paused = true)]
async fn a_test_event_was_not_asked_for_and_a_paused_webhook_says_so() {
    let server = TestServer::reacting(Settings::default(), |_| Reaction::Answer(500)).await;
    let webhook = server.webhook("https://example.com/hook").await;
    let subscription = server.subscribe(&webhook).await;
    let test = server
        .post(&format!("/v1/webhooks/{webhook}/test"), Value::Null)
        .await
        .ok();
    let explanation = explain(&server, test["id"].as_str().unwrap()).await;
    check(&explanation, &[(&subscription, "test_event", "test event")]);
    let event = accept(&server, HANGUP).await;
    server.wait(Duration::from_secs(1)).await;
    let explanation = explain(&server, &event).await;
    check(
        &explanation,
        &[(&subscription, "sent", "Attempt 2 is planned for 2026-")],
    );
    server
        .post(&format!("/v1/webhooks/{webhook}/pause"), Value::Null)
        .await
        .ok();
    let explanation = explain(&server, &event).await;
    check(&explanation, &[(&subscription, "sent", "webhook is paused")]);
}

#[tokio::test(start_paused = true)]
async fn an_explanation_is_paged_and_can_be_of_one_subscription() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com/hook").await;
    let mut ids = Vec::new();
    for state in ["ringing", "hold", "hangup"] {
        let body = json!({"endpoint_id": webhook, "call_states": [state]});
        ids.push(subscribe(&server, "call", body).await);
    }
    let event = accept(&server, HANGUP).await;
    let first = server
        .get(&format!("/v1/events/{event}/explain?limit=2"))
        .await
        .ok();
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let cursor = first["cursor"].as_str().unwrap();
    let path = format!("/v1/events/{event}/explain?limit=2&cursor={cursor}");
    let rest = server.get(&path).await.ok();
    check(&rest, &[(&ids[2], "sent", "delivery")]);
    assert!(rest.get("cursor").is_none());
    let path = format!("/v1/events/{event}/explain?subscription_id={}", ids[1]);
    check(
        &server.get(&path).await.ok(),
        &[(&ids[1], "state_not_in_list", "(hold)")],
    );
    let path = format!("/v1/events/{event}/explain?subscription_id=99");
    server.get(&path).await.refused(404, "no such subscription");
    server
        .get("/v1/events/99/explain")
        .await
        .refused(404, "no such event");
}

/// Changes and events at the same time, on a real server: only what the event was matched with can tell.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_agrees_with_what_was_decided_however_close_changes_come() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let caller = server.caller();
    let webhook = caller
        .ask(
            "POST",
            "/api/v2/webhooks",
            r#"{"hook_url": "http://127.0.0.1:1/"}"#,
        )
        .await;
    let body = json!({ "endpoint_id": webhook["id"] }).to_string();
    let subscription = caller.ask("POST", "/api/v2/subscriptions/call", &body).await;
    let path = format!(
        "/api/v2/subscriptions/call/{}",
        subscription["id"].as_str().unwrap()
    );

    let changing = async {
        for round in 0..60 {
            let change = json!({"enabled": round % 2 == 1}).to_string();
            caller.ask("PATCH", &path, &change).await;
        }
    };
    let accepting = futures_util::future::join_all((0..8).map(|_| async {
        let mut accepted = Vec::new();
        for _ in 0..25 {
            accepted.push(caller.ask("POST", "/v1/events/call", HANGUP).await);
        }
        accepted
    }));
    let ((), accepted) = tokio::join!(changing, accepting);
    let mut sent = 0;
    for event in accepted.into_iter().flatten() {
        let was_sent = !event["deliveries"].as_array().unwrap().is_empty();
        sent += u32::from(was_sent);
        let path = format!("/v1/events/{}/explain", event["id"].as_str().unwrap());
        let explanation = caller.ask("GET", &path, "").await;
        let expected = if was_sent { "sent" } else { "disabled" };
        check(
            &explanation,
            &[(subscription["id"].as_str().unwrap(), expected, "")],
        );
    }
    assert!((1..200).contains(&sent), "both happened: {sent}");
}
