//! Sources: events from outside, checked, told apart, known when they come again, and kept when they are refused.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use switchhook::ingest::validation::ValidationMode;
use switchhook::system::Settings;
use switchhook_protocol::sign;

use crate::support::test_server::{Answered, TestServer};

const CALL: &str = r#"{"call_id": 9007199254740993, "state": "hangup", "event_timestamp": 1795253400250, "duration": 8951.030}"#;

/// Makes a source; answers its id and the path of its address.
async fn source(server: &TestServer, request: Value) -> (String, String) {
    let made = server.post("/v1/sources", request).await.ok();
    let url = made["url"].as_str().expect("a new source shows its address");
    let (_, token) = url.split_once("/in/").expect("an address has a token");
    let id = made["id"].as_str().expect("ids are strings").to_owned();
    (id, format!("/in/{token}"))
}

async fn take(server: &TestServer, path: &str, body: impl Into<Body>) -> Answered {
    let request = Request::post(path).header("content-type", "application/jwt");
    server
        .send(request.body(body.into()).expect("the path is one"))
        .await
}

async fn refusals(server: &TestServer, id: &str) -> Vec<Value> {
    let answer = server
        .get(&format!("/v1/sources/{id}/refusals?limit=200"))
        .await
        .ok();
    answer["items"].as_array().expect("there is a list").clone()
}

#[tokio::test(start_paused = true)]
async fn a_signed_event_from_outside_is_an_event_like_any_other() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com/crm").await;
    server.subscribe(&webhook).await;
    let (_, path) = source(&server, json!({"name": "our account", "secret": "s3cret"})).await;
    let taken = take(&server, &path, sign("s3cret", CALL.as_bytes())).await;
    assert_eq!(taken.status, 200);
    let taken = taken.json();
    assert_eq!(taken["kind"], "call");
    assert_eq!(taken["duplicate"], false);
    let id = taken["id"].as_str().expect("ids are strings");
    let event = server.get(&format!("/v1/events/{id}")).await;
    assert!(
        String::from_utf8_lossy(&event.body).contains(CALL),
        "byte for byte: {event:?}"
    );
    assert_eq!(event.json()["deliveries"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_again_is_known() {
    let server = TestServer::new().await;
    let (id, path) = source(&server, json!({"name": "plain"})).await;
    let first = take(&server, &path, CALL).await.ok();
    let again = take(&server, &path, CALL).await.ok();
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["id"], first["id"]);
    assert_eq!(refusals(&server, &id).await, Vec::<Value>::new());
    // Two changes of an agent's status at the same millisecond are two events, and no event is lost.
    let other_bytes = CALL.replace("8951.030", "8951.03");
    assert_eq!(take(&server, &path, other_bytes).await.ok()["duplicate"], false);
    let another = take(&server, &path, CALL.replace("hangup", "recording"))
        .await
        .ok();
    assert_eq!(another["duplicate"], false);
    assert_eq!(
        server.get("/v1/events").await.ok()["items"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
}

#[tokio::test(start_paused = true)]
async fn each_kind_is_told_by_its_shape_or_by_its_source() {
    let server = TestServer::new().await;
    let (_, path) = source(&server, json!({"name": "all"})).await;
    for (body, kind) in [
        (r#"{"call_id":1,"state":"ringing"}"#, "call"),
        (
            r#"{"from_number":"+12025550101","to_number":["+12025550100"]}"#,
            "sms",
        ),
        (r#"{"on_duty_status":"available"}"#, "agent_status"),
        (r#"{"event":"Created","contact":{"id":"1"}}"#, "contact"),
        (r#"{"action":"updated_ivr","changed_by":{}}"#, "changelog"),
    ] {
        let taken = take(&server, &path, body).await.ok();
        assert_eq!(taken["kind"], kind, "{body}");
    }
    take(&server, &path, r#"{"date":1}"#)
        .await
        .refused(400, "its shape is none of the five kinds");
    let (_, path) = source(&server, json!({"name": "changes", "kind": "changelog"})).await;
    let taken = take(&server, &path, r#"{"date":1}"#).await.ok();
    assert_eq!(taken["kind"], "changelog");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_kept_with_its_reason_and_nothing_else_is() {
    let server = TestServer::new().await;
    let (id, path) = source(&server, json!({"name": "signed", "secret": "s3cret"})).await;
    take(&server, &path, sign("wrong", CALL.as_bytes()))
        .await
        .refused(401, "signature");
    take(&server, &path, CALL).await.refused(401, "plain JSON");
    take(&server, &path, "").await.refused(400, "empty");
    take(&server, &path, sign("s3cret", b"[]"))
        .await
        .refused(400, "an array");
    let kept = refusals(&server, &id).await;
    let statuses: Vec<_> = kept.iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [400, 400, 401, 401], "newest first");
    assert_eq!(kept[2]["body"], CALL);
    assert_eq!(kept[2]["content_type"], "application/jwt");
    assert_eq!(kept[2]["size"], CALL.len());
    let events = server.get("/v1/events").await.ok();
    assert_eq!(events["items"], json!([]));
    take(&server, "/in/nobody-knows-this", CALL)
        .await
        .refused(404, "no source");
}

#[tokio::test(start_paused = true)]
async fn a_source_is_never_strict() {
    let server = TestServer::with(Settings {
        validation: ValidationMode::Strict,
        ..Settings::default()
    })
    .await;
    let (_, path) = source(&server, json!({"name": "signed", "secret": "s3cret"})).await;
    let deviating = r#"{"call_id":1,"state":"teleported","target":[],"duration":"long"}"#;
    server
        .event("call", deviating, &[])
        .await
        .refused(400, "deviates from its schema (validation is strict)");
    let taken = take(&server, &path, sign("s3cret", deviating.as_bytes()))
        .await
        .ok();
    let event = server
        .get(&format!("/v1/events/{}", taken["id"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(event["warnings"].as_array().map(Vec::len), Some(3), "{event:#}");
}

#[tokio::test(start_paused = true)]
async fn of_what_is_refused_the_last_hundred_are_kept() {
    let server = TestServer::new().await;
    let (id, path) = source(&server, json!({"name": "flooded"})).await;
    for n in 0..105 {
        take(&server, &path, format!("nonsense {n}")).await;
    }
    let kept = refusals(&server, &id).await;
    assert_eq!(kept.len(), 100);
    assert_eq!(kept[0]["body"], "nonsense 104");
    take(&server, &path, vec![b'x'; 3 << 20])
        .await
        .refused(413, "too large");
    let kept = refusals(&server, &id).await;
    assert_eq!((&kept[0]["status"], &kept[0]["body"]), (&json!(413), &json!("")));
    let large = vec![b'x'; 300_000];
    take(&server, &path, large).await;
    let kept = refusals(&server, &id).await;
    assert_eq!(kept[0]["size"], 300_000);
    assert_eq!(kept[0]["body"].as_str().map(str::len), Some(16 * 1024));
}

#[tokio::test(start_paused = true)]
async fn a_replaced_secret_counts_until_its_overlap_ends() {
    let server = TestServer::new().await;
    let (id, path) = source(&server, json!({"name": "signed", "secret": "one"})).await;
    let change = json!({"secret": "two", "overlap": "1h"});
    let changed = server.patch(&format!("/v1/sources/{id}"), change).await.ok();
    assert_eq!(changed["old_secrets_until"].as_array().map(Vec::len), Some(1));
    server.wait(std::time::Duration::from_secs(2)).await;
    for (n, secret) in ["one", "two"].into_iter().enumerate() {
        let body = format!(r#"{{"call_id":{n},"state":"hangup"}}"#);
        let taken = take(&server, &path, sign(secret, body.as_bytes())).await;
        assert_eq!(taken.status, 200, "{secret}: {taken:?}");
    }
    server.wait(std::time::Duration::from_secs(3_600)).await;
    take(&server, &path, sign("one", CALL.as_bytes()))
        .await
        .refused(401, "signature");
}

#[tokio::test(start_paused = true)]
async fn a_source_shows_neither_its_secret_nor_twice_its_address() {
    let server = TestServer::new().await;
    let made = server
        .post("/v1/sources", json!({"name": "signed", "secret": "s3cret"}))
        .await
        .ok();
    let id = made["id"].as_str().expect("ids are strings");
    for path in [format!("/v1/sources/{id}"), "/v1/sources".to_owned()] {
        let shown = server.get(&path).await;
        let text = String::from_utf8_lossy(&shown.body).into_owned();
        assert!(!text.contains("s3cret") && !text.contains("/in/"), "{text}");
        assert!(
            text.contains(made["fingerprint"].as_str().expect("it has one")),
            "{text}"
        );
    }
    let renamed = server
        .patch(
            &format!("/v1/sources/{id}"),
            json!({"name": "renamed", "kind": "sms"}),
        )
        .await
        .ok();
    assert_eq!(
        (&renamed["name"], &renamed["kind"]),
        (&json!("renamed"), &json!("sms"))
    );
    assert_eq!(renamed["signed"], true, "what is not sent stays");
    server.post("/v1/sources", json!({})).await.refused(400, "name");
    server.delete(&format!("/v1/sources/{id}")).await.ok();
    server
        .get(&format!("/v1/sources/{id}"))
        .await
        .refused(404, "source");
    server
        .get(&format!("/v1/sources/{id}/refusals"))
        .await
        .refused(404, "source");
}
