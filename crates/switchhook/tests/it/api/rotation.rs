//! `rotate-secret`: what is signed with what, what is shown, and until when the old one counts.

use std::time::Duration;

use serde_json::{Value, json};
use switchhook_node::settings::Settings;
use switchhook_protocol::{key_id, verify};

use crate::support::test_server::TestServer;

const LONG: &str = "a secret that is long enough for anybody, and then some";

async fn signed_webhook(server: &TestServer, secret: &str) -> String {
    let body = json!({"hook_url": "https://example.com", "secret": secret});
    let made = server.post("/api/v2/webhooks", body).await.ok();
    let id = made["id"].as_str().expect("it is there").to_owned();
    server.subscribe(&id).await;
    id
}

/// The token of the next delivery, and the header of it.
async fn next_token(server: &TestServer) -> (Vec<u8>, Value) {
    let before = server.network.seen().len();
    server
        .event("call", r#"{"call_id":1,"state":"hangup"}"#, &[])
        .await
        .ok();
    server.wait(Duration::from_secs(1)).await;
    let seen = server.network.seen();
    assert_eq!(seen.len(), before + 1);
    let token = seen.last().expect("it is there").body.to_vec();
    let header = token.split(|byte| *byte == b'.').next().expect("it is there");
    let header = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, header)
        .expect("it is there");
    (
        token.clone(),
        serde_json::from_slice(&header).expect("it is there"),
    )
}

#[tokio::test(start_paused = true)]
async fn a_rotation_signs_with_the_new_secret_at_once_and_keeps_the_old_one_for_a_while() {
    let server = TestServer::new().await;
    let id = signed_webhook(&server, LONG).await;
    let path = format!("/v1/webhooks/{id}");
    let rotated = server
        .post(&format!("{path}/rotate-secret"), json!({"overlap": "2h"}))
        .await
        .ok();
    let secret = rotated["signature"]["secret"].as_str().unwrap();
    assert!(secret.len() >= 32 && secret != LONG);
    assert_eq!(rotated["kid"], key_id(secret));
    assert_eq!(rotated["old_secrets"][0]["kid"], key_id(LONG));
    assert_eq!(rotated["old_secrets"][0]["secret"], LONG);
    assert_eq!(rotated["warnings"], json!([]));

    let (token, header) = next_token(&server).await;
    assert!(verify(&token, [secret]).is_ok());
    assert_eq!(
        header,
        json!({"alg": "HS256", "typ": "JWT"}),
        "no kid unless it is asked for"
    );

    server.wait(Duration::from_secs(7_000)).await;
    assert_eq!(
        server.get(&path).await.ok()["old_secrets"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    server.wait(Duration::from_secs(300)).await;
    assert_eq!(
        server.get(&path).await.ok()["old_secrets"],
        json!([]),
        "the overlap has ended"
    );
}

#[tokio::test(start_paused = true)]
async fn the_kid_is_announced_if_asked_for_and_stays_so() {
    let server = TestServer::new().await;
    let id = signed_webhook(&server, LONG).await;
    let path = format!("/v1/webhooks/{id}/rotate-secret");
    let body = json!({"secret": "short and mine", "announce_kid": true, "overlap": "0s"});
    let rotated = server.post(&path, body).await.ok();
    assert_eq!(rotated["old_secrets"], json!([]));
    assert!(
        rotated["warnings"][0].as_str().unwrap().contains("14 bytes"),
        "{rotated}"
    );
    let (token, header) = next_token(&server).await;
    assert_eq!(header["kid"], key_id("short and mine"));
    assert!(verify(&token, ["short and mine"]).is_ok());
    server.post(&path, Value::Null).await.ok();
    assert!(next_token(&server).await.1["kid"].is_string());
    let shown = server.get(&format!("/api/v2/webhooks/{id}")).await.ok();
    assert_eq!(
        shown.as_object().unwrap().len(),
        3,
        "Dialpad's answer has no more members: {shown}"
    );
}

#[tokio::test(start_paused = true)]
async fn mistakes_in_a_rotation_name_their_field_and_change_nothing() {
    let server = TestServer::new().await;
    let id = signed_webhook(&server, LONG).await;
    let path = format!("/v1/webhooks/{id}/rotate-secret");
    for (body, message) in [
        (json!({"overlap": "soon"}), "overlap: `soon`"),
        (json!({"overlap": "91d"}), "at most 90 days"),
        (json!({"secret": ""}), "secret is empty"),
        (json!({"secrte": "x"}), "unknown field"),
    ] {
        server.post(&path, body).await.refused(400, message);
    }
    assert_eq!(
        server.get(&format!("/v1/webhooks/{id}")).await.ok()["signature"]["secret"],
        LONG
    );
    server
        .post("/v1/webhooks/99/rotate-secret", Value::Null)
        .await
        .refused(404, "no such webhook");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hides_secrets_shows_only_one_that_it_made_up_and_that_once() {
    let server = TestServer::with(Settings {
        hide_secrets: true,
        ..Settings::default()
    })
    .await;
    let id = signed_webhook(&server, LONG).await;
    let path = format!("/v1/webhooks/{id}");
    let rotated = server
        .post(&format!("{path}/rotate-secret"), Value::Null)
        .await
        .ok();
    let secret = rotated["signature"]["secret"].as_str().unwrap().to_owned();
    let given = server
        .post(&format!("{path}/rotate-secret"), json!({"secret": LONG}))
        .await
        .ok();
    for path in [
        path,
        format!("/api/v2/webhooks/{id}"),
        "/api/v2/webhooks".into(),
        "/v1/webhooks".into(),
        "/api/v2/subscriptions/call".into(),
    ] {
        let shown = server.get(&path).await.ok().to_string();
        assert!(
            !shown.contains(LONG) && !shown.contains(&secret),
            "{path}: {shown}"
        );
    }
    assert!(
        !given.to_string().contains(LONG) && !given.to_string().contains(&secret),
        "{given}"
    );
}
