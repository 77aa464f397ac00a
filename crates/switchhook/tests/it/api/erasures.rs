//! `/v1/erasures`: who may, what is counted, what is left.

use std::time::Duration;

use serde_json::json;
use switchhook_domain::key::ApiKey;

use crate::support::rig::Reaction;
use crate::support::test_server::TestServer;
use switchhook_node::settings::Settings;

const PATH: &str = "/v1/erasures";
const NUMBER: &str = "+15551234567";

#[tokio::test(start_paused = true)]
async fn a_number_goes_from_events_and_the_record_stays() {
    let server = TestServer::reacting(Settings::default(), |_| Reaction::Answer(200)).await;
    let webhook = server.webhook("https://example.com").await;
    server.subscribe(&webhook).await;
    let body = format!(r#"{{"call_id":1,"state":"hangup","external_number":"{NUMBER}"}}"#);
    let sent = server.event("call", body, &[]).await.ok();
    server
        .event("call", r#"{"call_id":2,"state":"hangup"}"#, &[])
        .await
        .ok();
    server.wait(Duration::from_secs(1)).await;

    let counted = server
        .post(PATH, json!({"number": NUMBER, "dry_run": true}))
        .await
        .ok();
    assert_eq!(
        (&counted["examined"], &counted["events"], &counted["dry_run"]),
        (&json!(2), &json!(1), &json!(true))
    );
    let path = format!("/v1/events/{}", sent["id"].as_str().unwrap());
    assert!(server.get(&path).await.ok()["payload"].is_object());

    let erased = server
        .post(PATH, json!({"number": "+1 (555) 123-4567"}))
        .await
        .ok();
    assert_eq!(
        (&erased["events"], &erased["deliveries_cancelled"]),
        (&json!(1), &json!(0))
    );
    assert!(erased.get("cursor").is_none());
    let shown = server.get(&path).await.ok();
    assert_eq!(
        (&shown["payload"], &shown["payload_removed"]["reason"]),
        (&json!(null), &json!("erased"))
    );
    assert_eq!(shown["deliveries"][0]["state"], "delivered");
    assert!(
        shown["deliveries"][0]["note"]
            .as_str()
            .unwrap()
            .contains("erased")
    );
    assert!(!shown.to_string().contains(NUMBER));
    let again = server.post(PATH, json!({"number": NUMBER})).await.ok();
    assert_eq!(again["events"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_number_goes_however_it_is_written_and_ids_stay() {
    let server = TestServer::reacting(Settings::default(), |_| Reaction::Answer(200)).await;
    let bodies = [
        (
            "call",
            r#"{"call_id":1,"contact":{"name":"(619) 555-0142"}}"#,
            true,
        ),
        ("call", r#"{"call_id":2,"caller":6195550142}"#, true),
        (
            "sms",
            r#"{"id":3,"target":{"phone_number":"619-555-0142"}}"#,
            true,
        ),
        ("sms", r#"{"id":4,"text":"ring me: 1 619 555 0142 ext. 4"}"#, true),
        (
            "contact",
            r#"{"event":"update","contact":{"id":"+16195550142"}}"#,
            true,
        ),
        (
            "call",
            r#"{"call_id":6195550142000000,"event_timestamp":1619555014200}"#,
            false,
        ),
        (
            "call",
            r#"{"call_id":5,"external_number":"+496195550142"}"#,
            false,
        ),
    ];
    let mut events = Vec::new();
    for (kind, body, holds_it) in bodies {
        let sent = server.event(kind, body, &[]).await.ok();
        events.push((format!("/v1/events/{}", sent["id"].as_str().unwrap()), holds_it));
    }
    let erased = server.post(PATH, json!({"number": "+16195550142"})).await.ok();
    assert_eq!((&erased["examined"], &erased["events"]), (&json!(7), &json!(5)));
    for ((path, holds_it), (_, body, _)) in events.into_iter().zip(bodies) {
        let shown = server.get(&path).await.ok();
        assert_eq!(shown["payload"].is_null(), holds_it, "{body}");
        assert!(!holds_it || !shown.to_string().contains("6195550142"), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_needs_an_admin_and_a_number() {
    let server = TestServer::new().await;
    server
        .add_key("shk_writer", |key| ApiKey { admin: false, ..key })
        .await;
    let body = json!({"number": NUMBER});
    let method = http::Method::POST;
    server
        .ask(method, PATH, "shk_writer", body)
        .await
        .refused(403, "admin");
    server
        .post(PATH, json!({}))
        .await
        .refused(400, "number is required");
    server
        .post(PATH, json!({"number": "5551234"}))
        .await
        .refused(400, "country code");
    server
        .post(PATH, json!({"number": NUMBER, "dryrun": true}))
        .await
        .refused(400, "unknown field");
}
