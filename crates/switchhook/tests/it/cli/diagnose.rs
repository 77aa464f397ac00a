//! Receivers that are wrong on purpose, each as somebody wrote it: the diagnosis names what is wrong, and nothing else. And
//! right ones, of which it says nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;
use switchhook_protocol::verify;
use switchhook_receiver::{Bounds, Labels, Receiver, Repeats, Turn};
use tokio::net::TcpListener;

use super::run::Shell;

const SECRET: &str = "a secret that both of us know";

/// Receiver with wrong contents or answers.
#[derive(Clone)]
struct Wrong {
    stored: Arc<Mutex<u64>>,
    react: Arc<React>,
}

type React = dyn Fn(&HeaderMap, &[u8]) -> Reaction + Send + Sync;

/// The status, and whether the event is stored.
type Reaction = (u16, bool);

async fn receive(State(wrong): State<Wrong>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let (status, is_stored) = (wrong.react)(&headers, &body);
    *wrong.stored.lock() += u64::from(is_stored);
    if status == 0 {
        // Never answers.
        std::future::pending::<()>().await;
    }
    StatusCode::from_u16(status).expect("it is a status")
}

async fn count(State(wrong): State<Wrong>) -> String {
    wrong.stored.lock().to_string()
}

async fn start(react: impl Fn(&HeaderMap, &[u8]) -> Reaction + Send + Sync + 'static) -> SocketAddr {
    let wrong = Wrong {
        stored: Arc::default(),
        react: Arc::new(react),
    };
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback has a free port");
    let address = listener.local_addr().expect("it listens");
    let routes = Router::new()
        .route("/hook", get(count).post(receive))
        .with_state(wrong);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

/// Diagnoses a receiver and compares what is found.
#[track_caller]
fn check(address: SocketAddr, more: &[&str], wanted: &[&str]) -> Value {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let url = format!("http://{address}/hook");
    let mut words = vec!["simulate", "--to", &url, "--diagnose", "--json"];
    words.extend(
        more.iter()
            .map(|word| if *word == "URL" { url.as_str() } else { *word }),
    );
    let run = Shell::new(folder.path()).run(&words);
    let run = if wanted.is_empty() {
        run.ok()
    } else {
        run.failed(1)
    };
    let report = run.json();
    let found: Vec<_> = report["findings"].as_array().expect("a list").iter().collect();
    let names: Vec<_> = found
        .iter()
        .filter_map(|found| found["finding"].as_str())
        .collect();
    assert_eq!(names, wanted, "{report:#}");
    report
}

const SIGNED: [&str; 2] = ["--secret", SECRET];
const COUNTED: [&str; 4] = ["--secret", SECRET, "--count-at", "URL"];

fn verified(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(&verify(body, [SECRET]).ok()?).ok()
}

/// Verifies as it should, and then looks at the event in a way of its own.
fn verifying(then: impl Fn(&Value) -> Reaction) -> impl Fn(&HeaderMap, &[u8]) -> Reaction {
    move |_, body| match verified(body) {
        Some(event) => then(&event),
        None => (401, false),
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get("content-type").and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_right_receiver_nothing_is_said() {
    let receiver = Receiver::builder()
        .secret(SECRET)
        .build()
        .expect("it has a secret");
    let repeats = Repeats::in_memory(Bounds::default());
    let right = start(move |headers, body| {
        let labels = Labels::read(|name| headers.get(name)?.to_str().ok());
        match receiver.receive_labelled(labels, body) {
            Err(refusal) => (refusal.answer_status(), false),
            Ok(event) => match repeats.begin(event.repeat_key()) {
                Turn::First(claim) => (claim.done().map_or(500, |()| 200), true),
                _ => (200, false),
            },
        }
    });
    let right = right.await;
    let report = check(right, &SIGNED, &[]);
    assert!(report["not_seen"].to_string().contains("--count-at"), "{report}");
    let report = check(right, &COUNTED, &[]);
    assert_eq!(report["not_seen"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_right_receiver_without_a_secret_nothing_is_said() {
    let open = Receiver::builder()
        .build()
        .expect("there is no secret to be wrong");
    let right = start(move |_, body| match open.receive(body) {
        Ok(_) => (200, true),
        Err(refusal) => (refusal.answer_status(), false),
    });
    check(right.await, &[], &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_for_a_signature_header_is_told_which() {
    let wrong = start(|headers, body| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let tag = hmac::sign(&key, body);
        let wanted: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        match headers.get("x-dialpad-signature") {
            Some(given) if given.as_bytes() == wanted.as_bytes() => (200, true),
            _ => (401, false),
        }
    });
    let report = check(wrong.await, &SIGNED, &["waits-for-a-header"]);
    let says = report["findings"][0]["says"].as_str().unwrap_or_default();
    assert!(says.contains("X-Dialpad-Signature"), "{says}");
    let only_there = start(|headers, _| match headers.get("x-dialpad-signature") {
        Some(_) => (200, true),
        None => (401, false),
    });
    let both = ["waits-for-a-header", "does-not-verify"];
    check(only_there.await, &SIGNED, &both);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_believes_everything_does_not_verify() {
    check(start(|_, _| (200, true)).await, &SIGNED, &["does-not-verify"]);
    // As with PyJWT and no algorithm named, or a decoder that only decodes.
    let decoding = start(|_, body| match body.split(|byte| *byte == b'.').count() {
        3 => (200, true),
        _ => (400, false),
    });
    check(decoding.await, &SIGNED, &["does-not-verify"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_framework_parses_json_cannot_read_a_jwt() {
    let by_content_type = start(|headers, body| match content_type(headers) {
        "application/jwt" => (415, false),
        _ if verified(body).is_some() => (200, true),
        _ => (401, false),
    });
    check(by_content_type.await, &SIGNED, &["cannot-read-jwt"]);
    let json_only = start(|_, body| match serde_json::from_slice::<Value>(body) {
        Ok(_) => (200, true),
        Err(_) => (400, false),
    });
    check(json_only.await, &SIGNED, &["cannot-read-jwt", "does-not-verify"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_with_a_strict_schema_is_told_what_it_refuses() {
    let nulls = verifying(|event| {
        let has_null = event
            .as_object()
            .is_some_and(|event| event.values().any(Value::is_null));
        (
            if has_null && event.get("call_id").is_some() {
                422
            } else {
                200
            },
            true,
        )
    });
    check(start(nulls).await, &SIGNED, &["refuses-nulls"]);
    let fields = verifying(|event| {
        (
            if event.get("of_tomorrow").is_some() {
                400
            } else {
                200
            },
            true,
        )
    });
    check(start(fields).await, &SIGNED, &["refuses-unknown-fields"]);
    let states = verifying(|event| {
        let known = event.get("state").is_none_or(|state| state == "hangup");
        (if known { 200 } else { 400 }, true)
    });
    check(start(states).await, &SIGNED, &["refuses-unknown-states"]);
    let integers = verifying(|event| {
        let is_whole = |name: &str| event.get(name).is_none_or(|value| !value.is_f64());
        (if is_whole("duration") { 200 } else { 500 }, true)
    });
    check(start(integers).await, &SIGNED, &["refuses-fractions"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_refuses_what_it_does_not_use_is_told_so() {
    let calls_only = verifying(|event| (if event.get("call_id").is_some() { 200 } else { 400 }, true));
    check(start(calls_only).await, &SIGNED, &["refuses-other-kinds"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_answer_in_time_is_too_slow() {
    let silent = start(|_, _| (0, false)).await;
    let words = [&SIGNED[..], &["--timeout", "100ms"]].concat();
    check(silent, &words, &["too-slow"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_counts_a_repeat_twice_is_seen_by_its_count() {
    let counting = || verifying(|_| (200, true));
    check(start(counting()).await, &SIGNED, &[]);
    check(start(counting()).await, &COUNTED, &["counts-repeats-twice"]);
    let seen = Mutex::new(Vec::new());
    let conflict = start(move |_, body| match verified(body) {
        None => (401, false),
        Some(event) if seen.lock().contains(&event) => (409, false),
        Some(event) => {
            seen.lock().push(event);
            (200, true)
        }
    });
    check(conflict.await, &SIGNED, &["refuses-repeats"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_follows_invented_names_is_told_so() {
    let refusing = verifying(|event| match event.get("event").and_then(Value::as_str) {
        Some("call.ended") => (200, true),
        _ => (400, false),
    });
    check(start(refusing).await, &SIGNED, &["invented-names"]);
    let passing = || verifying(|event| (200, event["event_type"] == "call.hangup"));
    check(start(passing()).await, &SIGNED, &[]);
    check(start(passing()).await, &COUNTED, &["invented-names"]);
    let idle = verifying(|_| (200, false));
    check(start(idle).await, &COUNTED, &["has-no-effect"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_crashes_redirects_or_has_another_secret_is_told_so() {
    let crashing = start(|_, body| (if verified(body).is_some() { 200 } else { 500 }, true));
    check(crashing.await, &SIGNED, &["fails-on-forgeries"]);
    let redirecting = start(|_, _| (308, false));
    check(redirecting.await, &SIGNED, &["redirects"]);
    let other = start(|_, body| {
        (
            if verify(body, ["another"]).is_ok() {
                200
            } else {
                401
            },
            true,
        )
    });
    check(other.await, &SIGNED, &["refuses-genuine-events"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_sentences_and_a_page() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let believing = start(|_, _| (200, true)).await;
    let url = format!("http://{believing}/hook");
    let words = ["simulate", "--to", &url, "--secret", SECRET, "--diagnose"];
    let run = Shell::new(folder.path()).run(&words).failed(1);
    for part in [
        "does-not-verify: ",
        "algorithm `none`",
        "docs/diagnose/does-not-verify.md",
    ] {
        assert!(run.stdout.contains(part), "{run:?}");
    }
    assert!(
        run.stderr.contains("not seen: whether a repeat counts twice"),
        "{run:?}"
    );
    let nobody = ["simulate", "--to", "http://127.0.0.1:9/hook", "--diagnose"];
    let run = Shell::new(folder.path()).run(&nobody).failed(1);
    assert!(run.stderr.contains("is the receiver running?"), "{run:?}");
}
