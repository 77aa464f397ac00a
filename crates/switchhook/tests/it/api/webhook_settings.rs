//! `/v1/webhooks`: settings, holding back, a test event.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::test_server::TestServer;

#[tokio::test(start_paused = true)]
async fn settings_are_changed_one_by_one_and_follow_the_server_when_cleared() {
    let server = TestServer::new().await;
    let body = json!({"hook_url": "https://example.com", "secret": "s3cret"});
    let id = server.post("/api/v2/webhooks", body).await.ok()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/webhooks/{id}");
    let before = server.get(&path).await.ok();
    insta::assert_json_snapshot!(before);
    let changed = server
        .patch(
            &path,
            json!({"profile": "dialpad", "timeout_ms": 2_000, "headers": {"X-Team": "a"}}),
        )
        .await
        .ok();
    assert_eq!(
        changed["in_force"],
        json!({
            "profile": "dialpad", "ordered": false, "max_in_flight": 64, "connect_timeout_ms": 2_000,
            "head_timeout_ms": 2_000, "timeout_ms": 2_000, "disable_after_days": 0,
        })
    );
    assert_eq!(changed["headers"], json!({"x-team": "a"}));
    let breaker = json!({"state": "closed", "failures": 0, "since": null, "next_probe_at": null});
    assert_eq!(changed["breaker"], breaker);
    let cleared = server
        .patch(
            &path,
            json!({"profile": null, "timeout_ms": null, "headers": null}),
        )
        .await
        .ok();
    assert_eq!(cleared, before);
    server
        .patch(&path, json!({"timout_ms": 5}))
        .await
        .refused(400, "unknown field `timout_ms`");
    server
        .patch(&path, json!({"profile": "lossy"}))
        .await
        .refused(400, "profile: `lossy` is not a retry profile");
    let hidden = server.patch(&path, json!({"hide_secret": true})).await.ok();
    assert_eq!(hidden["signature"], json!({"algo": "HS256", "type": "jwt"}));
    let shown = server.get(&format!("/api/v2/webhooks/{id}")).await.ok();
    assert_eq!(
        shown["signature"],
        json!({"algo": "HS256", "type": "jwt"}),
        "hidden everywhere"
    );
    assert_eq!(server.get("/v1/webhooks").await.ok()["items"], json!([hidden]));
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_is_paused_loses_nothing() {
    let server = TestServer::new().await;
    let id = server.webhook("https://example.com").await;
    server.subscribe(&id).await;
    let path = format!("/v1/webhooks/{id}");
    let paused = server.post(&format!("{path}/pause"), Value::Null).await.ok();
    assert!(paused["paused_at"].is_i64());
    server.wait(Duration::from_secs(5)).await;
    assert_eq!(
        server.post(&format!("{path}/pause"), Value::Null).await.ok()["paused_at"],
        paused["paused_at"]
    );
    server.event("call", "{\"call_id\":1}", &[]).await.ok();
    server.wait(Duration::from_secs(60)).await;
    assert!(server.network.seen().is_empty());
    assert!(server.post(&format!("{path}/resume"), Value::Null).await.ok()["paused_at"].is_null());
    server.wait(Duration::from_secs(1)).await;
    assert_eq!(server.network.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_test_event_goes_to_one_webhook_whatever_it_is_subscribed_to() {
    let server = TestServer::new().await;
    let id = server.webhook("https://example.com/tested").await;
    let other = server.webhook("https://example.com/other").await;
    server.subscribe(&other).await;
    let path = format!("/v1/webhooks/{id}/test");
    for (body, kind) in [
        (Value::Null, "call"),
        (json!({"kind": "sms"}), "sms"),
        (json!({"kind": "ChangeLog"}), "changelog"),
    ] {
        let sent = server.post(&path, body).await;
        assert_eq!(sent.status, 202);
        assert_eq!(sent.json()["kind"], kind);
        assert_eq!(sent.json()["deliveries"][0]["webhook_id"], json!(id));
    }
    server.wait(Duration::from_secs(1)).await;
    let seen = server.network.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|seen| seen.webhook_id.to_string() == id));
    server
        .post(&path, json!({"kind": "fax"}))
        .await
        .refused(400, "kind: `fax` is not a kind of event");
}

#[tokio::test(start_paused = true)]
async fn standard_webhooks_need_a_secret_that_their_libraries_can_read() {
    let server = TestServer::new().await;
    let request = json!({"hook_url": "https://example.com", "standard_webhooks": true});
    let made = server.post("/v1/webhooks", request).await;
    made.refused(400, "there is no secret");
    let request =
        json!({"hook_url": "https://example.com", "standard_webhooks": true, "secret": "a shared secret"});
    let made = server.post("/v1/webhooks", request).await.ok();
    assert_eq!(made["standard_secret"], "whsec_YSBzaGFyZWQgc2VjcmV0");
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    server
        .patch(&path, json!({"secret": null}))
        .await
        .refused(409, "there is no secret");
    server
        .patch(&path, json!({"secret": "whsec_!"}))
        .await
        .refused(409, "not base64");
    let hidden = server.patch(&path, json!({"hide_secret": true})).await.ok();
    assert_eq!(hidden["standard_secret"], Value::Null);
    let off = server
        .patch(&path, json!({"hide_secret": false, "standard_webhooks": null}))
        .await
        .ok();
    assert_eq!(off["standard_secret"], Value::Null);
    server.patch(&path, json!({"secret": "whsec_!"})).await.ok();
    server
        .patch(&path, json!({"standard_webhooks": true}))
        .await
        .refused(409, "not base64");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_go_together_is_refused_and_what_was_so_before_can_be_changed_otherwise() {
    let server = TestServer::new().await;
    let made = server
        .post(
            "/v1/webhooks",
            json!({"hook_url": "https://example.com", "secret": "s3cret"}),
        )
        .await
        .ok();
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let bearer = json!({"type": "bearer", "token": "t"});
    for (body, message) in [
        (
            json!({"standard_webhooks": true, "headers": {"Webhook-Id": "1"}}),
            "headers: `webhook-id` is made by standard_webhooks",
        ),
        (
            json!({"auth": bearer, "event_headers": {"Authorization": "{{ event.state }}"}}),
            "event_headers: `authorization` is made by auth",
        ),
        (
            json!({"idempotency_key": true, "headers": {"idempotency-key": "1"}}),
            "headers: `idempotency-key` is made by idempotency_key",
        ),
    ] {
        server.patch(&path, body.clone()).await.refused(409, message);
        let mut whole = body;
        whole["hook_url"] = json!("https://example.com/other");
        whole["secret"] = json!("s3cret");
        server.post("/v1/webhooks", whole).await.refused(400, message);
    }
    let fine = json!({"headers": {"authorization": "Digest x", "webhook-id": "1"}});
    server.patch(&path, fine).await.ok();
    server
        .patch(&path, json!({"auth": bearer}))
        .await
        .refused(409, "headers: `authorization` is made by auth");
    server.patch(&path, json!({"rate": 5})).await.ok();
}

#[tokio::test(start_paused = true)]
async fn a_template_is_checked_when_it_is_set_and_previewed_with_a_real_event() {
    let server = TestServer::new().await;
    let request = json!({"hook_url": "https://example.com", "template": "slack-missed-call"});
    let made = server.post("/v1/webhooks", request).await.ok();
    assert_eq!(made["template"], "slack-missed-call");
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    for (template, message) in [
        (
            "slack-nothing",
            "template: there is no ready template `slack-nothing`: use one of discord-call,",
        ),
        ("{\n{{ event", "template: line 2: "),
    ] {
        server
            .patch(&path, json!({"template": template}))
            .await
            .refused(400, message);
    }
    let preview = async |body: Value| server.post(&format!("{path}/preview"), body).await.ok();
    let sample = preview(json!({})).await;
    assert_eq!(
        (&sample["event_id"], &sample["error"]),
        (&Value::Null, &Value::Null)
    );
    let call = r#"{"call_id": 1, "state": "missed", "contact": {"name": "Zoë", "phone": "+14155550100"}}"#;
    let event = server.event("call", call, &[]).await.ok()["id"].clone();
    let real = preview(json!({})).await;
    assert_eq!(real["event_id"], event);
    assert_eq!(
        real["body"].as_str().unwrap().trim_end(),
        r#"{"text": "Missed call from Zoë (+14155550100)"}"#
    );
    let other =
        preview(json!({"template": "{{ event.state }}", "content_type": "text/plain", "event_id": event}))
            .await;
    assert_eq!(
        (&other["body"], &other["content_type"]),
        (&json!("missed"), &json!("text/plain"))
    );
    let wrong = preview(json!({"template": "{{ event.state }}"})).await;
    assert_eq!(
        (&wrong["body"], &wrong["error"]),
        (
            &Value::Null,
            &json!("line 1 of what it makes is not JSON: expected value")
        )
    );
    server
        .post(&format!("{path}/preview"), json!({"kind": "unknown"}))
        .await
        .refused(409, "there is no event of kind `unknown`");
    server
        .post("/v1/erasures", json!({"number": "+14155550100"}))
        .await
        .ok();
    server
        .post(&format!("{path}/preview"), json!({"event_id": event}))
        .await
        .refused(409, "was removed, so nothing can be made of it");
}

#[tokio::test(start_paused = true)]
async fn credentials_towards_the_receiver_are_masked_for_everybody_and_stay_when_the_mask_comes_back() {
    let server = TestServer::new().await;
    let auth = json!({"type": "basic", "username": "us", "password": "hunter2"});
    let request = json!({"hook_url": "https://example.com", "auth": auth});
    let made = server.post("/v1/webhooks", request).await.ok();
    let masked = json!({"type": "basic", "username": "us", "password": "***"});
    assert_eq!(made["auth"], masked);
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let changed = server.patch(&path, json!({"auth": masked, "rate": 5})).await.ok();
    assert_eq!(changed["auth"], masked);
    server.subscribe(made["id"].as_str().unwrap()).await;
    server.event("call", "{\"call_id\":1}", &[]).await.ok();
    server.wait(Duration::from_secs(1)).await;
    let seen = server.network.seen();
    assert_eq!(
        seen[0].headers["authorization"], "Basic dXM6aHVudGVyMg==",
        "the mask kept it"
    );
    for (auth, message) in [
        (
            json!({"type": "bearer", "token": "***"}),
            "auth: *** keeps the value that is set",
        ),
        (json!({"type": "bearer", "token": ""}), "auth: token is empty"),
        (json!({"type": "digest"}), "auth"),
        (
            json!({"type": "mtls", "cert": "x", "key": "y"}),
            "auth.cert: there is no certificate in it",
        ),
        (
            json!({"type": "oauth2", "token_url": "ftp://x", "client_id": "a", "client_secret": "b"}),
            "auth.token_url",
        ),
    ] {
        server
            .patch(&path, json!({ "auth": auth }))
            .await
            .refused(400, message);
    }
    server
        .patch(&path, json!({"ca": "none"}))
        .await
        .refused(400, "ca: write certificates as PEM");
    let none = server.patch(&path, json!({"auth": null})).await.ok();
    assert_eq!(none["auth"], Value::Null);
}
