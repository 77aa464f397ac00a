//! `/api/v2/subscriptions/{kind}`: all five kinds.

use serde_json::{Value, json};

use crate::support::test_server::TestServer;

/// One kind: what makes one, what it answers (without id and webhook), what changes it, what that answers.
struct Example {
    kind: &'static str,
    create: Value,
    created: Value,
    patch: Value,
    patched: Value,
}

fn examples() -> [Example; 5] {
    [
        Example {
            kind: "call",
            create: json!({"call_states": ["hangup", "ringing"], "target_type": "office", "target_id": "77"}),
            created: json!({
                "call_states": ["hangup", "ringing"], "enabled": true, "group_calls_only": false,
                "target_id": "77", "target_type": "office",
            }),
            patch: json!({"group_calls_only": true, "call_states": null, "target_type": null, "target_id": null}),
            patched: json!({"call_states": [], "enabled": true, "group_calls_only": true}),
        },
        Example {
            kind: "sms",
            create: json!({"direction": "all", "target_id": 9_007_199_254_740_993_i64, "target_type": "user"}),
            created: json!({
                "direction": "all", "enabled": true, "include_internal": false, "status": false,
                "target_id": "9007199254740993", "target_type": "user",
            }),
            patch: json!({"direction": "inbound", "status": true}),
            patched: json!({
                "direction": "inbound", "enabled": true, "include_internal": false, "status": true,
                "target_id": "9007199254740993", "target_type": "user",
            }),
        },
        Example {
            kind: "agent_status",
            create: json!({"agent_type": "callcenter", "enabled": false}),
            created: json!({"agent_type": "callcenter", "enabled": false}),
            patch: json!({"enabled": true}),
            patched: json!({"agent_type": "callcenter", "enabled": true}),
        },
        Example {
            kind: "contact",
            create: json!({"contact_type": "local"}),
            created: json!({"contact_type": "local", "enabled": true}),
            patch: json!({"contact_type": "shared", "enabled": false}),
            patched: json!({"contact_type": "shared", "enabled": false}),
        },
        Example {
            kind: "changelog",
            create: json!({}),
            created: json!({"enabled": true}),
            patch: json!({"enabled": false}),
            patched: json!({"enabled": false}),
        },
    ]
}

fn with(mut object: Value, more: &Value) -> Value {
    let members = object.as_object_mut().expect("it is an object");
    members.extend(more.as_object().expect("it is an object").clone());
    object
}

#[tokio::test(start_paused = true)]
async fn every_kind_is_made_shown_changed_and_deleted() {
    let server = TestServer::new().await;
    let endpoint = json!({"hook_url": "https://example.com", "secret": "s3cret"});
    let webhook = server.post("/api/v2/webhooks", endpoint).await.ok();
    for Example {
        kind,
        create,
        created,
        patch,
        patched,
    } in examples()
    {
        let path = format!("/api/v2/subscriptions/{kind}");
        assert_eq!(server.get(&path).await.ok(), json!({"items": []}), "{kind}");
        let made = server
            .post(&path, with(create, &json!({"endpoint_id": webhook["id"]})))
            .await;
        assert_eq!(made.status, 200, "{kind}: {made:?}");
        let id = made.json()["id"].clone();
        let expected = with(created, &json!({"id": id, "webhook": webhook}));
        assert_eq!(made.json(), expected, "{kind}");
        let one = format!("{path}/{}", id.as_str().expect("ids are strings"));
        assert_eq!(server.get(&one).await.ok(), expected, "{kind}");
        assert_eq!(
            server.get(&path).await.ok(),
            json!({"items": [expected]}),
            "{kind}"
        );
        let expected = with(patched, &json!({"id": id, "webhook": webhook}));
        assert_eq!(server.patch(&one, patch).await.ok(), expected, "{kind}");
        assert_eq!(
            server.delete(&one).await.ok(),
            expected,
            "{kind}: DELETE answers what it was"
        );
        server
            .get(&one)
            .await
            .refused(404, "there is no such subscription");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_named_in_both_spellings_and_as_text_or_number() {
    let server = TestServer::new().await;
    let path = "/api/v2/subscriptions/changelog";
    let webhook = server.webhook("https://example.com").await;
    let number: i64 = webhook.parse().unwrap();
    for endpoint in [
        json!({"endpoint_id": webhook}),
        json!({"endpoint_id": number}),
        json!({"webhook_id": webhook}),
        json!({"webhook_id": number}),
        json!({"webhook_id": webhook, "endpoint_id": number}),
    ] {
        let made = server.post(path, endpoint.clone()).await.ok();
        assert_eq!(made["webhook"]["id"], json!(webhook), "{endpoint}");
        server
            .delete(&format!("{path}/{}", made["id"].as_str().unwrap()))
            .await
            .ok();
    }
}

#[tokio::test(start_paused = true)]
async fn null_clears_what_is_optional() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com").await;
    let id = server.subscribe(&webhook).await;
    let path = format!("/api/v2/subscriptions/call/{id}");
    server
        .patch(&path, json!({"enabled": false, "group_calls_only": true}))
        .await
        .ok();
    let cleared = server
        .patch(
            &path,
            json!({"enabled": null, "group_calls_only": null, "endpoint_id": null}),
        )
        .await;
    let expected =
        json!({"id": id, "call_states": [], "enabled": true, "group_calls_only": false, "webhook": null});
    assert_eq!(cleared.ok(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_calls_or_messages_can_be_narrowed_to_a_target() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com").await;
    let path = "/api/v2/subscriptions/call";
    for (target_type, id) in [("office", 1), ("office", 2), ("user", 1)] {
        let body = json!({"endpoint_id": webhook, "target_type": target_type, "target_id": id});
        server.post(path, body).await.ok();
    }
    for (query, count) in [
        ("", 3),
        ("?target_type=&target_id=", 3),
        ("?target_type=office", 2),
        ("?target_id=1", 2),
        ("?target_type=office&target_id=1", 1),
        ("?target_type=room", 0),
    ] {
        let page = server.get(&format!("{path}{query}")).await.ok();
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_filter_for_the_same_webhook_is_a_conflict_whether_enabled_or_not() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com").await;
    let path = "/api/v2/subscriptions/sms";
    server
        .post(path, json!({"direction": "all", "endpoint_id": webhook}))
        .await
        .ok();
    let again = json!({"direction": "all", "endpoint_id": webhook, "enabled": false});
    server
        .post(path, again)
        .await
        .refused(409, "already sends the same events");
    let other = json!({"direction": "inbound", "endpoint_id": webhook});
    let other = server.post(path, other).await.ok()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    server
        .patch(&format!("{path}/{other}"), json!({"direction": "all"}))
        .await
        .refused(409, "already sends");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_sees_what_the_key_that_made_it_may_see() {
    let server = TestServer::new().await;
    server.add_key("shk_plain", |key| key).await;
    let webhook = server.webhook("https://example.com").await;
    let body = json!({"endpoint_id": webhook});
    server
        .ask(
            http::Method::POST,
            "/api/v2/subscriptions/call",
            "shk_plain",
            body,
        )
        .await
        .ok();
    let event = r#"{"call_id":1,"state":"recording","recording_url":["https://example.com/r"]}"#;
    let accepted = server.event("call", event, &[]).await.ok();
    let delivery = accepted["deliveries"][0]["id"].as_str().unwrap();
    let delivery = server.get(&format!("/v1/deliveries/{delivery}")).await.ok();
    assert_eq!(delivery["hidden"], json!(["recordings"]));
}
