//! The receiver as people run it: what it acknowledges it has, whatever becomes of it afterwards.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::{Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;
use serde_json::Value;
use switchhook_protocol::sign;

use super::run::Shell;

const SECRET: &str = "both sides know it";

/// A receiver as a process of its own.
struct Receiving {
    address: SocketAddr,
    child: Child,
    /// Output before it listened.
    output: String,
}

impl Receiving {
    fn start(folder: &Path, words: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_switchhook"))
            .args(["receive", "--listen", "127.0.0.1:0", "--secret", SECRET])
            .args(words)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(folder.join("shown")).expect("the folder is ours"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut output = String::new();
        let address = loop {
            let mut line = String::new();
            let bytes = stderr.read_line(&mut line).expect("it speaks UTF-8");
            assert!(bytes > 0, "it ended: {output}");
            if let Some(address) = line.trim().strip_prefix("listening at http://") {
                break address.parse().expect("it is an address");
            }
            output.push_str(&line);
        };
        // Its commands may write there for as long as they run.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Self {
            address,
            child,
            output,
        }
    }

    fn kill(&mut self) {
        self.child.kill().expect("the process is ours");
        self.child.wait().expect("the process is ours");
    }

    fn shown(folder: &Path) -> String {
        std::fs::read_to_string(folder.join("shown")).expect("it was made at the start")
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        // An error means that it is already gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone)]
struct Sender(Client<HttpConnector, Full<Bytes>>);

impl Sender {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's client must not be the product's"
    )]
    fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// Posts a body; no answer is an error.
    async fn post(&self, to: SocketAddr, id: u64, body: String) -> Result<(StatusCode, String), String> {
        let request = Request::post(format!("http://{to}/any/path?x=1"))
            .header("content-type", "application/jwt")
            .header("switchhook-event-id", id)
            .body(Full::from(body))
            .map_err(|error| error.to_string())?;
        let response = self.0.request(request).await.map_err(|error| error.to_string())?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
    }

    /// The same for an event, rightly signed.
    async fn event(&self, to: SocketAddr, id: u64) -> Result<StatusCode, String> {
        let token = sign(SECRET, event(id).as_bytes());
        Ok(self.post(to, id, token).await?.0)
    }
}

fn event(id: u64) -> String {
    format!("{{\"call_id\": {id},\n \"state\": \"hangup\", \"duration\": 8951.030}}")
}

fn stored(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("it was made at the start");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_in_the_file_once_however_often_the_receiver_is_killed() {
    const KILLS: usize = 4;
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("events.ndjson");
    let start = || Receiving::start(folder.path(), &["--out", "events.ndjson"]);
    let mut receiving = start();
    let address = Arc::new(Mutex::new(receiving.address));
    let acknowledged = Arc::new(Mutex::new(HashSet::new()));
    let is_over = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..8_u64)
        .map(|sender| {
            let (address, acknowledged, is_over) = (
                Arc::clone(&address),
                Arc::clone(&acknowledged),
                Arc::clone(&is_over),
            );
            tokio::spawn(async move {
                let post = Sender::new();
                let mut number = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let id = (sender << 32) + number;
                    let to = *address.lock();
                    // Not answered: sent again, as every sender does.
                    if post.event(to, id).await == Ok(StatusCode::OK) {
                        acknowledged.lock().insert(id);
                        number += 1;
                    } else {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            })
        })
        .collect();
    for kill in 1..=KILLS {
        while acknowledged.lock().len() < kill * 100 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        receiving.kill();
        if kill == KILLS {
            // What the last moment of a machine may leave.
            let torn = std::fs::read(&file).expect("it is there");
            let torn = [
                &torn[..],
                b"{\"received_at\":\"2026-11-24T01:00:00.000Z\",\"kind\":\"call\",\"ev",
            ]
            .concat();
            std::fs::write(&file, torn).expect("the folder is ours");
        }
        receiving = start();
        *address.lock() = receiving.address;
    }
    assert!(
        receiving.output.contains("removed a line that a crash cut off"),
        "{}",
        receiving.output
    );
    is_over.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.expect("the senders do not panic");
    }
    let lines = stored(&file);
    let ids: Vec<u64> = lines
        .iter()
        .map(|line| line["event"]["call_id"].as_u64().expect("it has one"))
        .collect();
    let distinct: HashSet<u64> = ids.iter().copied().collect();
    assert_eq!(distinct.len(), ids.len(), "an event is there twice");
    let acknowledged = acknowledged.lock().clone();
    assert!(
        acknowledged.is_subset(&distinct),
        "{} acknowledged, {} stored",
        acknowledged.len(),
        ids.len()
    );
    println!(
        "{} acknowledged, {} stored, {KILLS} kills",
        acknowledged.len(),
        ids.len()
    );
    let text = std::fs::read_to_string(&file).expect("it is there");
    assert!(
        text.contains(r#""event":{"call_id": 0,  "state": "hangup", "duration": 8951.030}}"#),
        "{text:.300}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_are_known_after_a_restart_and_what_is_wrong_is_refused() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let post = Sender::new();
    let receiving = Receiving::start(
        folder.path(),
        &["--secret", "the old one", "--out", "a/b/events.ndjson"],
    );
    let old = sign("the old one", event(1).as_bytes());
    for _ in 0..2 {
        let answer = post.post(receiving.address, 1, old.clone()).await;
        assert_eq!(answer.map(|answer| answer.0), Ok(StatusCode::OK));
    }
    assert_eq!(post.event(receiving.address, 1).await, Ok(StatusCode::OK));
    assert_eq!(post.event(receiving.address, 2).await, Ok(StatusCode::OK));
    let file = folder.path().join("a/b/events.ndjson");
    assert_eq!(stored(&file).len(), 2);
    for (body, status, reason) in [
        (format!("{old}\n"), 400, "base64url"),
        (sign("another", b"{}"), 401, "none of the 2 secrets"),
        ("{\"call_id\":1}".to_owned(), 401, "plain JSON"),
        ("eyJhbGciOiJub25lIn0.e30.".to_owned(), 401, "`none`"),
        (String::new(), 400, "empty"),
        ("x".repeat(3 << 20), 413, "bytes"),
    ] {
        let (given, text) = post.post(receiving.address, 3, body).await.expect("it answers");
        assert_eq!(given, status, "{text}");
        assert!(text.contains(reason), "{text}");
    }
    // The file is in use.
    let words = ["receive", "--listen", "127.0.0.1:0", "--out", "a/b/events.ndjson"];
    let second = Shell::new(folder.path()).run(&words).failed(1);
    assert!(second.stderr.contains("in use by another process"), "{second:?}");
    drop(receiving);
    let shown = Receiving::shown(folder.path());
    assert!(
        shown.contains("stored    call         hangup ? call 1 event 1"),
        "{shown}"
    );
    assert!(
        shown.contains("repeat    call") && shown.contains("refused: the token says"),
        "{shown}"
    );

    let advice = "(white space stands around the token";
    assert!(shown.contains(advice), "the one who runs it is told why: {shown}");

    let receiving = Receiving::start(folder.path(), &["--out", "a/b/events.ndjson", "--json"]);
    assert!(
        receiving.output.contains("which has 2 events"),
        "{}",
        receiving.output
    );
    assert_eq!(post.event(receiving.address, 2).await, Ok(StatusCode::OK));
    assert_eq!(stored(&file).len(), 2);
    drop(receiving);
    let line: Value = serde_json::from_str(Receiving::shown(folder.path()).trim()).expect("a line is JSON");
    assert_eq!(
        (&line["outcome"], &line["event_id"]),
        (&"repeat".into(), &"2".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_decides_the_answer_and_gets_each_event_until_it_succeeds() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let post = Sender::new();
    let command = "cat >> got; echo $SWITCHHOOK_EVENT_ID $SWITCHHOOK_EVENT_KIND >> ids; test ! -e fail";
    let receiving = Receiving::start(folder.path(), &["--exec", command]);
    std::fs::write(folder.path().join("fail"), "").expect("the folder is ours");
    assert_eq!(
        post.event(receiving.address, 7).await,
        Ok(StatusCode::INTERNAL_SERVER_ERROR)
    );
    std::fs::remove_file(folder.path().join("fail")).expect("it is there");
    assert_eq!(post.event(receiving.address, 7).await, Ok(StatusCode::OK));
    drop(receiving);
    let receiving = Receiving::start(folder.path(), &["--exec", command]);
    assert_eq!(post.event(receiving.address, 7).await, Ok(StatusCode::OK));
    let got = std::fs::read_to_string(folder.path().join("got")).expect("the command wrote it");
    assert_eq!(got, event(7).repeat(2));
    let ids = std::fs::read_to_string(folder.path().join("ids")).expect("the command wrote it");
    assert_eq!(ids, "7 call\n7 call\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_does_not_end_is_ended_and_does_not_hold_up_more_than_its_share() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let post = Sender::new();
    let command = "echo $$ >> started; if [ \"$SWITCHHOOK_EVENT_ID\" = 1 ]; then sleep 600 & wait; fi";
    let words = [
        "--exec",
        command,
        "--exec-at-once",
        "1",
        "--exec-timeout",
        "500ms",
        "--out",
        "events.ndjson",
    ];
    let receiving = Receiving::start(folder.path(), &words);
    assert_eq!(
        post.event(receiving.address, 1).await,
        Ok(StatusCode::INTERNAL_SERVER_ERROR)
    );
    assert_eq!(post.event(receiving.address, 2).await, Ok(StatusCode::OK));
    let lines = stored(&folder.path().join("events.ndjson"));
    assert_eq!((lines.len(), &lines[0]["event_id"]), (1, &"2".into()));
    let shown = Receiving::shown(folder.path());
    assert!(shown.contains("the command was killed after 500ms"), "{shown}");
    let group = std::fs::read_to_string(folder.path().join("started")).expect("the command wrote it");
    let group = group.lines().next().expect("it started").to_owned();
    let left = Command::new("sh")
        .args(["-c", &format!("kill -0 -- -{group}")])
        .output();
    assert!(
        !left.expect("there is a shell").status.success(),
        "its sleep is still there"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_strangers_take_no_place_from_those_who_send_events_and_do_not_hold_up_its_end() {
    use super::super::support::stranger::{Manner, Target};
    use std::sync::atomic::AtomicUsize;

    let folder = tempfile::tempdir().expect("there is room for a folder");
    let mut receiving = Receiving::start(folder.path(), &["--out", "events.ndjson"]);
    let target = Arc::new(Target {
        address: receiving.address,
        key: String::new(),
        websocket: "/".to_owned(),
        drip_every: Duration::from_millis(50),
    });
    let opened = Arc::new(AtomicUsize::new(0));
    let strangers = |manners: [Manner; 2]| {
        let mut strangers = tokio::task::JoinSet::new();
        for manner in manners.into_iter().cycle().take(200) {
            let (target, opened) = (Arc::clone(&target), Arc::clone(&opened));
            strangers.spawn(async move {
                let opened = || {
                    opened.fetch_add(1, Ordering::Relaxed);
                };
                target.hold(manner, opened).await
            });
        }
        strangers
    };
    let mut senders = strangers([Manner::HalfBody, Manner::DrippingBody]);
    let _waiting = strangers([Manner::Idle, Manner::HalfHead]);
    while opened.load(Ordering::Relaxed) < 400 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let post = Sender::new();
    for id in 0..50 {
        assert_eq!(post.event(receiving.address, id).await, Ok(StatusCode::OK));
    }
    assert_eq!(stored(&folder.path().join("events.ndjson")).len(), 50);
    // Whoever has begun a request may end it, for seconds; `slow_clients` tests that with a shorter time.
    senders.shutdown().await;
    let id = receiving.child.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &id]).status();
    assert!(asked.is_ok_and(|status| status.success()));
    // Its grace is longer than this.
    for _ in 0..600 {
        if let Some(status) = receiving.child.try_wait().expect("the process is ours") {
            assert!(status.success(), "{status}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it waits for those who send nothing");
}

#[test]
fn an_option_that_changes_nothing_here_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let run = Shell::new(folder.path()).run(&["receive", "--trusted-proxy", "10.0.0.0/8"]);
    assert!(run.failed(2).stderr.contains("--trusted-proxy"));
}
