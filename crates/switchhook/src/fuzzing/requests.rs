//! Requests to a whole node: every route, what sources send in, batches of lines.

use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;
use switchhook_protocol::{check_object, recognize_kind, sign, verify};

use super::node::{MARKER, Node, NodeAnswer, SECRET, with_node};
use super::readers::event_seeds;
use switchhook_node::ingest::LARGEST_EVENT;
use switchhook_node::settings::Settings;

/// A request as text: `METHOD TARGET`, headers as lines, an empty line, the body. Whatever it is, the node answers in
/// the words of its API, does not fail, and neither shows nor changes what is another company's.
pub(super) fn request(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    with_node(|node| {
        let Some(request) = read(&node.resolve(text)) else {
            return;
        };
        let answered = node.ask(request);
        check(&answered);
        let shown = String::from_utf8_lossy(&answered.body);
        let is_echo = text.contains(MARKER) || text.to_ascii_lowercase().contains("authorization");
        assert!(
            is_echo || !shown.contains(MARKER),
            "shows what is another company's: {shown}"
        );
    });
}

fn read(text: &str) -> Option<Request<Body>> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        request = request.header(name.trim(), value.trim());
    }
    request.body(Body::from(body.to_owned())).ok()
}

#[track_caller]
fn check(answered: &NodeAnswer) {
    let NodeAnswer { status, body } = answered;
    assert!(!status.is_server_error(), "{status}: {body:?}");
    if status.is_client_error() {
        let answer = answered.json();
        assert_eq!(answer["error"]["code"], status.as_u16(), "{status}: {body:?}");
        assert!(answer["error"]["message"].is_string(), "{body:?}");
    }
}

/// Every route of the API with ids that there are, of both companies; and bodies for those that take one.
pub(super) fn request_seeds() -> Vec<Vec<u8>> {
    let openapi = switchhook_web::api::openapi(&Settings::default());
    let mut seeds = Vec::new();
    for (path, methods) in openapi["paths"].as_object().into_iter().flatten() {
        for method in methods.as_object().into_iter().flat_map(|methods| methods.keys()) {
            let method = method.to_uppercase();
            if matches!(&*method, "GET" | "POST" | "PATCH" | "DELETE" | "PUT") {
                for other in ["", "OTHER_"] {
                    seeds.push(format!("{method} {}", filled_in(path, other)).into_bytes());
                }
            }
        }
    }
    seeds.extend(
        BODIES
            .iter()
            .map(|(line, body)| format!("{line}\ncontent-type: application/json\n\n{body}").into_bytes()),
    );
    seeds
}

/// A path with an id that there is in the place of its parameter.
fn filled_in(path: &str, other: &str) -> String {
    let name = match path {
        path if path.starts_with("/in/") => "INLET",
        path if path.contains("/webhooks") => "WEBHOOK",
        path if path.contains("/websockets") => "WEBSOCKET",
        path if path.contains("/subscriptions") => "SUBSCRIPTION",
        path if path.contains("/sources") => "SOURCE",
        path if path.contains("/deliveries") => "DELIVERY",
        _ => "EVENT",
    };
    match (path.find('{'), path.find('}')) {
        _ if path.ends_with("/{kind}") => path.replace("{kind}", "call"),
        (Some(begin), Some(end)) => format!("{}{{{other}{name}}}{}", &path[..begin], &path[end + 1..]),
        _ => format!("{path}?limit=2&cursor={{{other}{name}}}"),
    }
}

const BODIES: &[(&str, &str)] = &[
    (
        "POST /api/v2/webhooks",
        r#"{"hook_url":"https://example.com/a","secret":"s"}"#,
    ),
    (
        "PATCH /api/v2/webhooks/{OTHER_WEBHOOK}",
        r#"{"hook_url":"https://example.com/b","secret":null}"#,
    ),
    (
        "PATCH /v1/webhooks/{WEBHOOK}",
        r#"{"max_in_flight":3,"rate":1.5,"headers":{"X-A":"b"},"ordered":false,"retry_schedule":[1,2.5]}"#,
    ),
    (
        "POST /v1/webhooks/{WEBHOOK}/rotate-secret",
        r#"{"secret":"t","keep_old_for":60}"#,
    ),
    ("POST /api/v2/websockets", r#"{"secret":"s"}"#),
    (
        "POST /api/v2/subscriptions/call",
        r#"{"endpoint_id":{OTHER_WEBHOOK},"call_states":["ringing","hangup"],"enabled":true,"group_calls_only":false,"target_type":"user","target_id":5}"#,
    ),
    (
        "PATCH /api/v2/subscriptions/call/{SUBSCRIPTION}",
        r#"{"endpoint_id":"{OTHER_WEBSOCKET}"}"#,
    ),
    (
        "POST /api/v2/subscriptions/sms",
        r#"{"webhook_id":"{WEBHOOK}","direction":"all","include_internal":true,"status":true}"#,
    ),
    (
        "POST /api/v2/subscriptions/agent_status",
        r#"{"endpoint_id":{WEBHOOK},"agent_type":"callcenter"}"#,
    ),
    (
        "POST /api/v2/subscriptions/contact",
        r#"{"endpoint_id":{WEBHOOK},"contact_type":"shared"}"#,
    ),
    (
        "POST /api/v2/subscriptions/changelog",
        r#"{"endpoint_id":{WEBHOOK}}"#,
    ),
    (
        "POST /v1/events/call?validate=strict",
        r#"{"call_id":9223372036854775807,"state":"hangup"}"#,
    ),
    ("POST /v1/sources", r#"{"name":"n","kind":"call","secret":"s"}"#),
    (
        "POST /v1/keys",
        r#"{"name":"n","rights":"read,write","scopes":"recordings_export","expires_in":"90d"}"#,
    ),
    ("PATCH /v1/sources/{OTHER_SOURCE}", r#"{"name":"m"}"#),
    ("POST /v1/sources/{OTHER_SOURCE}/retry-refusals", "{}"),
    ("POST /v1/events/{OTHER_EVENT}/route", r#"{"kind":"call"}"#),
    (
        "POST /v1/replays",
        r#"{"filter":{"kind":"call","since":0,"event_ids":["{OTHER_EVENT}"]},"to":{"webhook_id":"{OTHER_WEBHOOK}"},"rate":5,"dry_run":true}"#,
    ),
    (
        "POST /v1/replays",
        r#"{"filter":{"since":"2026-01-01T00:00:00Z"},"to":{"url":"https://example.com/x"}}"#,
    ),
    ("POST /v1/erasures", r#"{"number":"+14155550100","dry_run":true}"#),
];

/// Checks requests to a source: a signed one keeps only what is signed with its secret, and repeats are recognized.
pub(super) fn inlet(input: &[u8]) {
    if input.is_empty() {
        return;
    }
    with_node(|node| {
        let open = format!("/in/{}", node.name("{INLET}"));
        let signed = format!("/in/{}", node.name("{SIGNED_INLET}"));
        sends_twice(node, &open, input);
        if sends_twice(node, &signed, input) {
            let is_signed = [input, input.trim_ascii()].map(|token| verify(token, [SECRET]).is_ok());
            assert!(is_signed.contains(&true), "kept without a signature: {input:?}");
        }
        let is_event =
            recognize_kind(input).is_some() && check_object(input).is_ok() && input.len() <= LARGEST_EVENT;
        let is_kept = sends_twice(node, &signed, sign(SECRET, input).as_bytes());
        assert!(
            is_kept || !is_event,
            "an event that is rightly signed was not kept: {input:?}"
        );
    });
}

/// Posts twice; whether it was kept.
fn sends_twice(node: &Node, path: &str, body: &[u8]) -> bool {
    let first = node.post(path, body);
    check(&first);
    if !first.status.is_success() {
        return false;
    }
    let again = node.post(path, body).json();
    assert_eq!(
        again["id"],
        first.json()["id"],
        "the same bytes are the same event"
    );
    assert_eq!(again["duplicate"], true);
    true
}

pub(super) fn inlet_seeds() -> Vec<Vec<u8>> {
    let mut seeds = event_seeds();
    let tokens: Vec<_> = seeds
        .iter()
        .map(|event| sign(SECRET, event).into_bytes())
        .collect();
    seeds.extend(tokens);
    seeds
}

/// Many events, one to a line: each line that is one is accepted, each that is none is named.
pub(super) fn batch(input: &[u8]) {
    let lines = input.split(|byte| *byte == b'\n').collect::<Vec<_>>();
    let lines = lines.iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines: Vec<_> = lines
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .collect();
    let is_event = |line: &[u8]| check_object(line).is_ok() && line.len() <= LARGEST_EVENT;
    let wrong: Vec<_> = lines
        .iter()
        .filter(|(_, line)| !is_event(line))
        .map(|(index, _)| index + 1)
        .collect();
    with_node(|node| {
        let request = Request::post("/v1/events/call").header(CONTENT_TYPE, "application/x-ndjson");
        let answered = node.ask(
            request
                .body(Body::from(input.to_vec()))
                .expect("a path is a path"),
        );
        check(&answered);
        let answer = answered.json();
        assert_eq!(
            answer["accepted"].as_u64(),
            Some((lines.len() - wrong.len()) as u64),
            "{answer}"
        );
        assert_eq!(
            answer["rejected_count"].as_u64(),
            Some(wrong.len() as u64),
            "{answer}"
        );
        let named = answer["rejected"].as_array().into_iter().flatten();
        let named: Vec<_> = named
            .filter_map(|line| usize::try_from(line["line"].as_u64()?).ok())
            .collect();
        assert_eq!(named, wrong[..wrong.len().min(100)], "{answer}");
    });
}

pub(super) fn batch_seeds() -> Vec<Vec<u8>> {
    let events = event_seeds().join(&b"\n"[..]);
    let mixed = b"{\"call_id\":1,\"state\":\"ringing\"}\r\n\n  \n[1]\n{\"a\":1}{\"b\":2}\n\xff\n{}".to_vec();
    vec![events, mixed]
}
