//! `switchhook listen`, between a server and a program on this machine.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use switchhook_protocol::verify;

use super::run::Shell;
use crate::support::http::{Arrival, Caller, RecordingReceiver};
use crate::support::process::ServerProcess;
use crate::support::proxy::Proxy;

/// A listen that runs; ends with the test.
struct Listening(Child);

impl Listening {
    fn start(server: SocketAddr, key: &str, receiver: &RecordingReceiver, more: &[&str], log: &Path) -> Self {
        let log = std::fs::File::create(log).expect("the directory is ours");
        let child = Command::new(env!("CARGO_BIN_EXE_switchhook"))
            .args(["listen", "--forward", &receiver.url()])
            .args(["--url", &format!("http://{server}"), "--key", key])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary was built");
        Self(child)
    }

    /// Asks it to stop, as Ctrl-C does; answers its exit code.
    fn stop(&mut self) -> Option<i32> {
        let kill = Command::new("kill")
            .args(["-INT", &self.0.id().to_string()])
            .status();
        assert!(kill.expect("there is a kill").success());
        self.0.wait().expect("it ends").code()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // An error means that it is already gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn event(number: usize) -> String {
    format!(r#"{{"call_id":{number},"state":"hangup","duration":8951.030}}"#)
}

async fn send(caller: &Caller, numbers: std::ops::Range<usize>) {
    let lines: Vec<_> = numbers.map(event).collect();
    let answer = caller.ask_lines("/v1/events/call", &lines.join("\n")).await;
    assert_eq!(answer["accepted"], lines.len(), "{answer}");
}

async fn websockets(caller: &Caller) -> Vec<Value> {
    let listed = caller.ask("GET", "/api/v2/websockets", "").await;
    listed["items"].as_array().expect("there is a list").clone()
}

/// Waits until something listens and its subscriptions stand.
async fn wait_for_listener(caller: &Caller, log: &Path) {
    for _ in 0..400 {
        let output = std::fs::read_to_string(log).expect("it was made");
        if output.contains("listening at") && !websockets(caller).await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!(
        "nobody listens: {}",
        std::fs::read_to_string(log).expect("it was made")
    );
}

/// Waits until these words were said so many times.
async fn wait_for_words(log: &Path, words: &str, times: usize) {
    for _ in 0..400 {
        let output = std::fs::read_to_string(log).expect("it was made");
        if output.matches(words).count() >= times {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{}", std::fs::read_to_string(log).expect("it was made"));
}

fn bodies(arrivals: &[Arrival]) -> Vec<String> {
    let text = |arrival: &Arrival| String::from_utf8_lossy(&arrival.body).into_owned();
    arrivals.iter().map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_passed_on_is_what_a_webhook_would_get_and_nothing_is_left_behind() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let server = ServerProcess::start(dir.path()).await;
    let caller = server.caller();
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    let log = dir.path().join("listen");
    let secret = ["--secret", "s3cret", "--kinds", "call,contact"];
    let mut listening = Listening::start(server.address, &server.key, &receiver, &secret, &log);
    wait_for_listener(&caller, &log).await;
    let answer = caller.ask("POST", "/v1/events/call", &event(7)).await;
    receiver
        .wait_until("an event", |arrivals| !arrivals.is_empty())
        .await;
    let arrival = &receiver.arrivals()[0];
    let body = verify(&arrival.body, ["s3cret"]).expect("it is signed");
    assert_eq!(String::from_utf8_lossy(&body), event(7));
    assert_eq!(arrival.header("content-type"), "application/jwt");
    assert_eq!(arrival.header("switchhook-event-id"), answer["id"]);
    assert_eq!(arrival.header("switchhook-event-kind"), "call");
    assert_eq!(arrival.header("switchhook-attempt"), "1");
    assert!(arrival.header("user-agent").starts_with("Switchhook/"));
    assert_eq!(listening.stop(), Some(0));
    assert_eq!(websockets(&caller).await, Vec::<Value>::new());
    for kind in ["call", "contact"] {
        let left = caller
            .ask("GET", &format!("/api/v2/subscriptions/{kind}"), "")
            .await;
        assert_eq!(left["items"], json!([]));
    }
}

/// Number of cuts; after each, `listen` waits for a quarter of a second.
const CUTS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_lost_again_and_again_loses_no_event() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let server = ServerProcess::start(dir.path()).await;
    let caller = server.caller();
    let wire = Proxy::to(server.address).await;
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    let log = dir.path().join("listen");
    let mut listening = Listening::start(wire.address, &server.key, &receiver, &["--kinds", "call"], &log);
    wait_for_listener(&caller, &log).await;
    for cut in 0..CUTS {
        send(&caller, cut * 30..cut * 30 + 30).await;
        let some = cut * 30 + 1;
        receiver
            .wait_until("some events", |arrivals| arrivals.len() >= some)
            .await;
        wire.cut();
    }
    receiver
        .wait_until("every event", |arrivals| {
            arrivals
                .iter()
                .any(|arrival| arrival.body == event(CUTS * 30 - 1))
        })
        .await;
    let mut arrived = bodies(&receiver.arrivals());
    // What was being answered when the wire was cut may come again.
    arrived.dedup();
    assert_eq!(arrived, (0..CUTS * 30).map(event).collect::<Vec<_>>(), "in order");
    wait_for_words(&log, "connected again", CUTS).await;
    assert_eq!(listening.stop(), Some(0));
    assert_eq!(websockets(&caller).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_a_program_that_is_not_there_lose_no_event() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let mut server = ServerProcess::start(dir.path()).await;
    let caller = server.caller();
    let receiver = RecordingReceiver::start(|_| StatusCode::INTERNAL_SERVER_ERROR).await;
    let made = caller.ask("POST", "/api/v2/websockets", "{}").await;
    let id = made["id"].as_str().expect("ids are strings");
    let body = json!({"endpoint_id": id}).to_string();
    caller.ask("POST", "/api/v2/subscriptions/call", &body).await;
    let log = dir.path().join("listen");
    let existing = ["--websocket", id];
    let mut listening = Listening::start(server.address, &server.key, &receiver, &existing, &log);
    wait_for_listener(&caller, &log).await;
    send(&caller, 0..5).await;
    server.kill();
    server.start_again().await;
    send(&caller, 5..10).await;
    receiver
        .wait_until("ten events", |arrivals| arrivals.len() >= 10)
        .await;
    assert_eq!(listening.stop(), Some(0));
    let mut arrived = bodies(&receiver.arrivals());
    arrived.dedup();
    assert_eq!(arrived, (0..10).map(event).collect::<Vec<_>>());
    assert_eq!(websockets(&caller).await.len(), 1, "it was there before");
    // A night away: whoever knows its place goes on from there.
    let output = std::fs::read_to_string(&log).expect("it was made");
    let (_, place) = output.rsplit_once("--after ").expect("it tells its place");
    send(&caller, 10..15).await;
    let after = ["--websocket", id, "--after", place.trim()];
    let mut listening = Listening::start(server.address, &server.key, &receiver, &after, &log);
    receiver
        .wait_until("the rest", |arrivals| {
            arrivals.iter().any(|arrival| arrival.body == event(14))
        })
        .await;
    assert_eq!(listening.stop(), Some(0));
    let mut arrived = bodies(&receiver.arrivals());
    arrived.dedup();
    assert_eq!(arrived, (0..15).map(event).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_listen_says_why_and_fails() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let server = ServerProcess::start(dir.path()).await;
    let url = format!("http://{}", server.address);
    let shell = Shell::new(dir.path());
    let forward = ["listen", "--forward", "http://127.0.0.1:9/hook", "--url"];
    let run = |more: &[&str]| shell.run(&[&forward, more].concat()).failed(1).stderr;
    let output = run(&["http://127.0.0.1:9"]);
    assert!(output.contains("cannot reach the server"), "{output}");
    let output = run(&[&url, "--key", "shk_wrong"]);
    assert!(output.contains("API key"), "{output}");
    let output = run(&[&url, "--key", &server.key, "--websocket", "77"]);
    assert!(output.contains("websocket 77 was deleted"), "{output}");
}
