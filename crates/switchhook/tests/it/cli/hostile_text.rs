//! Hostile text (names, answers, messages of a server) reaches no terminal unescaped, whatever command shows it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use switchhook_node::sanitize::is_deceptive;
use switchhook_protocol::sign;

use super::run::{Run, Shell};
use crate::support::process::ServerProcess;

/// A title for the window, a cleared screen, a forged line, letters from right to left, an isolate that ends too early.
const HOSTILE: &str = "Ann\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\r\nerror: forged\n\u{202e}live\u{2069}\u{200f}\u{200b}\u{7f}\u{e0041}";

#[track_caller]
fn check(run: &Run, what: &[&str]) {
    for text in [&run.stdout, &run.stderr] {
        let shown = |letter: char| is_deceptive(letter) && letter != '\n' && letter != '\t';
        assert!(!text.contains(shown), "{what:?}: {text:?}");
        let is_forged = text.lines().any(|line| line.starts_with("error: forged"));
        assert!(!is_forged, "{what:?}: {text}");
    }
}

/// A server on loopback that answers everything alike.
async fn answering(status: StatusCode, headers: HeaderMap, body: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback has a free port");
    let address = listener.local_addr().expect("it listens");
    let router = Router::new().fallback(move || {
        let answer = (status, headers.clone(), body.clone());
        async move { answer }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn call() -> String {
    let person = json!({ "name": HOSTILE, "phone": HOSTILE, "type": HOSTILE, "id": 7 });
    json!({ "call_id": HOSTILE, "state": "ringing", "direction": HOSTILE, "contact": person, "target": person,
            "external_number": HOSTILE })
    .to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_shows_what_strangers_wrote_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path()).await;
    let mut headers = HeaderMap::new();
    headers.insert("x-evil", HeaderValue::from_bytes(b"\x9b2J\tx").unwrap());
    let receiver = answering(StatusCode::BAD_REQUEST, headers, HOSTILE.to_owned()).await;
    let caller = server.caller();
    let webhook = caller
        .ask(
            "POST",
            "/api/v2/webhooks",
            &json!({ "hook_url": receiver }).to_string(),
        )
        .await;
    let webhook = webhook["id"].as_str().unwrap().to_owned();
    let endpoint = json!({ "endpoint_id": webhook }).to_string();
    caller.ask("POST", "/api/v2/subscriptions/call", &endpoint).await;
    // The source's name may be refused; a name that is taken is shown.
    let _ = caller
        .send("POST", "/v1/sources", &json!({ "name": HOSTILE }).to_string())
        .await;
    let event = caller.ask("POST", "/v1/events/call", &call()).await;
    let delivery = event["deliveries"][0]["id"].as_str().unwrap().to_owned();
    let event = event["id"].as_str().unwrap().to_owned();
    while caller.ask("GET", &format!("/v1/deliveries/{delivery}"), "").await["attempts"][0]["answer"]
        == Value::Null
    {
        tokio::task::yield_now().await;
    }
    let store = format!("sqlite:{}", folder.path().join("switchhook.db").display());
    let shell = Shell::new(folder.path())
        .with("SWITCHHOOK_URL", format!("http://{}", server.address))
        .with("SWITCHHOOK_API_KEY", &server.key);
    let key = shell.run(&["keys", "create", "--name", HOSTILE, "--store", &store]);
    let company = shell.run(&["companies", "update", "1", "--name", HOSTILE, "--store", &store]);
    check(&key, &["keys create"]);
    check(&company, &["companies update"]);
    let commands: &[&[&str]] = &[
        &["events", "list"],
        &["events", "list", "--order-key", HOSTILE],
        &["events", "list", "--kind", HOSTILE],
        &["events", "show", &event],
        &["events", "explain", &event],
        &["events", "show", HOSTILE],
        &["deliveries", "list"],
        &["deliveries", "show", &delivery],
        &["deliveries", "retry", &delivery],
        &["deliveries", "redeliver", &delivery],
        &["webhooks", "list"],
        &["webhooks", "show", &webhook],
        &["subscriptions", "list"],
        &["sources", "list"],
        &["websockets", "list"],
        &["replays", "create", "--to-url", HOSTILE],
        &["replays", "list"],
        &["keys", "list", "--store", &store],
        &["companies", "list", "--store", &store],
        &["doctor"],
        &[HOSTILE],
        &["send", "call", HOSTILE],
        &["jwt", "decode", HOSTILE],
        &["migrate", "--store", HOSTILE],
        &["config", "check", "--config", HOSTILE],
        &["simulate", HOSTILE],
    ];
    for words in commands {
        check(&shell.run(words), words);
    }
    let shown = shell.run(&["deliveries", "show", &delivery]).ok().stdout;
    assert!(
        shown.contains("\\u{1b}]0;owned") && shown.contains("\\u{202e}live"),
        "{shown}"
    );
    let shown = shell.run(&["events", "list"]).ok().stdout;
    assert!(shown.contains("\\u{202e}live"), "{shown}");
    let token = sign(HOSTILE, call().as_bytes());
    let capture = format!(
        "POST /{HOSTILE} HTTP/1.1\r\nContent-Type: {HOSTILE}\r\n\r\n{}",
        call()
    );
    let inputs: &[(&[&str], &str)] = &[
        (&["jwt", "decode", "-"], &token),
        (&["jwt", "verify", "-", "--secret", "other"], &token),
        (&["explain-request", "-"], &capture),
        (&["explain-request", "-"], HOSTILE),
        (&["send", "call", "-"], HOSTILE),
        (&["send", "sms", "-", "--idempotency-key", HOSTILE], &token),
    ];
    for (words, input) in inputs {
        check(&shell.run_with_input(words, input), words);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_ours_is_repeated_in_visible_characters() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = json!({ "error": { "code": 400, "message": HOSTILE } }).to_string();
    let thing = json!({ "id": HOSTILE, "kind": HOSTILE, "state": HOSTILE, "label": HOSTILE, "text": HOSTILE, "name": HOSTILE, "hook_url": HOSTILE,
        "event_id": HOSTILE, "webhook_id": HOSTILE, "duplicate": false, "warnings": [HOSTILE], "deliveries": [],
        "items": [{ "id": HOSTILE, "name": HOSTILE }], "cursor": HOSTILE })
    .to_string();
    for (status, body) in [
        (StatusCode::BAD_REQUEST, refusal.as_str()),
        (StatusCode::OK, &thing),
        (StatusCode::OK, HOSTILE),
        (StatusCode::INTERNAL_SERVER_ERROR, HOSTILE),
    ] {
        let url = answering(status, HeaderMap::new(), body.to_owned()).await;
        let shell = Shell::new(folder.path())
            .with("SWITCHHOOK_URL", url)
            .with("SWITCHHOOK_API_KEY", "shk_x");
        let commands: &[&[&str]] = &[
            &["webhooks", "list"],
            &["webhooks", "show", "1"],
            &["webhooks", "create", "https://example.com"],
            &["subscriptions", "list"],
            &["sources", "list"],
            &["websockets", "list"],
            &["events", "list"],
            &["events", "show", "1"],
            &["events", "explain", "1"],
            &["deliveries", "list"],
            &["deliveries", "show", "1"],
            &["deliveries", "retry", "1"],
            &["replays", "list"],
            &["replays", "show", "1"],
            &["erase", "--number", "+14155550100", "--yes"],
            &["doctor"],
        ];
        for words in commands {
            check(&shell.run(words), words);
        }
        let sent = shell.run_with_input(&["send", "call", "-"], &call());
        check(&sent, &["send"]);
        if body != HOSTILE {
            assert!((sent.stdout + &sent.stderr).contains("\\u{1b}]0;owned"), "{body}");
        }
    }
}

/// Checks that `dev` shows an event with a hostile name in visible characters.
#[test]
fn dev_shows_a_hostile_name_in_visible_characters() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Command::new(env!("CARGO_BIN_EXE_switchhook"))
        .args(["dev", "--listen", "127.0.0.1:0", "--no-simulate"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary was built");
    let mut lines = BufReader::new(dev.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let address = lines
        .find_map(|line| Some(line.split_once("listening at http://")?.1.to_owned()))
        .expect("it says where it is");
    // What `dev` left in the folder leads there.
    let left = std::fs::read_to_string(folder.path().join(".switchhook/address")).unwrap();
    assert_eq!(left, format!("http://{address}\n"));
    let shell = Shell::new(folder.path());
    let event = json!({ "call_id": 7, "state": "ringing", "contact": { "name": HOSTILE, "phone": HOSTILE } });
    shell
        .run_with_input(&["send", "call", "-"], &event.to_string())
        .ok();
    let shown = lines.find(|line| line.contains("attempt 1"));
    dev.kill().unwrap();
    dev.wait().unwrap();
    let shown = shown.expect("it arrives");
    assert!(shown.contains("\\u{1b}]0;owned"), "{shown}");
    assert!(!shown.contains(is_deceptive), "{shown:?}");
}
