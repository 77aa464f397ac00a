//! Sources: events from outside, checked, told apart, known when they come again, and kept when they are refused.

use std::io::Write;
use std::time::Duration;

use axum::body::Body;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Request;
use serde_json::{Value, json};
use switchhook_node::retention::Retention;
use switchhook_node::settings::Settings;
use switchhook_node::validation::ValidationMode;
use switchhook_protocol::{StandardKey, Timestamp, sign};

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
    let taken = take(&server, &path, r#"{"date":1}"#).await.ok();
    assert_eq!(taken["kind"], "unknown");
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
    take(&server, &path, sign("s3cret", b"[1,"))
        .await
        .refused(400, "not JSON");
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
async fn of_what_is_refused_the_head_is_shown_and_all_of_it_is_kept_for_thirty_days() {
    let server = TestServer::new().await;
    let (id, path) = source(&server, json!({"name": "flooded"})).await;
    for n in 0..150 {
        take(&server, &path, format!("nonsense {n}")).await;
    }
    let kept = refusals(&server, &id).await;
    assert_eq!(kept.len(), 150);
    assert_eq!(kept[0]["body"], "nonsense 149");
    take(&server, &path, vec![b'x'; 3 << 20])
        .await
        .refused(413, "the body is too large: at most 1402196 bytes are taken here");
    let kept = refusals(&server, &id).await;
    assert_eq!((&kept[0]["status"], &kept[0]["body"]), (&json!(413), &json!("")));
    let large = vec![b'x'; 300_000];
    take(&server, &path, large).await;
    let kept = refusals(&server, &id).await;
    assert_eq!(kept[0]["size"], 300_000);
    assert_eq!(kept[0]["body"].as_str().map(str::len), Some(16 * 1024));

    let mut retention = Retention::new(&server.node);
    for (days, left) in [(29, 152), (2, 0)] {
        // In one step, since nothing happens meanwhile.
        tokio::time::advance(Duration::from_secs(days * 24 * 3_600)).await;
        retention.sweep().await.expect("the store is well");
        assert_eq!(refusals(&server, &id).await.len(), left);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slash_at_the_end_white_space_and_packing_cost_no_event() {
    let server = TestServer::new().await;
    let (id, path) = source(&server, json!({"name": "signed", "secret": "s3cret"})).await;
    let token = |n| {
        sign(
            "s3cret",
            format!(r#"{{"call_id":{n},"state":"hangup"}}"#).as_bytes(),
        )
    };
    take(&server, &format!("{path}/"), token(1)).await.ok();
    take(&server, &path, format!("\r\n {}\n", token(2))).await.ok();
    let packed = |coding: &'static str, body: Vec<u8>| {
        let request = Request::post(&path).header("content-encoding", coding);
        server.send(request.body(Body::from(body)).expect("the path is one"))
    };
    packed("gzip", gzip(token(3).as_bytes())).await.ok();
    let bomb = vec![b' '; 50 << 20];
    packed("gzip", gzip(&bomb)).await.refused(413, "too large");
    packed("gzip", token(4).into())
        .await
        .refused(400, "Content-Encoding");
    let unknown = packed("br", b"...".to_vec()).await;
    assert_eq!(unknown.headers["accept-encoding"], "gzip, deflate");
    unknown.refused(415, "gzip");
    let events = server.get("/v1/events").await.ok();
    assert_eq!(events["items"].as_array().map(Vec::len), Some(3));
    let kept = refusals(&server, &id).await;
    let statuses: Vec<_> = kept.iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [415, 400, 413]);

    // Whoever sends events to the API may pack them too, but not lines.
    let packed = [("content-encoding", "gzip")];
    let accepted = server.event("call", gzip(CALL.as_bytes()), &packed).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let lines = server.lines("call", gzip(CALL.as_bytes()), &packed).await;
    lines.refused(415, "as they are");
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("it is memory");
    encoder.finish().expect("it is memory")
}

const MEETING: &str = r#"{"meeting_id": "m-1", "room": {"name": "Standup"}, "participants": 3}"#;

#[tokio::test(start_paused = true)]
async fn an_event_of_no_known_shape_is_kept_shown_and_routed_once_somebody_says_what_it_is() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com/crm").await;
    server.subscribe(&webhook).await;
    let (id, path) = source(&server, json!({"name": "signed", "secret": "s3cret"})).await;
    let taken = take(&server, &path, sign("s3cret", MEETING.as_bytes()))
        .await
        .ok();
    assert_eq!(
        (&taken["kind"], &taken["duplicate"]),
        (&json!("unknown"), &json!(false))
    );
    let again = take(&server, &path, sign("s3cret", MEETING.as_bytes()))
        .await
        .ok();
    assert_eq!((&again["id"], &again["duplicate"]), (&taken["id"], &json!(true)));
    assert_eq!(refusals(&server, &id).await, Vec::<Value>::new());

    let event_id = taken["id"].as_str().expect("ids are strings");
    let shown = server.get(&format!("/v1/events/{event_id}")).await;
    assert!(
        String::from_utf8_lossy(&shown.body).contains(MEETING),
        "{shown:?}"
    );
    let shown = shown.json();
    assert_eq!(
        (&shown["kind"], &shown["deliveries"]),
        (&json!("unknown"), &json!([]))
    );
    assert!(
        shown["warnings"][0].as_str().unwrap().contains("events route"),
        "{shown}"
    );
    for (kind, count) in [("unknown", 1), ("call", 0)] {
        let listed = server.get(&format!("/v1/events?kind={kind}")).await.ok();
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(count), "{kind}");
    }
    let explained = server.get(&format!("/v1/events/{event_id}/explain")).await.ok();
    assert_eq!(explained["items"][0]["reason"], "other_kind");

    let route = format!("/v1/events/{event_id}/route");
    server
        .post(&route, json!({}))
        .await
        .refused(400, "kind is required");
    server
        .post(&route, json!({"kind": "unknown"}))
        .await
        .refused(400, "use call, sms, agent_status, contact or changelog");
    let routed = server.post(&route, json!({"kind": "call"})).await.json();
    assert_eq!(routed["deliveries"].as_array().map(Vec::len), Some(1), "{routed}");
    assert_ne!(routed["id"], taken["id"]);
    let again = server.post(&route, json!({"kind": "call"})).await.json();
    assert_eq!((&again["id"], &again["duplicate"]), (&routed["id"], &json!(true)));
    let event = routed["id"].as_str().expect("ids are strings");
    server
        .post(&format!("/v1/events/{event}/route"), json!({"kind": "sms"}))
        .await
        .refused(409, "of kind call already");

    // As it is, it goes by a replay.
    let replay = json!({"filter": {"kind": "unknown"}, "to": {"webhook_id": webhook}, "dry_run": true});
    let counted = server.post("/v1/replays", replay).await.json();
    assert_eq!(counted["total"], 1, "{counted}");
    // Nobody sends such a thing on purpose.
    server
        .post("/v1/events/unknown", json!({}))
        .await
        .refused(404, "not a kind");
    server
        .post("/v1/sources", json!({"name": "odd", "kind": "unknown"}))
        .await
        .refused(400, "use call, sms, agent_status, contact or changelog");
}

/// As the page of an event has it, whatever JSON that is, and as a subscription with a filter sees it.
#[tokio::test(start_paused = true)]
async fn json_that_is_no_object_is_kept_as_it_came_and_sent_by_a_replay() {
    const BODIES: [&str; 5] = [
        r#"[{"call_id": 1.0, "recording_url": "https://dialpad.com/r/1"}, "+1 619 555 0142"]"#,
        r#""ring +1 619 555 0142""#,
        "16195550142",
        "true",
        "null",
    ];
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com/crm").await;
    server.subscribe(&webhook).await;
    // Of which kind its events are is said of what can be of one.
    let signed = json!({"name": "signed", "kind": "call", "secret": "s3cret"});
    let (_, signed) = source(&server, signed).await;
    let (id, open) = source(&server, json!({"name": "open"})).await;
    for body in BODIES {
        let taken = take(&server, &signed, sign("s3cret", body.as_bytes())).await.ok();
        assert_eq!(taken["kind"], "unknown", "{body}");
        let event = taken["id"].as_str().expect("ids are strings");
        let path = format!("/v1/events/{event}");
        let shown = server.get(&path).await;
        assert!(
            String::from_utf8_lossy(&shown.body).contains(&format!("\"payload\":{body}")),
            "{shown:?}"
        );
        assert_eq!(shown.ok()["deliveries"], json!([]));
        let explained = server.get(&format!("{path}/explain")).await.ok();
        assert_eq!(explained["items"][0]["reason"], "other_kind");
        let advice = explained["advice"].as_str().unwrap();
        assert!(advice.contains("replays create --kind unknown"), "{advice}");
        server
            .post(&format!("{path}/route"), json!({"kind": "call"}))
            .await
            .refused(409, "an event is one JSON object; a replay sends it as it is");
        assert_eq!(take(&server, &open, body).await.ok()["kind"], "unknown", "{body}");
    }
    assert_eq!(refusals(&server, &id).await, Vec::<Value>::new());
    let listed = server.get("/v1/events?kind=unknown").await.ok();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(2 * BODIES.len()));
    server.event("call", "[]", &[]).await.refused(400, "an array");

    let replay = json!({"filter": {"kind": "unknown"}, "to": {"webhook_id": webhook}, "dry_run": true});
    assert_eq!(
        server.post("/v1/replays", replay).await.json()["total"],
        2 * BODIES.len()
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_is_judged_again_once_the_secret_is_right() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com/crm").await;
    server.subscribe(&webhook).await;
    let (id, path) = source(&server, json!({"name": "signed", "secret": "a typo"})).await;
    // More than one slice, and one that is larger than what a list shows of it.
    for n in 0..250 {
        let filler = "x".repeat(if n == 7 { 40_000 } else { 1 });
        let body = format!(r#"{{"call_id":{n},"state":"hangup","event_timestamp":{n},"filler":"{filler}"}}"#);
        take(&server, &path, sign("s3cret", body.as_bytes()))
            .await
            .refused(401, "signature");
    }
    take(&server, &path, "nonsense").await.refused(400, "segments");
    let retry = format!("/v1/sources/{id}/retry-refusals");
    let nothing = server.post(&retry, json!({})).await.ok();
    assert_eq!(
        nothing,
        json!({"taken": 0, "duplicates": 0, "still_refused": 251})
    );
    server
        .patch(&format!("/v1/sources/{id}"), json!({"secret": "s3cret"}))
        .await
        .ok();
    server.wait(Duration::from_secs(2)).await;
    // Somebody sent the first once more.
    let first = r#"{"call_id":0,"state":"hangup","event_timestamp":0,"filler":"x"}"#;
    take(&server, &path, sign("s3cret", first.as_bytes())).await.ok();
    let retried = server.post(&retry, json!({})).await.ok();
    assert_eq!(
        retried,
        json!({"taken": 249, "duplicates": 1, "still_refused": 1})
    );
    let kept = refusals(&server, &id).await;
    assert_eq!((kept.len(), &kept[0]["body"]), (1, &json!("nonsense")));
    let events = server.get("/v1/events?order_key=call:7").await.ok();
    let event = events["items"][0]["id"].as_str().expect("it was taken");
    let event = server.get(&format!("/v1/events/{event}")).await.ok();
    assert_eq!(event["deliveries"].as_array().map(Vec::len), Some(1));
    let again = server.post(&retry, json!({})).await.ok();
    assert_eq!(again["still_refused"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_replaced_secret_counts_until_its_overlap_ends() {
    let server = TestServer::new().await;
    let (id, path) = source(&server, json!({"name": "signed", "secret": "one"})).await;
    let change = json!({"secret": "two", "overlap": "1h"});
    let changed = server.patch(&format!("/v1/sources/{id}"), change).await.ok();
    assert_eq!(changed["old_secrets_until"].as_array().map(Vec::len), Some(1));
    server.wait(Duration::from_secs(2)).await;
    for (n, secret) in ["one", "two"].into_iter().enumerate() {
        let body = format!(r#"{{"call_id":{n},"state":"hangup"}}"#);
        let taken = take(&server, &path, sign(secret, body.as_bytes())).await;
        assert_eq!(taken.status, 200, "{secret}: {taken:?}");
    }
    server.wait(Duration::from_secs(3_600)).await;
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

/// Posts an event that is signed as Standard Webhooks are, `age` seconds ago by its own account.
async fn take_standard(server: &TestServer, path: &str, secret: &str, age: u64, body: &str) -> Answered {
    let now = server.node.clock.now().as_millis() - i64::try_from(age * 1_000).expect("ages are small");
    let at = Timestamp::from_millis(now);
    let signature = StandardKey::new(secret).sign("msg_1", at, body.as_bytes());
    let request = Request::post(path)
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", at.as_millis() / 1_000)
        .header("webhook-signature", signature);
    let request = request.body(body.to_owned().into());
    server.send(request.expect("it is a request")).await
}

#[tokio::test(start_paused = true)]
async fn an_event_may_be_signed_beside_its_body() {
    let server = TestServer::new().await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let (id, path) = source(&server, json!({"name": "standard", "secret": secret})).await;
    let taken = take_standard(&server, &path, secret, 0, CALL).await.ok();
    assert_eq!(taken["kind"], "call");
    let event = server
        .get(&format!("/v1/events/{}", taken["id"].as_str().unwrap()))
        .await;
    assert!(
        String::from_utf8_lossy(&event.body).contains(CALL),
        "byte for byte"
    );
    let again = take_standard(&server, &path, secret, 1, CALL).await.ok();
    assert_eq!(again["duplicate"], true);
    take_standard(&server, &path, secret, 301, CALL)
        .await
        .refused(401, "301 s old");
    take_standard(&server, &path, "another", 0, CALL)
        .await
        .refused(401, "no signature");
    let half = Request::post(&path).header("webhook-signature", "v1,AAAA");
    let half = server.send(half.body(CALL.to_owned().into()).unwrap()).await;
    half.refused(401, "no `webhook-id`");
    take(&server, &path, sign(secret, CALL.as_bytes())).await.ok();
    assert_eq!(refusals(&server, &id).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_was_signed_beside_its_body_is_judged_again_as_of_when_it_came() {
    let server = TestServer::new().await;
    let (id, path) = source(&server, json!({"name": "standard", "secret": "not yet"})).await;
    take_standard(&server, &path, "the right one", 0, CALL)
        .await
        .refused(401, "no signature");
    server.wait(Duration::from_secs(3_600)).await;
    server
        .patch(&format!("/v1/sources/{id}"), json!({"secret": "the right one"}))
        .await
        .ok();
    let retried = server
        .post(&format!("/v1/sources/{id}/retry-refusals"), Value::Null)
        .await
        .ok();
    assert_eq!(retried["taken"], 1, "{retried}");
}
