//! Revocation: open connections end soon after their key, and a slow body is no way around that.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use serde_json::{Value, json};
use switchhook_domain::id::KeyId;
use switchhook_domain::key::{ApiKey, Right};
use tokio::time::timeout;

use crate::support::test_server::{Answered, TestServer};

/// Time limit of a revocation, in virtual time.
const SOON: Duration = Duration::from_secs(2);

const KEY: &str = "shk_one_of_many";

async fn revoke_after(server: &TestServer, id: KeyId, seconds: u64) {
    server.wait(Duration::from_secs(seconds)).await;
    let now = server.node.clock.now();
    server.store.revoke_key(id, now).await.expect("it is there");
}

/// A request of the key's, its body in two parts with this much time between them.
fn slowly(path: &str, content_type: &str, parts: [&'static str; 2], pause: Duration) -> Request<Body> {
    let [first, second] = parts.map(|part| Ok::<_, Infallible>(Bytes::from_static(part.as_bytes())));
    let later = stream::once(async move {
        tokio::time::sleep(pause).await;
        second
    });
    Request::post(path)
        .header(AUTHORIZATION, format!("Bearer {KEY}"))
        .header(CONTENT_TYPE, content_type)
        .body(Body::from_stream(stream::iter([first]).chain(later)))
        .expect("the path is one")
}

async fn events_kept(server: &TestServer) -> usize {
    let list = server.get("/v1/events").await.ok();
    list["items"].as_array().expect("a list has items").len()
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_soon_after_its_key_is_revoked_and_others_go_on() {
    let server = TestServer::new().await;
    let id = server.add_key(KEY, |key| key).await;
    let other = server.get("/v1/stream");
    let own = async {
        let open = server.ask(Method::GET, "/v1/stream", KEY, Value::Null);
        tokio::pin!(open);
        tokio::select! {
            ended = &mut open => panic!("it is open until its key is revoked: {ended:?}"),
            () = revoke_after(&server, id, 30) => {}
        }
        timeout(SOON, open).await.expect("it ends soon after")
    };
    tokio::select! {
        ended = other => panic!("its key is valid: {ended:?}"),
        own = own => assert_eq!(own.status, 200),
    }
    let again = server.ask(Method::GET, "/v1/stream", KEY, Value::Null).await;
    again.refused(401, "was revoked");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_key_expires() {
    let server = TestServer::new().await;
    let lasts = Duration::from_secs(10);
    let end = server.node.clock.now().plus(lasts);
    server
        .add_key(KEY, |key| ApiKey {
            expires_at: Some(end),
            ..key
        })
        .await;
    let open = server.ask(Method::GET, "/v1/stream", KEY, Value::Null);
    let ended = timeout(lasts + SOON, open).await.expect("it ends soon after");
    assert_eq!(ended.status, 200);
    assert!(server.node.clock.now() >= end, "and not before");
}

#[tokio::test(start_paused = true)]
async fn lines_that_come_after_a_key_is_revoked_are_not_taken() {
    let server = TestServer::new().await;
    let id = server.add_key(KEY, |key| key).await;
    let lines = ["{\"call_id\":1}\n", "{\"call_id\":2}\n"];
    let minute = Duration::from_secs(25);
    let request = slowly("/v1/events/call", "application/x-ndjson", lines, minute);
    let (answered, ()) = tokio::join!(server.send(request), revoke_after(&server, id, 5));
    answered.refused(401, "stopped after line");
    assert_eq!(events_kept(&server).await, 0);
}

/// Asks with a body that comes in two parts, and revokes the key in between.
async fn revoked_meanwhile(server: &TestServer, path: &str, parts: [&'static str; 2]) -> Answered {
    let id = server.add_key(KEY, |key| key).await;
    let request = slowly(path, "application/json", parts, Duration::from_secs(10));
    let (answered, ()) = tokio::join!(server.send(request), revoke_after(server, id, 5));
    answered
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_key_is_revoked_while_it_comes_is_not_taken() {
    let server = TestServer::new().await;
    let answered = revoked_meanwhile(&server, "/v1/events/call", ["{\"call_id\"", ":1}"]).await;
    answered.refused(401, "was revoked");
    assert_eq!(events_kept(&server).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_key_is_revoked_while_it_comes_is_not_made() {
    let server = TestServer::new().await;
    let parts = ["{\"hook_url\":", "\"https://example.com/late\"}"];
    let answered = revoked_meanwhile(&server, "/api/v2/webhooks", parts).await;
    answered.refused(401, "was revoked");
    let webhooks = server.get("/api/v2/webhooks").await.ok();
    assert_eq!(webhooks["items"], json!([]), "{webhooks}");
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_source_is_deleted_while_it_comes_is_not_taken() {
    let server = TestServer::new().await;
    let source = server.post("/v1/sources", json!({"name": "account"})).await.ok();
    let url = source["url"].as_str().expect("it is shown once");
    let path = &url[url.find("/in/").expect("it is an inlet's")..];
    let pause = Duration::from_secs(10);
    let request = slowly(
        path,
        "application/json",
        ["{\"call_id\":1,", "\"state\":\"hangup\"}"],
        pause,
    );
    let delete = async {
        server.wait(Duration::from_secs(5)).await;
        let path = format!("/v1/sources/{}", source["id"].as_str().expect("ids are strings"));
        server.delete(&path).await.ok();
    };
    let (answered, ()) = tokio::join!(server.send(request), delete);
    answered.refused(404, "no source with this token");
    assert_eq!(events_kept(&server).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_only_as_good_as_the_key_that_asked_for_it() {
    let server = TestServer::new().await;
    let id = server
        .add_key(KEY, |key| ApiKey {
            rights: [Right::Read, Right::Write].into_iter().collect(),
            ..key
        })
        .await;
    let made = server
        .ask(Method::POST, "/api/v2/websockets", KEY, json!({}))
        .await
        .ok();
    let url = made["websocket_url"].as_str().expect("it is in every answer");
    let path = &url[url.find("/events/").expect("it is a websocket's")..];
    // Without an upgrade nothing is opened, but who may not listen is told that first.
    server.get(path).await.refused(400, "this address is a websocket");
    revoke_after(&server, id, 0).await;
    server.get(path).await.refused(401, "revoked or has expired");
}
