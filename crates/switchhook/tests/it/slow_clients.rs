//! Clients that take their time, strangers among them: none of them keeps others from being served, all of them are let go,
//! and stopping waits for requests and for nothing else.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use switchhook::server::Server;
use switchhook_domain::id::CompanyId;
use switchhook_http::server::ConnectionLimits;
use switchhook_node::api_keys;
use switchhook_node::settings::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::support::http::{Caller, RecordingReceiver};
use super::support::stranger::{Ending, Manner, Target};

const KEY: &str = "shk_admin";

/// Time limit for anything that is to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Limits short enough to wait for in a test.
const SHORT: ConnectionLimits = ConnectionLimits {
    max: None,
    head: Duration::from_millis(400),
    idle: Duration::from_millis(600),
    patience: Duration::from_millis(600),
    hurry: Duration::from_millis(500),
    rate: 1_024,
    bodies: 64 << 20,
};

async fn start(dir: &Path, connections: ConnectionLimits) -> Server {
    start_with(dir, connections, Settings::default()).await
}

async fn start_with(dir: &Path, connections: ConnectionLimits, settings: Settings) -> Server {
    let loopback = "127.0.0.0/8".parse().expect("it is a network");
    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        store: format!("sqlite:{}", dir.join("switchhook.db").display()),
        hook_allow: vec![loopback],
        hook_allow_http: true,
        grace: Duration::from_secs(120),
        connections,
        ..settings
    };
    let server = Server::start(settings).await.expect("it starts");
    let made = api_keys::find_or_create_admin(&server.node, CompanyId(1), "test", KEY).await;
    made.expect("it is new");
    server
}

async fn target(server: &Server) -> Target {
    let caller = Caller::new(server.address, KEY);
    let websocket = caller.ask("POST", "/api/v2/websockets", "{}").await;
    let url = websocket["websocket_url"].as_str().expect("it has a URL");
    let path = url.find("/events/").expect("it has a path");
    Target {
        address: server.address,
        key: KEY.to_owned(),
        websocket: url[path..].to_owned(),
        drip_every: Duration::from_millis(50),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's client must not be the product's"
)]
async fn connect(address: SocketAddr) -> TcpStream {
    let connected = timeout(PATIENCE, TcpStream::connect(address)).await;
    connected
        .expect("it does not take for ever")
        .expect("the server listens")
}

/// Sends this on a new connection, and reads until it is closed.
async fn say(address: SocketAddr, text: &str) -> String {
    let mut stream = connect(address).await;
    stream.write_all(text.as_bytes()).await.expect("it is sent");
    read_all(&mut stream).await
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut heard)).await;
    read.expect("the connection is closed")
        .expect("it is closed in order");
    String::from_utf8(heard).expect("it is text")
}

fn slow_requests() -> impl Iterator<Item = Manner> + Clone {
    Manner::ALL
        .into_iter()
        .filter(|manner| *manner != Manner::SilentWebsocket)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_slow_client_is_let_go() {
    let dir = tempfile::tempdir().expect("there is room for a folder");
    let server = start(dir.path(), SHORT).await;
    let target = target(&server).await;
    let mut clients = JoinSet::new();
    for manner in slow_requests() {
        let target = target.clone();
        clients.spawn(async move { (manner, timeout(PATIENCE, target.hold(manner, || ())).await) });
    }
    let websocket = tokio::spawn(async move { target.hold(Manner::SilentWebsocket, || ()).await });
    let head = format!("POST /v1/events/call HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n");
    let half = format!("{head}content-length: 10\r\n\r\n{{");
    let address = server.address;
    let answer = tokio::spawn(async move { say(address, &half).await });
    while let Some(client) = clients.join_next().await {
        let (manner, ended) = client.expect("clients do not panic");
        let expected = match manner {
            Manner::Idle | Manner::HalfHead | Manner::DrippingHead | Manner::Unread => Ending::Closed,
            Manner::KeptAlive => Ending::Answered(200),
            _ => Ending::Answered(408),
        };
        assert_eq!(ended, Ok(expected), "{manner:?}");
    }
    assert!(!websocket.is_finished(), "websockets look after themselves");
    let answer = answer.await.expect("clients do not panic");
    assert!(answer.contains("the body came too slowly"), "{answer}");
    let metrics = Caller::new(server.address, KEY).text("/metrics").await;
    let metrics = metrics.expect("metrics are served");
    for reason in ["head", "idle", "body", "answer"] {
        let line = format!("switchhook_connections_closed_total{{reason=\"{reason}\"}} ");
        let count = metrics.lines().find_map(|metric| metric.strip_prefix(&line));
        assert!(count.is_some_and(|count| count != "0"), "{reason}: {count:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_slow_strangers_keep_no_event_from_being_accepted_and_delivered() {
    const EVENTS: u64 = 200;
    let dir = tempfile::tempdir().expect("there is room for a folder");
    // Far fewer connections than strangers, who come back at once, and nobody is let go only for being slow.
    let limits = ConnectionLimits {
        max: Some(100),
        ..ConnectionLimits::default()
    };
    let server = start(dir.path(), limits).await;
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    let caller = Caller::new(server.address, KEY);
    let hook = json!({"hook_url": receiver.url()}).to_string();
    let webhook = caller.ask("POST", "/api/v2/webhooks", &hook).await;
    let subscription = json!({"endpoint_id": webhook["id"]}).to_string();
    caller
        .ask("POST", "/api/v2/subscriptions/call", &subscription)
        .await;
    let target = Arc::new(Target {
        drip_every: Duration::from_millis(500),
        ..target(&server).await
    });
    let seen = Arc::new(AtomicUsize::new(0));
    let mut strangers = JoinSet::new();
    for manner in slow_requests().cycle().take(200) {
        let (target, seen) = (Arc::clone(&target), Arc::clone(&seen));
        strangers.spawn(async move {
            let opened = || {
                seen.fetch_add(1, Ordering::Relaxed);
            };
            target.hold_on(manner, opened, |_| ()).await;
        });
    }
    let there = async {
        while seen.load(Ordering::Relaxed) < 200 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, there).await.expect("they come in");
    let mut sent = HashSet::new();
    for number in 0..EVENTS {
        let event = json!({"call_id": number, "state": "hangup"}).to_string();
        // Now on a connection that was used before, now on a new one. The former may make room for another one just when it
        // is used again.
        let on_kept = if number % 40 != 0 {
            caller.send("POST", "/v1/events/call", &event).await.ok()
        } else {
            None
        };
        let accepted = match on_kept {
            Some((status, answer)) => {
                assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
                answer
            }
            None => {
                let once = Caller::new(server.address, KEY);
                once.ask("POST", "/v1/events/call", &event).await
            }
        };
        sent.insert(accepted["id"].as_str().expect("it has an id").to_owned());
        if number % 100 == 0 {
            let well = Caller::new(server.address, KEY).text("/healthz").await;
            assert_eq!(well.as_deref(), Some("ok\n"));
        }
    }
    receiver
        .wait_until("every event arriving", |arrivals| {
            let ids: HashSet<_> = arrivals
                .iter()
                .map(|arrival| arrival.header("switchhook-event-id"))
                .collect();
            sent.iter().all(|id| ids.contains(id.as_str()))
        })
        .await;
    drop(strangers);
    timeout(PATIENCE, server.stop()).await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_waits_for_requests_and_for_nothing_else() {
    let dir = tempfile::tempdir().expect("there is room for a folder");
    let limits = ConnectionLimits {
        hurry: Duration::from_millis(800),
        ..ConnectionLimits::default()
    };
    let server = start(dir.path(), limits).await;
    let (address, target) = (server.address, target(&server).await);
    let mut slow = JoinSet::new();
    let opened = Arc::new(AtomicUsize::new(0));
    for manner in Manner::ALL {
        let (target, opened) = (target.clone(), Arc::clone(&opened));
        slow.spawn(async move {
            let opened = || {
                opened.fetch_add(1, Ordering::Relaxed);
            };
            target.hold(manner, opened).await
        });
    }
    let mut idle = connect(address).await;
    let mut genuine = connect(address).await;
    let body = json!({"call_id": 1, "state": "hangup"}).to_string();
    let head = format!(
        "POST /v1/events/call HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    genuine
        .write_all(format!("{head}{}", &body[..5]).as_bytes())
        .await
        .expect("it is sent");
    while opened.load(Ordering::Relaxed) < Manner::ALL.len() {
        sleep(Duration::from_millis(10)).await;
    }
    // What was sent has been read when a later request is answered.
    Caller::new(address, KEY).ask("GET", "/readyz", "").await;
    let stopping = tokio::spawn(server.stop());
    assert_eq!(
        read_all(&mut idle).await,
        "",
        "an idle connection is closed at once"
    );
    assert!(!stopping.is_finished(), "a request is still under way");
    genuine
        .write_all(&body.as_bytes()[5..])
        .await
        .expect("it is sent");
    let answer = read_all(&mut genuine).await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    timeout(PATIENCE, stopping)
        .await
        .expect("nobody else is waited for")
        .expect("stopping does not panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_are_too_large_are_refused_with_a_word_that_can_be_read() {
    let dir = tempfile::tempdir().expect("there is room for a folder");
    let server = start(dir.path(), ConnectionLimits::default()).await;
    let large = format!(
        "GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "x".repeat(300_000)
    );
    let many = format!(
        "GET /healthz HTTP/1.1\r\nhost: x\r\n{}\r\n",
        "x: y\r\n".repeat(5_000)
    );
    for head in [large, many] {
        let answer = say(server.address, &head).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:.100}");
    }
    let answer = say(server.address, "GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.0 200 ") && answer.ends_with("ok\n"),
        "{answer}"
    );
    let pipelined = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".repeat(50);
    let last = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answers = say(server.address, &format!("{pipelined}{last}")).await;
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 51);
    // Far more than fits, from a client that listens only when all is sent.
    let head = format!(
        "POST /v1/events/call HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: 3000000\r\n\r\n"
    );
    let answer = say(server.address, &format!("{head}{}", "x".repeat(3_000_000))).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer:.100}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_never_complete_take_no_more_memory_than_they_may() {
    let dir = tempfile::tempdir().expect("there is room for a folder");
    let limits = ConnectionLimits {
        bodies: 400_000,
        hurry: Duration::from_secs(60),
        ..ConnectionLimits::default()
    };
    let server = start(dir.path(), limits).await;
    let head = "POST /v1/events/call HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n";
    let half = format!("{head}authorization: Bearer {KEY}\r\n\r\n{}", "x".repeat(300_000));
    // Either waits for the rest of its body, as long as there is room for both.
    let mut clients = [connect(server.address).await, connect(server.address).await];
    for client in &mut clients {
        client.write_all(half.as_bytes()).await.expect("it is sent");
    }
    let [one, other] = &mut clients;
    let first_answer = async {
        let (mut to_one, mut to_other) = ([0; 12], [0; 12]);
        tokio::select! {
            read = one.read_exact(&mut to_one) => read.map(|_| to_one),
            read = other.read_exact(&mut to_other) => read.map(|_| to_other),
        }
    };
    let refused = timeout(PATIENCE, first_answer)
        .await
        .expect("one of them is refused");
    assert_eq!(&refused.expect("with an answer"), b"HTTP/1.1 503");
    let event = json!({"call_id": 1, "state": "hangup"}).to_string();
    let accepted = Caller::new(server.address, KEY)
        .ask("POST", "/v1/events/call", &event)
        .await;
    assert!(accepted["id"].is_string(), "a small one is taken all the same");
    drop(clients);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_can_have_an_address_of_their_own() {
    let dir = tempfile::tempdir().expect("there is room for a folder");
    let settings = Settings {
        metrics_listen: Some(([127, 0, 0, 1], 0).into()),
        ..Settings::default()
    };
    let server = start_with(dir.path(), ConnectionLimits::default(), settings).await;
    let metrics = server.metrics_address.expect("it has one");
    let status = async |address: SocketAddr, path: &str| {
        let answered = Caller::new(address, KEY).send("GET", path, "").await;
        answered.expect("it answers").0.as_u16()
    };
    for (path, here, there) in [
        ("/metrics", 404, 200),
        ("/healthz", 200, 200),
        ("/readyz", 200, 200),
        ("/openapi.json", 200, 404),
        ("/v1/events", 200, 404),
        ("/dashboard/sign-in", 200, 404),
    ] {
        let statuses = (status(server.address, path).await, status(metrics, path).await);
        assert_eq!(statuses, (here, there), "{path}");
    }
    let text = Caller::new(metrics, KEY).text("/metrics").await;
    assert!(text.is_some_and(|text| text.contains("switchhook_connections_open ")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_few_files_stays_reachable_behind_many_idle_connections() {
    let dir = tempfile::tempdir().expect("there is room for a folder");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = free.local_addr().expect("it listens");
    drop(free);
    let log = std::fs::File::create(dir.path().join("log")).expect("the folder is ours");
    let mut server = Command::new("sh")
        .args(["-c", "ulimit -n 256; exec \"$0\" \"$@\""])
        .args([
            env!("CARGO_BIN_EXE_switchhook"),
            "serve",
            "--listen",
            &address.to_string(),
        ])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("there is a shell");
    let is_well = async || {
        let asked = Caller::new(address, KEY).text("/healthz").await;
        asked.as_deref() == Some("ok\n")
    };
    while !is_well().await {
        assert_eq!(server.try_wait().ok().flatten(), None, "it ended");
        sleep(Duration::from_millis(50)).await;
    }
    let mut idle = Vec::new();
    for number in 0..400 {
        idle.push(connect(address).await);
        if number % 100 == 0 {
            assert!(is_well().await, "behind {number} idle connections");
        }
    }
    let text = Caller::new(address, KEY)
        .text("/metrics")
        .await
        .expect("it answers");
    let open = text
        .lines()
        .find_map(|line| line.strip_prefix("switchhook_connections_open "))
        .and_then(|count| count.parse::<u32>().ok());
    assert!(open.is_some_and(|open| open < 256), "{open:?}");
    let said = async {
        loop {
            let log = std::fs::read_to_string(dir.path().join("log")).expect("it is there");
            if log.contains("as many connections are open as there may be") {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, said).await.expect("the log says it");
    server.kill().expect("the process is ours");
    server.wait().expect("the process is ours");
}
