//! Whoever changes where something goes must be allowed everything that goes there; and what a key reads is bounded the
//! same way. Each way around it is tried with a key that may do everything but see what is privileged.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use switchhook_domain::key::{ApiKey, Rights};
use switchhook_domain::scope::Scopes;
use switchhook_node::settings::Settings;

use crate::support::rig::Reaction;
use crate::support::test_server::{ADMIN, TestServer};

/// May read, write and send in, and has no scope.
const PLAIN: &str = "shk_plain";

/// An admin's without a scope.
const UNSCOPED: &str = "shk_unscoped";

/// May only look, and see everything.
const LOOKER: &str = "shk_looker";

/// May read, write and send in, and has the scope for messages with a target.
const TARGETED: &str = "shk_targeted";

async fn server(settings: Settings) -> TestServer {
    with_keys(TestServer::with(settings).await).await
}

async fn with_keys(server: TestServer) -> TestServer {
    server.add_key(PLAIN, |key| key).await;
    server
        .add_key(UNSCOPED, |key| ApiKey { admin: true, ..key })
        .await;
    server
        .add_key(LOOKER, |key| ApiKey {
            rights: "read".parse::<Rights>().expect("it is a right"),
            scopes: Scopes::ALL,
            ..key
        })
        .await;
    server
        .add_key(TARGETED, |key| ApiKey {
            scopes: "message_content_export".parse().expect("it is a scope"),
            ..key
        })
        .await;
    server
}

async fn make(server: &TestServer, key: &str, path: &str, body: Value) -> String {
    let made = server.ask(Method::POST, path, key, body).await.ok();
    made["id"].as_str().expect("ids are strings").to_owned()
}

async fn subscribe(server: &TestServer, key: &str, kind: &str, endpoint: &str) -> String {
    let mut body = json!({ "endpoint_id": endpoint });
    match kind {
        "sms" => body["direction"] = json!("all"),
        "agent_status" => body["agent_type"] = json!("callcenter"),
        "contact" => body["contact_type"] = json!("shared"),
        _ => {}
    }
    make(server, key, &format!("/api/v2/subscriptions/{kind}"), body).await
}

/// An event of each kind with something in it that not everybody may see.
const EVENTS: [(&str, &str); 5] = [
    (
        "call",
        r#"{"call_id":1,"state":"recording","recording_url":["https://example.com/SEEN"]}"#,
    ),
    (
        "sms",
        r#"{"id":2,"direction":"inbound","message_status":"pending","text":"SEEN","from_number":"+12025550171"}"#,
    ),
    (
        "agent_status",
        r#"{"on_duty_status":"available","target":{"id":1,"type":"user","name":"SEEN"}}"#,
    ),
    (
        "contact",
        r#"{"event":"Updated","contact":{"id":"c","type":"shared","name":"SEEN"}}"#,
    ),
    (
        "changelog",
        r#"{"date":1,"action":"x","note":"SEEN","changed_by":{"id":1}}"#,
    ),
];

/// Scopes that a subscription of each kind needs beside the right to write, if an admin with all scopes made it.
const NEEDS: [(&str, &str); 5] = [
    ("call", "the scope recordings_export"),
    ("sms", "the scope message_content_export:all"),
    ("agent_status", "an admin's key"),
    ("contact", "an admin's key"),
    ("changelog", "an admin's key and the scope change_log"),
];

#[tokio::test(start_paused = true)]
async fn a_webhook_is_moved_and_signed_otherwise_by_who_may_see_all_that_goes_there() {
    for (kind, needs) in NEEDS {
        let server = server(Settings::default()).await;
        let webhook = server.webhook("https://example.com/hook").await;
        let subscription = subscribe(&server, ADMIN, kind, &webhook).await;
        let v2 = format!("/api/v2/webhooks/{webhook}");
        let v1 = format!("/v1/webhooks/{webhook}");
        let rotate = format!("{v1}/rotate-secret");
        let ways = [
            (
                Method::PATCH,
                &v2,
                json!({"hook_url": "https://example.com/mine"}),
            ),
            (Method::PATCH, &v2, json!({"secret": "mine"})),
            (
                Method::PATCH,
                &v2,
                json!({"secret": "mine", "hook_url": "https://example.com/hook"}),
            ),
            (Method::PATCH, &v1, json!({"headers": {"x-tenant": "mine"}})),
            (Method::POST, &rotate, json!({})),
            (Method::POST, &rotate, json!({"secret": "mine"})),
        ];
        for (method, path, body) in &ways {
            let refused = server.ask(method.clone(), path, PLAIN, body.clone()).await;
            refused.refused(403, needs);
            refused.refused(403, &format!("{kind} subscription {subscription}"));
            refused.refused(403, &format!("webhook {webhook}"));
        }
        // What changes neither stays open.
        let same = json!({"hook_url": "https://example.com/hook"});
        server.ask(Method::PATCH, &v2, PLAIN, same).await.ok();
        for (method, path, body) in ways {
            server.ask(method, path, ADMIN, body).await.ok();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_pointed_elsewhere_widened_and_enabled_by_who_may_see_what_it_sends() {
    for (kind, needs) in [NEEDS[0], NEEDS[1]] {
        let server = server(Settings::default()).await;
        let webhook = server.webhook("https://example.com/hook").await;
        let own = make(
            &server,
            PLAIN,
            "/api/v2/webhooks",
            json!({"hook_url": "https://example.com/mine"}),
        )
        .await;
        let websocket = make(&server, PLAIN, "/api/v2/websockets", json!({})).await;
        let id = subscribe(&server, ADMIN, kind, &webhook).await;
        let path = format!("/api/v2/subscriptions/{kind}/{id}");
        for body in [
            json!({"endpoint_id": own}),
            json!({"endpoint_id": websocket}),
            json!({"target_type": "office", "target_id": 5}),
        ] {
            let refused = server.ask(Method::PATCH, &path, PLAIN, body).await;
            refused.refused(403, needs);
            refused.refused(403, &format!("{kind} subscription {id}"));
        }
        server
            .ask(Method::PATCH, &path, PLAIN, json!({"enabled": false}))
            .await
            .ok();
        let enabled = server
            .ask(Method::PATCH, &path, PLAIN, json!({"enabled": true}))
            .await;
        enabled.refused(403, needs);
        let moved = server
            .patch(&path, json!({"endpoint_id": own, "enabled": true}))
            .await;
        assert_eq!(moved.ok()["webhook"]["id"], own.as_str());
        server
            .ask(Method::DELETE, &path, PLAIN, Value::Null)
            .await
            .refused(403, needs);
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_sends_nothing_that_its_maker_may_not_see() {
    let server = server(Settings::default()).await;
    let webhook = server.webhook("https://example.com/hook").await;
    for (kind, body) in EVENTS {
        subscribe(&server, ADMIN, kind, &webhook).await;
        server.event(kind, body, &[]).await.ok();
    }
    server.wait(Duration::from_secs(2)).await;
    let own = make(
        &server,
        PLAIN,
        "/api/v2/webhooks",
        json!({"hook_url": "https://example.com/mine"}),
    )
    .await;
    for (kind, needs) in &NEEDS[2..] {
        let wish = json!({"filter": {"kind": kind, "since": 0}, "to": {"url": "https://example.com/x"}});
        let refused = server.ask(Method::POST, "/v1/replays", PLAIN, wish).await;
        refused.refused(403, needs);
    }
    let destinations = [
        json!({"url": "https://example.com/x"}),
        json!({"webhook_id": own}),
        json!({"webhook_id": webhook}),
        Value::Null,
    ];
    for to in destinations {
        // Where no subscription leads, none says that recordings and texts may be shown.
        let all = if to == json!({"webhook_id": own}) { 3 } else { 5 };
        for (key, count, seen) in [(PLAIN, 2, 0), (UNSCOPED, 4, 2), (ADMIN, 5, all)] {
            let before = server.network.seen().len();
            let wish = json!({"filter": {"since": 0}, "to": to});
            let made = server.ask(Method::POST, "/v1/replays", key, wish).await.ok();
            server.wait(Duration::from_secs(10)).await;
            let arrived = server.network.seen().split_off(before);
            let shown = arrived
                .iter()
                .filter(|one| String::from_utf8_lossy(&one.body).contains("SEEN"));
            assert_eq!((arrived.len(), shown.count()), (count, seen), "{key} to {to}");
            assert_eq!(made["progress"]["total"], count, "{key} to {to}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_sent_again_by_who_may_see_what_it_shows() {
    let server = server(Settings::default()).await;
    let webhook = server.webhook("https://example.com/hook").await;
    for ((kind, body), (_, needs)) in EVENTS.into_iter().zip(NEEDS) {
        subscribe(&server, ADMIN, kind, &webhook).await;
        let event = server.event(kind, body, &[]).await.ok();
        let path = format!(
            "/v1/deliveries/{}",
            event["deliveries"][0]["id"].as_str().unwrap()
        );
        let again = format!("{path}/redeliver");
        server.wait(Duration::from_secs(1)).await;
        let refused = server.ask(Method::POST, &again, PLAIN, Value::Null).await;
        // A kind that may not be seen is refused before its content.
        refused.refused(403, needs);
        server.post(&again, Value::Null).await.ok();
    }
}

#[tokio::test(start_paused = true)]
async fn the_scope_for_targets_is_enough_for_what_a_subscription_with_a_target_sent() {
    let server = server(Settings::default()).await;
    let webhook = make(
        &server,
        TARGETED,
        "/api/v2/webhooks",
        json!({"hook_url": "https://example.com/hook"}),
    )
    .await;
    let body = json!({"endpoint_id": webhook, "direction": "all", "target_type": "office", "target_id": 5});
    make(&server, TARGETED, "/api/v2/subscriptions/sms", body).await;
    let sms = r#"{"id":2,"direction":"inbound","text":"SEEN","target":{"id":5,"type":"office"}}"#;
    let event = server.event("sms", sms, &[]).await.ok();
    server.wait(Duration::from_secs(1)).await;
    let again = format!(
        "/v1/deliveries/{}/redeliver",
        event["deliveries"][0]["id"].as_str().unwrap()
    );
    server
        .ask(Method::POST, &again, PLAIN, Value::Null)
        .await
        .refused(403, "message_content_export");
    server.ask(Method::POST, &again, TARGETED, Value::Null).await.ok();
    let wish = json!({"filter": {"since": 0}});
    server.ask(Method::POST, "/v1/replays", TARGETED, wish).await.ok();
    let moved = json!({"hook_url": "https://example.com/new"});
    server
        .ask(
            Method::PATCH,
            &format!("/api/v2/webhooks/{webhook}"),
            TARGETED,
            moved,
        )
        .await
        .ok();
    server.wait(Duration::from_secs(10)).await;
    let seen = server.network.seen();
    assert_eq!(seen.len(), 3);
    assert!(
        seen.iter()
            .all(|one| String::from_utf8_lossy(&one.body).contains("SEEN"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_waits_for_a_webhook_counts_as_what_goes_there() {
    let server = TestServer::reacting(Settings::default(), |_| Reaction::Answer(500)).await;
    let server = with_keys(server).await;
    let body = json!({"hook_url": "https://example.com/hook", "secret": "S3CRET"});
    let webhook = make(&server, ADMIN, "/api/v2/webhooks", body).await;
    let path = format!("/api/v2/webhooks/{webhook}");
    let moved = json!({"hook_url": "https://example.com/mine"});
    let shows_secret = async || {
        let mut shown = vec![];
        for path in ["/api/v2/webhooks", &path, "/v1/webhooks"] {
            let answer = server.ask(Method::GET, path, PLAIN, Value::Null).await.ok();
            shown.push(answer.to_string().contains("S3CRET"));
        }
        shown
    };
    let subscription = subscribe(&server, ADMIN, "changelog", &webhook).await;
    let event = server.event("changelog", EVENTS[4].1, &[]).await.ok();
    server.wait(Duration::from_secs(1)).await;
    server
        .delete(&format!("/api/v2/subscriptions/changelog/{subscription}"))
        .await
        .ok();
    assert_eq!(shows_secret().await, [false; 3], "it signs what waits");
    let delivery = event["deliveries"][0]["id"].as_str().unwrap();
    let refused = server.ask(Method::PATCH, &path, PLAIN, moved.clone()).await;
    refused.refused(403, &format!("changelog delivery {delivery}"));
    server
        .post(&format!("/v1/deliveries/{delivery}/cancel"), Value::Null)
        .await
        .ok();
    assert_eq!(shows_secret().await, [true; 3]);
    server.ask(Method::PATCH, &path, PLAIN, moved).await.ok();
}

#[tokio::test(start_paused = true)]
async fn what_a_replay_will_still_send_to_a_webhook_counts_as_what_goes_there() {
    let server = server(Settings::default()).await;
    let webhook = server.webhook("https://example.com/hook").await;
    let other = server.webhook("https://example.com/other").await;
    for _ in 0..3 {
        server.event("changelog", EVENTS[4].1, &[]).await.ok();
    }
    let wish = json!({"filter": {"since": 0}, "to": {"webhook_id": webhook}, "rate": 0.001});
    let replay = make(&server, ADMIN, "/v1/replays", wish).await;
    server.wait(Duration::from_secs(10)).await;
    assert_eq!(server.network.seen().len(), 1, "the others are not made yet");
    let moved = json!({"hook_url": "https://example.com/mine"});
    let path = format!("/api/v2/webhooks/{webhook}");
    let refused = server.ask(Method::PATCH, &path, PLAIN, moved.clone()).await;
    refused.refused(
        403,
        &format!("replay {replay}, which is running, needs an admin's key"),
    );
    let elsewhere = json!({"hook_url": "https://example.com/elsewhere"});
    server
        .ask(
            Method::PATCH,
            &format!("/api/v2/webhooks/{other}"),
            PLAIN,
            elsewhere,
        )
        .await
        .ok();
    server.delete(&format!("/v1/replays/{replay}")).await.ok();
    server.ask(Method::PATCH, &path, PLAIN, moved).await.ok();
}

#[tokio::test(start_paused = true)]
async fn the_address_of_a_websocket_is_for_who_may_hear_all_that_is_told_there() {
    let server = server(Settings::default()).await;
    let websocket = make(&server, ADMIN, "/api/v2/websockets", json!({"secret": "s3cret"})).await;
    let path = format!("/api/v2/websockets/{websocket}");
    assert!(server.ask(Method::GET, &path, PLAIN, Value::Null).await.ok()["websocket_url"].is_string());
    let subscription = subscribe(&server, ADMIN, "call", &websocket).await;
    for (method, body) in [
        (Method::GET, Value::Null),
        (Method::PATCH, json!({"secret": "mine"})),
    ] {
        let refused = server.ask(method, &path, PLAIN, body).await;
        refused.refused(403, &format!("call subscription {subscription}"));
    }
    let shown = format!("/api/v2/subscriptions/call/{subscription}");
    for path in ["/api/v2/websockets", "/api/v2/subscriptions/call", &shown] {
        let text = |answer: Value| answer.to_string();
        let plain = text(server.ask(Method::GET, path, PLAIN, Value::Null).await.ok());
        assert!(plain.contains(&websocket), "{plain}");
        assert!(
            !plain.contains("/events/") && !plain.contains("s3cret"),
            "{plain}"
        );
        let admin = text(server.get(path).await.ok());
        assert!(admin.contains("/events/") && admin.contains("s3cret"), "{admin}");
        let looker = text(server.ask(Method::GET, path, LOOKER, Value::Null).await.ok());
        assert!(
            looker.contains("/events/") && !looker.contains("s3cret"),
            "{looker}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_read_is_bounded_by_kind_and_scope() {
    let server = server(Settings::default()).await;
    let webhook = server.webhook("https://example.com/hook").await;
    for ((kind, body), (_, needs)) in EVENTS.into_iter().zip(NEEDS) {
        subscribe(&server, ADMIN, kind, &webhook).await;
        let event = server.event(kind, body, &[]).await.ok();
        server.wait(Duration::from_secs(1)).await;
        let id = event["id"].as_str().unwrap();
        let delivery = event["deliveries"][0]["id"].as_str().unwrap();
        let is_closed = needs.contains("admin");
        for path in [
            format!("/v1/events/{id}"),
            format!("/v1/events/{id}/explain"),
            format!("/v1/deliveries/{delivery}"),
            format!("/v1/events?kind={kind}"),
            format!("/v1/deliveries?kind={kind}"),
        ] {
            let answered = server.ask(Method::GET, &path, PLAIN, Value::Null).await;
            if is_closed {
                answered.refused(403, needs);
            } else {
                assert!(!answered.ok().to_string().contains("SEEN"), "{path}");
            }
            server.get(&path).await.ok();
        }
        let whole = server.get(&format!("/v1/events/{id}")).await.ok();
        assert!(whole["payload"].to_string().contains("SEEN"), "{whole}");
    }
    for (key, kinds) in [(PLAIN, 2), (UNSCOPED, 4), (LOOKER, 2), (ADMIN, 5)] {
        for path in ["/v1/events", "/v1/deliveries"] {
            let list = server.ask(Method::GET, path, key, Value::Null).await.ok();
            assert_eq!(list["items"].as_array().unwrap().len(), kinds, "{key} at {path}");
        }
    }
    let call = server
        .ask(Method::GET, "/v1/events?kind=call", PLAIN, Value::Null)
        .await
        .ok();
    let explain = format!("/v1/events/{}/explain", call["items"][0]["id"].as_str().unwrap());
    let explained = server.ask(Method::GET, &explain, PLAIN, Value::Null).await.ok();
    assert_eq!(explained["items"].as_array().unwrap().len(), 2, "{explained}");
    let stream = server
        .ask(Method::GET, "/v1/stream?kind=contact", PLAIN, Value::Null)
        .await;
    stream.refused(403, "an admin's key");
}

#[tokio::test(start_paused = true)]
async fn the_mask_covers_what_the_api_shows_of_events() {
    let settings = Settings {
        mask: "numbers,text".parse().unwrap(),
        ..Settings::default()
    };
    let server = server(settings).await;
    let event = server.event("sms", EVENTS[1].1, &[]).await.ok();
    let shown = server
        .get(&format!("/v1/events/{}", event["id"].as_str().unwrap()))
        .await
        .ok();
    let payload = shown["payload"].to_string();
    assert!(
        !payload.contains("SEEN") && !payload.contains("5550171"),
        "{payload}"
    );
    let odd = r#"{"call_id":1,"contact":{"phone":12025550171},"to_number":[-12025550171]}"#;
    let event = server.event("call", odd, &[]).await.ok();
    let path = format!("/v1/events/{}", event["id"].as_str().unwrap());
    let shown = server.get(&path).await.ok();
    assert!(!shown["payload"].to_string().contains("5550171"), "{shown}");
    let ringing = r#"{"call_id":1,"state":"ringing","contact":{"phone":"+12025550171"}}"#;
    server.event("call", ringing, &[]).await.ok();
    let listed = server.get("/v1/events").await.ok();
    assert_eq!(listed["items"][0]["summary"], "ringing, +•••••••••71");
    // Strangers are called by their numbers, and what somebody noted may have them anywhere.
    let named = r#"{"call_id":6412345678901248,"event_timestamp":1795624039404,"contact":{"name":"(202) 555-0171"},"caller":12025550171,"direction":"+12025550171","custom_data":{"notes":["ring 202.555.0171"]}}"#;
    let contact = r#"{"event":"update","contact":{"id":"+12025550171"}}"#;
    for (kind, body) in [("call", named), ("contact", contact)] {
        let event = server
            .event(
                kind,
                body,
                &[("idempotency-key", &format!("{kind}:202-555-0171"))],
            )
            .await
            .ok();
        let path = format!("/v1/events/{}", event["id"].as_str().unwrap());
        let shown = server.get(&path).await.ok().to_string();
        let is_hidden = ["5550171", "555-0171", "555.0171"]
            .iter()
            .all(|part| !shown.contains(part));
        assert!(is_hidden, "{shown}");
        assert!(kind == "contact" || shown.contains("6412345678901248") && shown.contains("1795624039404"));
    }
    // Whoever may only look gets no more from the feed or a websocket; whoever may write could have it delivered.
    server
        .ask(Method::PUT, "/v1/consumers/one", ADMIN, json!({}))
        .await
        .ok();
    for path in ["/v1/feed", "/v1/consumers/one/feed"] {
        let looked = server.ask(Method::GET, path, LOOKER, Value::Null).await.ok();
        let text = looked["items"].to_string();
        assert!(!text.contains("SEEN") && !text.contains("555"), "{text}");
        assert!(text.contains("6412345678901248"), "{text}");
        let written = server.get(path).await.ok()["items"].to_string();
        assert!(
            written.contains("SEEN") && written.contains("+12025550171"),
            "{written}"
        );
    }
    let websocket = make(&server, ADMIN, "/api/v2/websockets", json!({})).await;
    let subscription = subscribe(&server, ADMIN, "sms", &websocket).await;
    let path = format!("/api/v2/websockets/{websocket}");
    let refused = server.ask(Method::GET, &path, LOOKER, Value::Null).await;
    refused.refused(403, "this server masks");
    for path in [
        "/api/v2/websockets",
        &format!("/api/v2/subscriptions/sms/{subscription}"),
    ] {
        let looked = server.ask(Method::GET, path, LOOKER, Value::Null).await.ok();
        assert!(!looked.to_string().contains("/events/"), "{looked}");
        assert!(server.get(path).await.ok().to_string().contains("/events/"));
    }
    let listed = server.get("/v1/events").await.ok().to_string();
    assert!(
        listed.contains("contact:+•••••••••71") && !listed.contains("555"),
        "{listed}"
    );
}

/// Credentials of every sort, which must be nowhere where they need not be.
const CREDENTIALS: [&str; 5] = ["U53RPASS", "QU3RY", "H3ADER", "EV3NT", "S3CRET"];

#[tokio::test(start_paused = true)]
async fn a_key_that_may_only_look_sees_no_credential_anywhere() {
    let server = server(Settings::default()).await;
    let hook = "https://user:U53RPASS@example.com/hook?token=QU3RY&team=blue";
    let webhook = make(
        &server,
        ADMIN,
        "/api/v2/webhooks",
        json!({"hook_url": hook, "secret": "S3CRET"}),
    )
    .await;
    let v1 = format!("/v1/webhooks/{webhook}");
    let event_headers = json!({"x-event-token": "EV3NT {{ event.state }}", "x-state": "{{ event.state }}"});
    let headers = json!({
        "headers": {"X-Api-Key": "H3ADER", "X-Team": "blue"},
        "event_headers": event_headers,
    });
    server.patch(&v1, headers).await.ok();
    subscribe(&server, ADMIN, "call", &webhook).await;
    let websocket = make(&server, ADMIN, "/api/v2/websockets", json!({"secret": "S3CRET"})).await;
    subscribe(&server, ADMIN, "sms", &websocket).await;
    server
        .post(&format!("{v1}/rotate-secret"), json!({"secret": "S3CRET too"}))
        .await
        .ok();
    let event = server.event("call", EVENTS[0].1, &[]).await.ok();
    let to = json!({"filter": {"since": 0}, "to": {"url": hook, "secret": "S3CRET"}});
    server.post("/v1/replays", to).await.ok();
    server.wait(Duration::from_secs(2)).await;
    let sent = server.network.seen();
    assert_eq!(sent[0].headers["x-api-key"], "H3ADER", "it is sent all the same");
    assert_eq!(sent[0].headers["x-event-token"], "EV3NT recording");
    let delivery = event["deliveries"][0]["id"].as_str().unwrap();
    let paths = [
        "/api/v2/webhooks".to_owned(),
        format!("/api/v2/webhooks/{webhook}"),
        "/v1/webhooks".to_owned(),
        v1.clone(),
        "/api/v2/websockets".to_owned(),
        "/api/v2/subscriptions/call".to_owned(),
        "/api/v2/subscriptions/sms".to_owned(),
        "/v1/deliveries".to_owned(),
        format!("/v1/deliveries/{delivery}"),
        format!("/v1/events/{}", event["id"].as_str().unwrap()),
        format!("/v1/events/{}/explain", event["id"].as_str().unwrap()),
        "/v1/replays".to_owned(),
        "/v1/doctor?connect=false".to_owned(),
    ];
    for path in &paths {
        let text = server
            .ask(Method::GET, path, LOOKER, Value::Null)
            .await
            .ok()
            .to_string();
        for credential in CREDENTIALS {
            assert!(!text.contains(credential), "{path} shows {credential}: {text}");
        }
    }
    let looked = server.ask(Method::GET, &v1, LOOKER, Value::Null).await.ok();
    assert_eq!(
        looked["hook_url"],
        "https://***@example.com/hook?token=***&team=blue"
    );
    assert_eq!(looked["headers"], json!({"x-api-key": "***", "x-team": "blue"}));
    assert_eq!(
        looked["event_headers"],
        json!({"x-event-token": "***", "x-state": "{{ event.state }}"})
    );
    // Nor can they be guessed by whoever may not know them: what is the same as before is refused like anything else.
    for (path, body) in [
        (
            format!("/api/v2/webhooks/{webhook}"),
            json!({"secret": "S3CRET too"}),
        ),
        (format!("/api/v2/webhooks/{webhook}"), json!({ "hook_url": hook })),
        (
            v1.clone(),
            json!({"headers": {"x-api-key": "H3ADER", "x-team": "blue"}}),
        ),
    ] {
        let refused = server.ask(Method::PATCH, &path, PLAIN, body).await;
        refused.refused(403, "subscription");
    }
    // The name of a secret is worked out from it, so guesses could be tried on it.
    assert_eq!(
        (&looked["kid"], &looked["old_secrets"][0]["kid"]),
        (&json!("***"), &json!("***"))
    );
    // Whoever may change it sees it as Dialpad shows it; a record of what was sent is one for nobody.
    let writers = server.get(&v1).await.ok();
    assert_eq!(
        (&writers["hook_url"], &writers["headers"]["x-api-key"]),
        (&json!(hook), &json!("H3ADER"))
    );
    assert_eq!(writers["event_headers"], event_headers);
    assert_eq!(writers["signature"]["secret"], "S3CRET too");
    let record = server
        .get(&format!("/v1/deliveries/{delivery}"))
        .await
        .ok()
        .to_string();
    for credential in CREDENTIALS {
        assert!(!record.contains(credential), "{credential}: {record}");
    }
    // What was shown masked and comes back so stays.
    let back = json!({
        "headers": {"x-api-key": "***", "x-team": "red"},
        "event_headers": {"x-event-token": "***", "x-state": "{{ event.state }}"},
    });
    server.patch(&v1, back).await.ok();
    let back = json!({"hook_url": "https://***@example.com/hook?token=***&team=blue"});
    server
        .patch(&format!("/api/v2/webhooks/{webhook}"), back)
        .await
        .ok();
    let after = server.get(&v1).await.ok();
    assert_eq!(after["headers"], json!({"x-api-key": "H3ADER", "x-team": "red"}));
    assert_eq!(after["event_headers"], event_headers);
    assert_eq!(after["hook_url"], hook);
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_shown_to_who_may_see_what_it_signs() {
    let server = server(Settings::default()).await;
    let body = json!({"hook_url": "https://example.com/hook", "secret": "S3CRET"});
    let webhook = make(&server, PLAIN, "/api/v2/webhooks", body).await;
    let paths = ["/api/v2/webhooks", "/v1/webhooks", "/api/v2/subscriptions/call"];
    subscribe(&server, PLAIN, "call", &webhook).await;
    for path in paths {
        let own = server
            .ask(Method::GET, path, PLAIN, Value::Null)
            .await
            .ok()
            .to_string();
        assert!(own.contains("S3CRET"), "{path}: {own}");
    }
    subscribe(&server, ADMIN, "changelog", &webhook).await;
    for path in paths {
        let privileged = server
            .ask(Method::GET, path, PLAIN, Value::Null)
            .await
            .ok()
            .to_string();
        assert!(!privileged.contains("S3CRET"), "{path}: {privileged}");
    }
    let hidden = format!("/v1/webhooks/{webhook}");
    server.patch(&hidden, json!({"hide_secret": true})).await.ok();
    let shown = server
        .ask(Method::PATCH, &hidden, PLAIN, json!({"hide_secret": false}))
        .await;
    shown.refused(403, "an admin's key and the scope change_log");
}

/// With its subscription gone, a webhook would be anybody's: its credentials could be read, and it could be moved.
#[tokio::test(start_paused = true)]
async fn a_subscription_is_taken_off_its_webhook_by_who_may_see_what_it_sends() {
    for (kind, _) in NEEDS {
        let server = server(Settings::default()).await;
        let webhook = server.webhook("https://example.com/hook").await;
        let subscription = subscribe(&server, ADMIN, kind, &webhook).await;
        let path = format!("/api/v2/subscriptions/{kind}/{subscription}");
        let (mut off, nothing) = (json!({ "endpoint_id": null }), Value::Null);
        if kind == "contact" {
            off["contact_type"] = json!("shared");
        }
        let ways = [(Method::PATCH, off), (Method::DELETE, nothing)];
        for (method, body) in &ways {
            let refused = server.ask(method.clone(), &path, PLAIN, body.clone()).await;
            refused.refused(403, "need");
        }
        for (method, body) in ways {
            server.ask(method, &path, ADMIN, body).await.ok();
        }
    }
}

/// Else contacts would come in as calls, which everybody sees.
#[tokio::test(start_paused = true)]
async fn the_kind_of_a_source_is_changed_by_those_from_whom_nothing_is_kept() {
    let server = server(Settings::default()).await;
    let source = make(
        &server,
        ADMIN,
        "/v1/sources",
        json!({"name": "acct", "kind": "contact"}),
    )
    .await;
    let path = format!("/v1/sources/{source}");
    for kind in [json!("call"), Value::Null] {
        let change = json!({ "kind": kind });
        let refused = server.ask(Method::PATCH, &path, PLAIN, change.clone()).await;
        refused.refused(403, "the kind of source");
        server
            .ask(Method::PATCH, &path, UNSCOPED, change)
            .await
            .refused(403, "need the scopes");
    }
    let same = json!({"kind": "contact", "name": "other"});
    server.ask(Method::PATCH, &path, PLAIN, same).await.ok();
    server
        .ask(Method::PATCH, &path, ADMIN, json!({"kind": "call"}))
        .await
        .ok();
}

/// Receivers like to send back what they got, in their body or in a header, as it was or wrapped.
#[tokio::test(start_paused = true)]
async fn what_a_receiver_sends_back_shows_no_more_than_the_event() {
    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJyZWNvcmRpbmdfdXJsIjoiIn0.c2lnbmF0dXJl";
    type React = fn() -> Reaction;
    let answers: [(React, &str); 5] = [
        (
            || Reaction::Say(200, r#"{"recording_url": "https://example.com/SEEN"}"#),
            "SEEN",
        ),
        (
            || Reaction::AnswerWith(200, "x-got", r#"{"recording_url": "https://example.com/SEEN"}"#),
            "SEEN",
        ),
        (
            || {
                Reaction::Say(
                    200,
                    r#"{"data": "{\"recording_url\": \"https://example.com/SEEN\"}"}"#,
                )
            },
            "SEEN",
        ),
        (|| Reaction::Say(200, TOKEN), TOKEN),
        (|| Reaction::AnswerWith(200, "x-got", TOKEN), TOKEN),
    ];
    for (answer, secret) in answers {
        let server = with_keys(TestServer::reacting(Settings::default(), move |_| answer()).await).await;
        let webhook = server.webhook("https://example.com/hook").await;
        subscribe(&server, ADMIN, "call", &webhook).await;
        let (kind, event) = EVENTS[0];
        let accepted = server.event(kind, event, &[]).await.ok();
        let delivery = accepted["deliveries"][0]["id"].as_str().expect("it goes there");
        server.wait(Duration::from_secs(2)).await;
        let path = format!("/v1/deliveries/{delivery}");
        for (key, sees) in [(ADMIN, true), (PLAIN, false)] {
            let shown = server.ask(Method::GET, &path, key, Value::Null).await.ok();
            assert_eq!(shown.to_string().contains(secret), sees, "{key}: {shown:#}");
        }
    }
}
