//! Filters on the payload: set, judged, tried and explained.

use serde_json::{Value, json};
use switchhook_domain::key::ApiKey;
use switchhook_domain::scope::Scopes;

use crate::support::test_server::TestServer;

async fn filtered(server: &TestServer, kind: &str, more: Value, filter: &Value) -> (String, String) {
    let webhook = server.webhook("https://example.com/filtered").await;
    let mut body = more;
    body["endpoint_id"] = json!(webhook);
    let path = format!("/api/v2/subscriptions/{kind}");
    let made = server.post(&path, body).await.ok();
    let id = made["id"].as_str().expect("ids are texts").to_owned();
    let path = format!("/v1/subscriptions/{id}");
    let changed = server.patch(&path, json!({ "filter": filter })).await.ok();
    assert_eq!(changed["filter"], *filter);
    assert_eq!(changed["kind"], kind);
    assert_eq!(changed["webhook"]["id"], json!(webhook));
    (id, webhook)
}

async fn explained(server: &TestServer, event: &Value) -> Value {
    let id = event["id"].as_str().expect("ids are texts");
    server.get(&format!("/v1/events/{id}/explain")).await.ok()["items"][0].clone()
}

#[tokio::test(start_paused = true)]
async fn only_what_the_filter_lets_through_is_delivered_and_the_rest_is_explained() {
    let server = TestServer::new().await;
    let filter = json!({"state": "hangup", "duration": {"$gt": 30_000}});
    let (id, _) = filtered(&server, "call", json!({}), &filter).await;
    let event = async |body: &'static str| server.event("call", body, &[]).await.ok();
    let long = event(r#"{"call_id": 1, "state": "hangup", "duration": 30000.5}"#).await;
    assert_eq!(long["deliveries"].as_array().map(Vec::len), Some(1));
    let short = event(r#"{"call_id": 2, "state": "hangup", "duration": 8951.030}"#).await;
    assert_eq!(short["deliveries"], json!([]));
    let why = explained(&server, &short).await;
    assert_eq!(
        (&why["verdict"], &why["reason"], &why["clause"], &why["seen"]),
        (
            &json!("passed_over"),
            &json!("filter"),
            &json!("duration: {\"$gt\":30000}"),
            &json!("8951.030")
        )
    );
    let sentence = why["explanation"].as_str().unwrap();
    assert_eq!(
        sentence,
        "its filter says no: duration: {\"$gt\":30000}, and it is 8951.030"
    );
    let path = format!("/v1/subscriptions/{id}");
    let open = server.patch(&path, json!({"filter": null})).await.ok();
    assert_eq!(open["filter"], Value::Null);
    let now = event(r#"{"call_id": 3, "state": "hangup"}"#).await;
    assert_eq!(now["deliveries"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        explained(&server, &short).await["reason"],
        "filter",
        "as it stood then"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_no_filter_is_refused_with_its_place() {
    let server = TestServer::new().await;
    let (id, _) = filtered(
        &server,
        "contact",
        json!({"contact_type": "local"}),
        &json!({"a": 1}),
    )
    .await;
    let path = format!("/v1/subscriptions/{id}");
    for (filter, message) in [
        (json!([1]), "filter: it must be an object"),
        (
            json!({"a": {"$gte": null}}),
            "filter.a.$gte: it takes a number or a text",
        ),
        (json!({"a": {"$regex": "x"}}), "`$regex` is not an operator"),
    ] {
        server
            .patch(&path, json!({"filter": filter}))
            .await
            .refused(400, message);
    }
    server
        .patch(&path, json!({"filtre": {}}))
        .await
        .refused(400, "unknown field");
    let kept = server.get(&path).await.ok();
    assert_eq!(kept["filter"], json!({"a": 1}));
    assert_eq!(kept["contact_type"], "local");
}

#[tokio::test(start_paused = true)]
async fn a_filter_is_tried_on_the_last_events_without_a_change() {
    let server = TestServer::new().await;
    for (call, duration) in [(1, 10), (2, 20), (3, 30)] {
        let body = json!({"call_id": call, "state": "hangup", "duration": duration}).to_string();
        server.event("call", body, &[]).await.ok();
    }
    server
        .event("sms", r#"{"id": 1, "direction": "inbound"}"#, &[])
        .await
        .ok();
    let trial = json!({"kind": "call", "filter": {"duration": {"$gte": 20}}});
    let tried = server.post("/v1/subscriptions/try-filter", trial).await.ok();
    assert_eq!(tried["matching"], 2);
    let items = tried["items"].as_array().unwrap();
    let said: Vec<_> = items
        .iter()
        .map(|item| (item["matches"].as_bool(), item["seen"].as_str()))
        .collect();
    assert_eq!(
        said,
        [(Some(true), None), (Some(true), None), (Some(false), Some("10"))]
    );
    let none = json!({"kind": "call", "filter": {}});
    server
        .post("/v1/subscriptions/try-filter", none)
        .await
        .refused(400, "an empty object asks for nothing");
}

#[tokio::test(start_paused = true)]
async fn a_filter_tells_nobody_what_their_key_does_not_show() {
    let server = TestServer::new().await;
    server
        .add_key("unscoped", |key| ApiKey { admin: true, ..key })
        .await;
    server
        .add_key("scoped", |key| ApiKey {
            admin: true,
            scopes: Scopes::ALL,
            ..key
        })
        .await;
    let texts = json!({"text": {"$contains": "4711"}});
    let body = r#"{"id": 5, "direction": "inbound", "text": "the code is 4711"}"#;
    server.event("sms", body, &[]).await.ok();
    for (key, matching) in [("unscoped", 0), ("scoped", 1)] {
        let trial = json!({"kind": "sms", "filter": texts});
        let tried = server
            .ask(http::Method::POST, "/v1/subscriptions/try-filter", key, trial)
            .await
            .ok();
        assert_eq!(tried["matching"], matching, "{key}");
        assert!(!tried.to_string().contains("the code"), "{tried}");
    }
    // A subscription of somebody with the scope says no to another message: who has not the scope is not told what it saw.
    let webhook = server.webhook("https://example.com/scoped").await;
    let made = json!({"endpoint_id": webhook, "direction": "all"});
    let made = server
        .ask(http::Method::POST, "/api/v2/subscriptions/sms", "scoped", made)
        .await
        .ok();
    let path = format!("/v1/subscriptions/{}", made["id"].as_str().unwrap());
    let refused = server
        .ask(http::Method::PATCH, &path, "unscoped", json!({"filter": texts}))
        .await;
    refused.refused(403, "message_content_export");
    server
        .ask(http::Method::PATCH, &path, "scoped", json!({"filter": texts}))
        .await
        .ok();
    let event = server.event("sms", body.replace("4711", "0815"), &[]).await.ok();
    let explain = format!("/v1/events/{}/explain", event["id"].as_str().unwrap());
    for (key, seen) in [("unscoped", "***"), ("scoped", r#""the code is 0815""#)] {
        let why = server
            .ask(http::Method::GET, &explain, key, Value::Null)
            .await
            .ok();
        assert_eq!(why["items"][0]["seen"], seen, "{key}");
    }
}
