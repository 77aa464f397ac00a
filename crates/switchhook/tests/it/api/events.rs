//! `/v1/events`: what is taken in, what is refused and why, what is answered and what can be seen afterwards.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use switchhook_node::settings::Settings;
use switchhook_node::validation::ValidationMode;

use crate::support::test_server::TestServer;

const HANGUP: &str = r#"{"call_id": 4513924407164928, "state": "hangup"}"#;

#[tokio::test(start_paused = true)]
async fn an_event_is_accepted_with_its_deliveries() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com").await;
    let one = server.subscribe(&webhook).await;
    let body = json!({"endpoint_id": webhook, "call_states": ["hangup"]});
    let two = server.post("/api/v2/subscriptions/call", body).await.ok()["id"].clone();
    let answered = server.event("call", HANGUP, &[]).await;
    assert_eq!(answered.status, 202);
    assert_eq!(answered.headers["content-type"], "application/json");
    let answer = answered.json();
    let delivery = &answer["deliveries"][0];
    let expected = json!({
        "id": answer["id"], "kind": "call", "duplicate": false, "warnings": [],
        "deliveries": [{"id": delivery["id"], "webhook_id": webhook, "subscription_ids": [one, two]}],
    });
    assert_eq!(answer, expected, "one delivery however many subscriptions match");
    assert!(answer["id"].is_string() && delivery["id"].is_string());
    for spelling in ["sms", "change_log", "ChangeLog", "agent-status"] {
        server.event(spelling, "{}", &[]).await.ok();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_is_refused() {
    let server = TestServer::new().await;
    for (body, message) in [
        ("", "the body is empty"),
        ("  \n", "the body is empty"),
        ("{\"a\":", "the body is not JSON"),
        ("[{}]", "the body is an array; an event is one JSON object"),
        ("null", "the body is null"),
        ("{} {}", "goes on after its first JSON value"),
    ] {
        server.event("call", body, &[]).await.refused(400, message);
    }
    server
        .event("call", Bytes::from_static(b"{\"a\":\"\xff\"}"), &[])
        .await
        .refused(400, "is not UTF-8");
    server
        .event("fax", "{}", &[])
        .await
        .refused(404, "`fax` is not a kind of event");
    let metrics = server.get("/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(
        metrics.contains("switchhook_events_rejected_total{reason=\"not_an_event\"} 7"),
        "{metrics}"
    );
}

fn long(bytes: usize) -> Vec<u8> {
    let mut body = b"{\"a\":\"".to_vec();
    body.resize(bytes - 2, b'x');
    body.extend(b"\"}");
    body
}

fn in_pieces(body: &[u8], size: usize) -> Body {
    let pieces: Vec<_> = body
        .chunks(size)
        .map(Bytes::copy_from_slice)
        .map(Ok::<_, Infallible>)
        .collect();
    Body::from_stream(stream::iter(pieces))
}

#[tokio::test(start_paused = true)]
async fn an_event_of_a_mebibyte_is_taken_and_nothing_more() {
    let server = TestServer::new().await;
    let limit = 1 << 20;
    server.event("call", long(limit), &[]).await.ok();
    server
        .event("call", in_pieces(&long(limit), 10_000), &[])
        .await
        .ok();
    for body in [
        Body::from(long(limit + 1)),
        in_pieces(&long(limit + 1), 10_000),
        in_pieces(&long(4 * limit), 50_000),
    ] {
        let answered = server.event("call", body, &[]).await;
        answered.refused(413, "at most 1048576 bytes");
        assert_eq!(answered.headers["connection"], "close");
    }
    let asking = server
        .event("call", long(limit + 1), &[("expect", "100-continue")])
        .await;
    asking.refused(413, "at most 1048576 bytes");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_no_event() {
    let server = TestServer::new().await;
    let broken = stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("reset"))]);
    server
        .event("call", Body::from_stream(broken), &[])
        .await
        .refused(400, "ended before it was complete");
}

#[tokio::test(start_paused = true)]
async fn bytes_are_shown_as_they_came() {
    let server = TestServer::new().await;
    let body =
        r#" {"call_id": 9223372036854775807, "duration": 8951.030, "x": 1e400, "call_id": 7, "n": null} "#;
    let accepted = server.event("call", body, &[]).await.ok();
    let warnings = accepted["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{accepted}");
    assert!(
        warnings[0]
            .as_str()
            .unwrap()
            .starts_with("not validated: number out of range"),
        "{accepted}"
    );
    let shown = server
        .get(&format!("/v1/events/{}", accepted["id"].as_str().unwrap()))
        .await;
    let text = String::from_utf8_lossy(&shown.body).into_owned();
    assert!(text.contains(body.trim()), "{text}");
    assert!(
        text.contains("\"order_key\":\"call:7\""),
        "of a repeated key the last counts: {text}"
    );
}

#[tokio::test(start_paused = true)]
async fn deviations_are_told_or_refused_as_the_mode_says() {
    let body = r#"{"call_id": "4513924407164928", "state": "sung", "target": {"id": []}}"#;
    let server = TestServer::new().await;
    let accepted = server.event("call", body, &[]).await.ok();
    let warnings: Vec<_> = accepted["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w.as_str().unwrap())
        .collect();
    for pointer in ["/call_id: ", "/state: `sung` is none of ", "/target/id: "] {
        assert!(
            warnings.iter().any(|warning| warning.starts_with(pointer)),
            "{warnings:?}"
        );
    }
    let shown = server
        .get(&format!("/v1/events/{}", accepted["id"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(shown["warnings"], accepted["warnings"], "they are kept");

    let off = TestServer::with(Settings {
        validation: ValidationMode::Off,
        ..Settings::default()
    })
    .await;
    assert_eq!(off.event("call", body, &[]).await.ok()["warnings"], json!([]));

    let strict = TestServer::with(Settings {
        validation: ValidationMode::Strict,
        ..Settings::default()
    })
    .await;
    let refused = strict.event("call", body, &[]).await;
    refused.refused(400, "deviates from its schema (validation is strict)");
    assert_eq!(refused.json()["error"]["errors"].as_array().unwrap().len(), 3);
    strict
        .event("call", r#"{"call_id": 1, "x": 1e400}"#, &[])
        .await
        .ok();
}

#[tokio::test(start_paused = true)]
async fn a_repetition_gets_the_first_answer_for_a_day() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com").await;
    server.subscribe(&webhook).await;
    let key = [("idempotency-key", "order-1")];
    let first = server.event("call", HANGUP, &key).await.ok();
    let mut again = server.event("call", HANGUP, &key).await.ok();
    assert_eq!(again["duplicate"], true);
    again["duplicate"] = json!(false);
    assert_eq!(again, first);
    server
        .event("call", r#"{"call_id": 2}"#, &key)
        .await
        .refused(409, "Idempotency-Key was used with another event");
    server.wait(Duration::from_secs(24 * 60 * 60 + 1)).await;
    let later = server.event("call", HANGUP, &key).await.ok();
    assert_eq!(later["duplicate"], false);
    assert_ne!(later["id"], first["id"]);
    for key in ["", "ü", &"k".repeat(256)] {
        server
            .event("call", HANGUP, &[("idempotency-key", key)])
            .await
            .refused(400, "Idempotency-Key: send 1 to 255");
    }
}

#[tokio::test(start_paused = true)]
async fn lines_are_taken_one_by_one_and_bad_ones_are_named() {
    let server = TestServer::new().await;
    let mut body = b"{\"call_id\":1}\r\n\n{\"call_id\":2\n  {\"call_id\":3}\n[]\n".to_vec();
    body.extend(long((1 << 20) + 1));
    body.extend(b"\n{\"call_id\":4}");
    for body in [Body::from(body.clone()), in_pieces(&body, 7_919)] {
        let answered = server.lines("call", body, &[]).await;
        assert_eq!(answered.status, 202);
        let answer = answered.json();
        assert_eq!(answer["accepted"], 3, "{answer:#}");
        assert_eq!(answer["duplicates"], 0);
        assert_eq!(answer["rejected_count"], 3);
        let rejected: Vec<_> = answer["rejected"]
            .as_array()
            .unwrap()
            .iter()
            .map(line_and_code)
            .collect();
        assert_eq!(rejected, [(3, 400), (5, 400), (6, 413)]);
        assert!(
            answer["rejected"][1]["error"]["message"]
                .as_str()
                .unwrap()
                .contains("the body is an array")
        );
    }
}

const AGENT: &str =
    r#"{"target":{"id":7,"type":"user"},"on_duty_status":"busy","event_timestamp":1795420800000}"#;
const MESSAGE: &str = r#"{"id":5,"from_number":"+12025550101","to_number":["+12025550102"]}"#;

#[tokio::test(start_paused = true)]
async fn a_wrong_kind_is_kept_with_a_warning_that_names_the_right_one() {
    let server = TestServer::new().await;
    for (kind, body, right) in [
        ("call", AGENT, "agent_status"),
        ("sms", AGENT, "agent_status"),
        ("call", MESSAGE, "sms"),
        ("contact", HANGUP, "call"),
        ("agent_status", MESSAGE, "sms"),
        ("changelog", HANGUP, "call"),
    ] {
        let kept = server.event(kind, body, &[]).await.ok();
        let warning = format!("it is sent as {kind} and looks like {right}");
        assert!(kept["warnings"].to_string().contains(&warning), "{kept}");
    }
    for (kind, body) in [
        ("call", HANGUP),
        ("sms", MESSAGE),
        ("agent_status", AGENT),
        ("call", "{}"),
    ] {
        let kept = server.event(kind, body, &[]).await.ok();
        assert!(!kept["warnings"].to_string().contains("looks like"), "{kept}");
    }
    let strict = Settings {
        validation: ValidationMode::Strict,
        ..Settings::default()
    };
    let server = TestServer::with(strict).await;
    let refused = server.event("call", AGENT, &[]).await;
    refused.refused(400, "looks like agent_status");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_in_no_order_is_told_so() {
    let server = TestServer::new().await;
    for (kind, body, warned) in [
        ("call", "{}", true),
        ("call", r#"{"state":"hangup"}"#, true),
        ("call", HANGUP, false),
        ("sms", r#"{"text":"hello"}"#, true),
        ("sms", MESSAGE, false),
        ("agent_status", AGENT, false),
        ("agent_status", "{}", true),
        ("contact", "{}", true),
        ("changelog", "{}", false),
    ] {
        let kept = server.event(kind, body, &[]).await.ok();
        assert_eq!(
            kept["warnings"].to_string().contains("in no order"),
            warned,
            "{kept}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn lines_are_warned_of_too() {
    let server = TestServer::new().await;
    let lines = format!("{HANGUP}\n\n{AGENT}\nnonsense\n");
    let answer = server.lines("call", lines, &[]).await.ok();
    assert_eq!(
        (&answer["accepted"], &answer["warnings_count"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(answer["warnings"][0]["line"], 3);
    assert!(answer["warnings"].to_string().contains("looks like agent_status"));
    let many = server
        .lines("call", format!("{AGENT}\n").repeat(250), &[])
        .await
        .ok();
    assert_eq!(many["warnings_count"], 250);
    assert_eq!(many["warnings"].as_array().unwrap().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_as_auto_is_told_by_its_shape() {
    let server = TestServer::new().await;
    for (body, kind) in [(HANGUP, "call"), (MESSAGE, "sms"), (AGENT, "agent_status")] {
        let kept = server.event("auto", body, &[]).await.ok();
        assert_eq!(kept["kind"], kind);
        assert!(!kept["warnings"].to_string().contains("looks like"), "{kept}");
    }
    for (body, message) in [
        (r#"{"call_id":1}"#, "its shape is that of no known kind"),
        ("nonsense", "the body is not JSON"),
    ] {
        server.event("auto", body, &[]).await.refused(400, message);
    }
    let lines = format!("{MESSAGE}\n{{}}\n{HANGUP}\n");
    let answer = server.lines("auto", lines, &[]).await.ok();
    assert_eq!(
        (&answer["accepted"], &answer["rejected_count"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(line_and_code(&answer["rejected"][0]), (2, 400));
    let metrics = server.get("/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(
        metrics.contains("switchhook_events_rejected_total{reason=\"of_no_kind\"} 2"),
        "{metrics}"
    );
}

fn line_and_code(rejected: &Value) -> (u64, u64) {
    (
        rejected["line"].as_u64().expect("a line has a number"),
        rejected["error"]["code"].as_u64().expect("an error has a status"),
    )
}

#[tokio::test(start_paused = true)]
async fn a_lines_key_is_its_own_and_many_bad_lines_are_counted() {
    let server = TestServer::new().await;
    let good: String = (0..1_200).map(|n| format!("{{\"call_id\":{n}}}\n")).collect();
    let key = [("idempotency-key", "import")];
    let first = server.lines("call", good.clone(), &key).await.ok();
    assert_eq!(
        (&first["accepted"], &first["duplicates"]),
        (&json!(1_200), &json!(0))
    );
    let again = server.lines("call", good, &key).await.ok();
    assert_eq!(
        (&again["accepted"], &again["duplicates"]),
        (&json!(0), &json!(1_200))
    );
    let bad = server.lines("call", "[]\n".repeat(700), &[]).await.ok();
    assert_eq!(bad["rejected"].as_array().unwrap().len(), 100);
    assert_eq!(bad["rejected_count"], 700);
    let reused = server.lines("call", "{}\n{\"call_id\":1}\n", &key).await.ok();
    assert_eq!(line_and_code(&reused["rejected"][0]), (1, 409));
    assert_eq!(reused["duplicates"], 1);
    let nothing = server.lines("call", "\n\n", &[]).await.ok();
    assert_eq!(
        nothing,
        json!({
            "accepted": 0, "duplicates": 0, "rejected": [], "rejected_count": 0, "warnings": [], "warnings_count": 0,
        })
    );
}

#[tokio::test(start_paused = true)]
async fn lines_that_break_off_say_how_far_they_came() {
    let server = TestServer::new().await;
    let lines: String = (0..600).map(|n| format!("{{\"call_id\":{n}}}\n")).collect();
    let broken = stream::iter([Ok(Bytes::from(lines)), Err(std::io::Error::other("reset"))]);
    let answered = server.lines("call", Body::from_stream(broken), &[]).await;
    answered.refused(
        400,
        "stopped after line 500 (500 accepted, 0 duplicates, 0 rejected; send the rest again)",
    );
}

#[tokio::test(start_paused = true)]
async fn events_are_listed_newest_first_and_narrowed() {
    let server = TestServer::new().await;
    let start = server.node.clock.now();
    server
        .event("call", r#"{"call_id": 1}"#, &[("idempotency-key", "k")])
        .await
        .ok();
    server.wait(Duration::from_secs(10)).await;
    server.event("call", r#"{"call_id": 2}"#, &[]).await.ok();
    server.event("sms", r#"{"id": 3}"#, &[]).await.ok();
    let keys = async |query: &str| -> Vec<String> {
        let page = server.get(&format!("/v1/events{query}")).await.ok();
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["order_key"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(keys("").await, ["sms:3", "call:2", "call:1"]);
    assert_eq!(keys("?kind=call").await, ["call:2", "call:1"]);
    assert_eq!(keys("?order_key=call:1").await, ["call:1"]);
    let later = start.plus(Duration::from_secs(5));
    assert_eq!(keys(&format!("?since={later}")).await, ["sms:3", "call:2"]);
    assert_eq!(keys(&format!("?until={}", later.as_millis())).await, ["call:1"]);
    let page = server.get("/v1/events?limit=2").await.ok();
    let rest = keys(&format!("?limit=2&cursor={}", page["cursor"].as_str().unwrap())).await;
    assert_eq!(rest, ["call:1"]);
    let oldest = server.get("/v1/events?order_key=call:1").await.ok()["items"][0].clone();
    let expected = json!({
        "id": oldest["id"], "kind": "call", "accepted_at": start.as_millis(), "order_key": "call:1", "size": 14,
        "warnings": [], "idempotency_key": "k", "summary": "no state",
    });
    assert_eq!(oldest, expected);
}

#[tokio::test(start_paused = true)]
async fn lists_say_who_and_what_and_read_no_large_events_for_it() {
    let server = TestServer::new().await;
    let webhook = server.webhook("https://example.com").await;
    server.subscribe(&webhook).await;
    let ringing = |more: &str| {
        format!(
            r#"{{"call_id":1,"state":"ringing","direction":"inbound","contact":{{"name":"Ann","phone":"+12025550171"}},"target":{{"name":"Support"}}{more}}}"#
        )
    };
    let large = format!(r#","transcription_text":"{}""#, "x".repeat(64 << 10));
    server.event("call", ringing(""), &[]).await.ok();
    let large = server.event("call", ringing(&large), &[]).await.ok();
    for list in ["/v1/events", "/v1/deliveries"] {
        let page = server.get(list).await.ok();
        assert_eq!(page["items"][0]["summary"], Value::Null, "{list}");
        assert_eq!(page["items"][1]["summary"], "ringing, Ann → Support", "{list}");
    }
    let path = format!("/v1/events/{}", large["id"].as_str().unwrap());
    let shown = server.get(&path).await.ok();
    assert_eq!(shown["summary"], "ringing, Ann → Support");
    assert_eq!(shown["deliveries"][0]["summary"], shown["summary"]);
    assert_eq!(
        server.get(&format!("{path}/explain")).await.ok()["event"]["summary"],
        Value::Null
    );
    let erasure = json!({"number": "+12025550171"});
    server.post("/v1/erasures", erasure).await.ok();
    let erased = server.get("/v1/events").await.ok();
    for item in erased["items"].as_array().unwrap() {
        assert_eq!(item["summary"], Value::Null, "{item}");
    }
}
