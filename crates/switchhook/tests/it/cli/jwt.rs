//! Tokens by hand, and captured requests explained.

use serde_json::Value;
use switchhook_protocol::{StandardKey, Timestamp, sign};

use super::run::Shell;

const SECRET: &str = "both sides know it";
const EVENT: &str = r#"{"call_id": 9223372036854775807, "state": "hangup", "duration": 8951.030}"#;

#[test]
fn what_is_signed_verifies_and_is_shown_digit_for_digit() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    let token = shell
        .run_with_input(&["jwt", "sign", "--secret", SECRET], EVENT)
        .ok()
        .stdout;
    assert_eq!(token, sign(SECRET, EVENT.as_bytes()));
    let verified = shell
        .run(&["jwt", "verify", &token, "--secret", "x", "--secret", SECRET])
        .ok()
        .stdout;
    assert!(
        verified.contains("with secret 2 of 2") && verified.contains("8951.030"),
        "{verified}"
    );
    std::fs::write(folder.path().join("body"), &token).unwrap();
    let by_variable = shell.with("SWITCHHOOK_SECRET", SECRET);
    by_variable.run(&["jwt", "verify", "body"]).ok();
    let decoded = by_variable.run(&["jwt", "decode", "body", "--json"]).ok();
    assert!(decoded.stdout.contains(EVENT), "{decoded:?}");
    assert_eq!(decoded.json()["header"]["alg"], "HS256");
}

#[test]
fn why_a_token_is_refused_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    std::fs::write(folder.path().join("original"), EVENT).unwrap();
    let token = sign(SECRET, EVENT.as_bytes());
    let changed = sign("x", EVENT.replace("hangup", "missed").as_bytes());
    let changed = format!(
        "{}.{}",
        changed.rsplit_once('.').unwrap().0,
        token.rsplit_once('.').unwrap().1
    );
    for (body, secret, cause) in [
        (format!("{token}\n"), SECRET, "white_space"),
        (format!("\"{token}\""), SECRET, "quoted"),
        (token.clone(), " both sides know it", "secret_white_space"),
        (
            sign([0x6d, 0xa8], EVENT.as_bytes()),
            "bag=",
            "secret_base64_decoded",
        ),
        (token.clone(), "a guess", "unexplained"),
        (changed, SECRET, "body_changed"),
    ] {
        let words = [
            "jwt",
            "verify",
            "-",
            "--secret",
            secret,
            "--original",
            "original",
            "--json",
        ];
        let run = shell.run_with_input(&words, &body).failed(1);
        assert_eq!(run.json()["causes"][0]["cause"], cause, "{run:?}");
        assert_eq!(run.json()["holds"], false);
        assert!(
            !run.stderr.contains(secret.trim()) && !run.stdout.contains(secret.trim()),
            "{run:?}"
        );
    }
    for body in [
        "eyJhbGciOiJSUzI1NiJ9.e30.AAAA",
        "eyJhbGciOiJub25lIn0.e30.",
        "{}",
        "",
    ] {
        let run = shell
            .run_with_input(&["jwt", "verify", "--secret", SECRET], body)
            .failed(1);
        assert!(
            run.stdout.contains("not valid") && run.stdout.contains("refused"),
            "{run:?}"
        );
    }
    shell.run_with_input(&["jwt", "decode"], "{}").failed(1);
    shell.run(&["jwt", "verify", &token]).failed(2);
    shell.run(&["jwt", "sign", "original"]).failed(2);
    shell.run(&["jwt", "sign", "original", "--secret", ""]).failed(2);
}

/// The capture explained, as JSON.
#[track_caller]
fn explain(capture: &str, secret: Option<&str>) -> Value {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let mut words = vec!["explain-request", "--json"];
    words.extend(secret.iter().flat_map(|secret| ["--secret", secret]));
    Shell::new(folder.path())
        .run_with_input(&words, capture)
        .ok()
        .json()
}

#[test]
fn a_request_is_understood_however_it_was_captured() {
    let token = sign(SECRET, EVENT.as_bytes());
    let length = token.len();
    let head =
        "POST /hook?a=b HTTP/1.1\r\nHost: x\r\nContent-Type: application/jwt\r\nSwitchhook-Event-Id: 17\r\n";
    let quoted = serde_json::to_string(&token).unwrap();
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &token);
    for (capture, form) in [
        (
            format!("{head}Content-Length: {length}\r\n\r\n{token}"),
            "a raw HTTP request",
        ),
        (
            format!("{head}Content-Length: {length}\r\n\r\n{token}\n"),
            "a raw HTTP request",
        ),
        (
            format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                &token[..5],
                length - 5,
                &token[5..]
            ),
            "a raw HTTP request",
        ),
        (
            format!(
                "> {}> \n{token}",
                head.replace("\r\n", "\n> ").trim_end_matches("> ")
            ),
            "a raw HTTP request",
        ),
        (
            format!(
                "curl 'http://x/hook?a=b' \\\n -H 'Switchhook-Event-Id: 17' -H \"content-type: application/jwt\" --data-raw $'{token}' --compressed"
            ),
            "a curl command",
        ),
        (
            format!(
                r#"{{"method":"POST","url":"/hook?a=b","headers":{{"Switchhook-Event-Id":["17"],"content-type":"application/jwt"}},"body":{quoted}}}"#
            ),
            "a request as JSON",
        ),
        (
            format!(
                r#"{{"log":{{"entries":[{{"request":{{"method":"POST","headers":[{{"name":"Switchhook-Event-Id","value":"17"}},{{"name":"Content-Type","value":"application/jwt"}}],"postData":{{"mimeType":"application/jwt","text":{quoted}}}}}}}]}}}}"#
            ),
            "a request as JSON",
        ),
        (
            format!(
                r#"{{"httpMethod":"POST","headers":{{"switchhook-event-id":"17","content-type":"application/jwt"}},"isBase64Encoded":true,"body":"{base64}"}}"#
            ),
            "a request as JSON",
        ),
    ] {
        let explained = explain(&capture, Some(SECRET));
        assert_eq!(explained["capture"], form, "{explained}");
        assert_eq!(explained["event_id"], "17", "{capture}\n{explained}");
        assert_eq!(explained["method"], "POST");
        assert_eq!(explained["kind"], "call");
        assert_eq!(explained["signature"]["holds"], true, "{capture}\n{explained}");
        assert_eq!(explained["notes"], Value::Array(vec![]), "{explained}");
    }
    let body = explain(&token, None);
    assert_eq!(
        (&body["capture"], &body["signature"]["holds"]),
        (&"a body".into(), &Value::Null)
    );
    assert_eq!(body["summary"], "hangup ? call 9223372036854775807");
}

#[test]
fn what_is_odd_about_a_request_is_noted() {
    let noted = |capture: &str, secret: Option<&str>, expected: &str| {
        let explained = explain(capture, secret);
        let notes = explained["notes"].to_string();
        assert!(notes.contains(expected), "{capture}\n{explained}");
    };
    let token = sign(SECRET, EVENT.as_bytes());
    noted(
        "POST /hook HTTP/1.1\nContent-Type: application/jwt\n\n",
        None,
        "the body is empty",
    );
    noted(
        &format!("POST / HTTP/1.1\nContent-Type: application/json\n\n{token}"),
        None,
        "should not care",
    );
    noted(
        &format!("GET / HTTP/1.1\nHost: x\n\n{EVENT}"),
        None,
        "this is GET",
    );
    noted(
        &format!("POST / HTTP/1.1\nContent-Length: 5\n\n{EVENT}"),
        None,
        "Content-Length says 5",
    );
    noted(
        &format!("POST / HTTP/1.1\nSwitchhook-Event-Kind: sms\n\n{EVENT}"),
        None,
        "shape of call",
    );
    noted(
        &format!("{token}\n"),
        Some(SECRET),
        "ignored as the capture's own",
    );
    noted(EVENT, Some(SECRET), "not signed");
    noted("{}", None, "none of the five known shapes");
    noted(&sign(SECRET, b"[]"), Some(SECRET), "not one JSON object");
    for capture in [
        "",
        "hello",
        "\u{0}\u{1}",
        "curl",
        "{\"headers\":{}}",
        "POST /\n",
        "5\r\n",
    ] {
        let explained = explain(capture, Some(SECRET));
        assert_eq!(explained["kind"], Value::Null, "{explained}");
    }
}

#[test]
fn a_signature_in_the_headers_is_explained_too() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let at = Timestamp::from_millis(1_614_265_330_000);
    let signature = StandardKey::new(secret).sign("evt_17", at, EVENT.as_bytes());
    let capture = format!(
        "POST /hook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Webhook-Id: evt_17\r\nWebhook-Timestamp: 1614265330\r\nWebhook-Signature: {signature}\r\n\r\n{EVENT}",
        EVENT.len()
    );
    for (secret, holds, said) in [
        (Some(secret), Some(true), ""),
        (
            Some("other"),
            Some(false),
            "no signature in `webhook-signature` fits",
        ),
        (None, None, ""),
    ] {
        let explained = explain(&capture, secret);
        let standard = &explained["standard_webhooks"];
        assert_eq!(standard["holds"].as_bool(), holds, "{explained:#}");
        assert!(
            standard["refused"].as_str().unwrap_or_default().starts_with(said),
            "{explained:#}"
        );
        assert!(
            standard["age"]
                .as_str()
                .unwrap()
                .contains("then refuse it as a replay")
        );
        assert_eq!(
            (&explained["is_signed"], &explained["signature"]),
            (&true.into(), &Value::Null)
        );
        assert_eq!(explained["notes"], serde_json::json!([]), "{explained:#}");
    }
    let bare = explain(&capture, secret.strip_prefix("whsec_"));
    let cause = bare["standard_webhooks"]["cause"].as_str().unwrap();
    assert!(cause.contains("write it with `whsec_` before it"), "{cause}");
}
