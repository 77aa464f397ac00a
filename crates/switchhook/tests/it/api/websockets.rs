//! `/api/v2/websockets`, and websockets as the endpoints of subscriptions.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::support::test_server::TestServer;

async fn websocket(server: &TestServer) -> String {
    let made = server.post("/api/v2/websockets", json!({})).await.ok();
    made["id"].as_str().expect("ids are strings").to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_websocket_is_made_shown_changed_and_deleted() {
    let server = TestServer::new().await;
    let made = server
        .post("/api/v2/websockets", json!({"secret": "s3cret"}))
        .await
        .ok();
    let signature = json!({"algo": "HS256", "secret": "s3cret", "type": "jwt"});
    assert_eq!(made["signature"], signature);
    let url = made["websocket_url"].as_str().expect("it has a URL");
    assert!(url.starts_with("ws://127.0.0.1:8400/events/ey"), "{url}");
    let path = format!(
        "/api/v2/websockets/{}",
        made["id"].as_str().expect("ids are strings")
    );
    server.wait(std::time::Duration::from_secs(1)).await;
    let shown = server.get(&path).await.ok();
    assert_eq!(shown["signature"], signature);
    assert_ne!(shown["websocket_url"], made["websocket_url"], "a fresh one");
    let listed = server.get("/api/v2/websockets").await.ok();
    assert_eq!(listed["items"][0]["id"], made["id"]);
    assert_eq!(listed.get("cursor"), None);
    let unchanged = server.patch(&path, json!({})).await.ok();
    assert_eq!(unchanged["signature"], signature);
    for none in [json!(""), Value::Null] {
        let plain = server.patch(&path, json!({"secret": none})).await.ok();
        assert_eq!(plain.get("signature"), None, "{plain}");
    }
    assert_eq!(server.delete(&path).await.ok()["id"], made["id"]);
    server.get(&path).await.refused(404, "websocket");
}

#[tokio::test(start_paused = true)]
async fn a_websocket_is_the_endpoint_of_every_kind_of_subscription() {
    let server = TestServer::new().await;
    let id = websocket(&server).await;
    for (kind, request) in [
        ("call", json!({})),
        ("sms", json!({"direction": "all"})),
        ("agent_status", json!({"agent_type": "callcenter"})),
        ("contact", json!({"contact_type": "local"})),
        ("changelog", json!({})),
    ] {
        let mut request = request;
        request["endpoint_id"] = id.as_str().into();
        let path = format!("/api/v2/subscriptions/{kind}");
        let made = server.post(&path, request.clone()).await.ok();
        assert_eq!(made["websocket"]["id"], id.as_str(), "{made}");
        assert_eq!(made.get("webhook"), None, "{made}");
        server.post(&path, request).await.refused(409, "websocket");
        let listed = server.get(&path).await.ok();
        assert_eq!(listed["items"][0]["websocket"]["id"], id.as_str());
    }
    let nobody = json!({"endpoint_id": 77});
    server
        .post("/api/v2/subscriptions/call", nobody)
        .await
        .refused(404, "endpoint_id");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_moves_between_a_webhook_and_a_websocket() {
    let server = TestServer::new().await;
    let (webhook, websocket) = (
        server.webhook("https://example.com/crm").await,
        websocket(&server).await,
    );
    let path = format!("/api/v2/subscriptions/call/{}", server.subscribe(&webhook).await);
    let moved = server.patch(&path, json!({"endpoint_id": websocket})).await.ok();
    assert_eq!(moved["websocket"]["id"], websocket.as_str());
    let back = server.patch(&path, json!({"endpoint_id": webhook})).await.ok();
    assert_eq!(back["webhook"]["id"], webhook.as_str());
    assert_eq!(back.get("websocket"), None, "{back}");
}

#[tokio::test(start_paused = true)]
async fn an_event_for_a_websocket_makes_no_delivery_and_is_explained() {
    let server = TestServer::new().await;
    let websocket = websocket(&server).await;
    server.subscribe(&websocket).await;
    let event = server
        .event("call", r#"{"call_id":1,"state":"hangup"}"#, &[])
        .await
        .ok();
    assert_eq!(event["deliveries"], json!([]));
    let id = event["id"].as_str().expect("ids are strings");
    let explained = server.get(&format!("/v1/events/{id}/explain")).await.ok();
    let said = &explained["items"][0];
    assert_eq!(said["websocket_id"], websocket.as_str());
    assert_eq!(
        (&said["verdict"], &said["reason"]),
        (&json!("told"), &Value::Null)
    );
    assert_eq!(explained["advice"], Value::Null, "{explained}");
    server.get("/events/nonsense").await.refused(401, "websocket_url");
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_not_spoken_is_answered_with_the_one_that_is() {
    let server = TestServer::new().await;
    let made = server.post("/api/v2/websockets", json!({})).await.ok();
    let url = made["websocket_url"].as_str().expect("it has a URL");
    let request = Request::get(url.replacen("ws", "http", 1))
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "8")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let answered = server.send(request.body(Body::empty()).unwrap()).await;
    answered.refused(426, "version 13");
    assert_eq!(answered.headers["sec-websocket-version"], "13");
}
