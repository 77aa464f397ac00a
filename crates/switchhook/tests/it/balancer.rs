//! `deploy/nginx.conf` and `deploy/haproxy.cfg` in front of two nodes, with the programs that apt gives: what may be sent to another node is, what may not
//! is not, and what is for those inside stays there.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use switchhook_protocol::sign;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::support::http::Caller;
use crate::support::process::ServerProcess;
use crate::support::program::{Program, free_address};

/// The balancers whose files we ship.
#[derive(Clone, Copy)]
enum Balancer {
    Nginx,
    HaProxy,
}

const BALANCERS: [Balancer; 2] = [Balancer::Nginx, Balancer::HaProxy];

impl Balancer {
    /// Starts it with the file that we ship, in front of these nodes; answers where it listens, and nothing if it is not
    /// installed.
    async fn start(self, dir: &Path, nodes: [SocketAddr; 2]) -> Option<(Program, SocketAddr)> {
        let address = free_address();
        let mut command = match self {
            Self::Nginx => nginx(dir, nodes, address)?,
            Self::HaProxy => haproxy(dir, nodes, address)?,
        };
        Some((Program::start(&mut command, address).await, address))
    }
}

/// The shipped `text` with ours in place of theirs; each must be in it.
fn adapted(text: &str, changes: &[(&str, String)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (theirs, ours)| {
        assert!(text.contains(theirs), "{theirs}");
        text.replace(theirs, ours)
    })
}

fn nginx(dir: &Path, nodes: [SocketAddr; 2], address: SocketAddr) -> Option<Command> {
    let mut nginx = Program::find("nginx")?;
    let [one, other] = nodes.map(|node| format!("server {node} max_fails=2 fail_timeout=2s;"));
    let dir = dir.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {dir}/{name};\n"))
        .concat();
    let text = adapted(
        include_str!("../../../../deploy/nginx.conf"),
        &[
            (
                "server switchhook:8400 max_fails=2 fail_timeout=2s;",
                format!("{one} {other}"),
            ),
            ("listen 8400;", format!("listen {address};")),
            ("/var/log/nginx", dir.to_string()),
            ("http {\n", format!("http {{\n{temporary}")),
        ],
    );
    let file = format!("{dir}/nginx.conf");
    std::fs::write(&file, text).expect("the directory is ours");
    nginx
        .args(["-c", &file, "-e", &format!("{dir}/error.log")])
        .args(["-g", &format!("daemon off; master_process off; pid {dir}/pid;")]);
    Some(nginx)
}

fn haproxy(dir: &Path, nodes: [SocketAddr; 2], address: SocketAddr) -> Option<Command> {
    let mut haproxy = Program::find("haproxy")?;
    let [one, other] = nodes.map(|node| node.to_string());
    let text = adapted(
        include_str!("../../../../deploy/haproxy.cfg"),
        &[
            // Without health checks: what is tested is what happens before they notice.
            (
                "server-template node 3 switchhook:8400 check resolvers host init-addr last,libc,none",
                format!("server one {one}\n    server other {other}"),
            ),
            ("bind :8400", format!("bind {address}")),
        ],
    );
    let file = dir.join("haproxy.cfg");
    std::fs::write(&file, text).expect("the directory is ours");
    let log = std::fs::File::create(dir.join("access.log")).expect("the directory is ours");
    haproxy.arg("-db").arg("-f").arg(&file).stderr(log);
    Some(haproxy)
}

/// A node that takes every request, does nobody knows what with it, and dies before it answers.
async fn treacherous() -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("loopback has a free port");
    let address = listener.local_addr().expect("it listens");
    // Bounded by what a test sends.
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4_096];
            let count = stream.read(&mut head).await.unwrap_or_default();
            let text = String::from_utf8_lossy(&head[..count]).into_owned();
            let _ = tell.send(text.lines().next().unwrap_or_default().to_owned());
            let _ = stream.shutdown().await;
        }
    });
    (address, told)
}

/// As many clients do: the head first, and the body when the balancer has the head.
#[expect(clippy::disallowed_methods, reason = "a test's own address needs no judge")]
async fn post_in_two_packets(to: SocketAddr, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(to).await.expect("the balancer listens");
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream
        .write_all(head.as_bytes())
        .await
        .expect("it takes requests");
    sleep(Duration::from_millis(50)).await;
    stream
        .write_all(body.as_bytes())
        .await
        .expect("it takes requests");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("somebody answers");
    answer
}

async fn count_of_events(caller: &Caller) -> usize {
    let events = caller.ask("GET", "/v1/events?limit=200", "").await;
    events["items"].as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_repeated_goes_to_the_next_node_and_what_cannot_does_not() {
    for balancer in BALANCERS {
        check_repeating(balancer).await;
    }
}

async fn check_repeating(balancer: Balancer) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let node = ServerProcess::start(dir.path()).await;
    let (treacherous, mut told) = treacherous().await;
    let nodes = [treacherous, node.address];
    let source = json!({"name": "account", "secret": "s3cret"}).to_string();
    let source = node.caller().ask("POST", "/v1/sources", &source).await;
    let address = source["url"].as_str().expect("it is new");
    let inlet = &address[address.find("/in/").expect("it leads in")..];
    let event = |n: usize| json!({"call_id": n, "state": "hangup"}).to_string();

    // Each time with a balancer that thinks well of both.
    let Some((running, address)) = balancer.start(dir.path(), nodes).await else {
        return;
    };
    let through = Caller::new(address, &node.key);
    for n in 0..6 {
        through
            .ask_once(&format!("key-{n}"), "/v1/events/call", &event(n))
            .await;
    }
    assert_eq!(count_of_events(&node.caller()).await, 6);
    let first = told.recv().await.expect("it got one first");
    assert!(first.starts_with("POST /v1/events/call"), "{first}");
    drop(running);
    while told.try_recv().is_ok() {}

    let Some((running, address)) = balancer.start(dir.path(), nodes).await else {
        return;
    };
    for n in 6..12 {
        let token = sign("s3cret", event(n).as_bytes());
        let answer = post_in_two_packets(address, inlet, &token).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert_eq!(count_of_events(&node.caller()).await, 12);
    let first = told.recv().await.expect("it got one first");
    assert!(first.starts_with("POST /in/"), "{first}");
    drop(running);
    while told.try_recv().is_ok() {}

    // Without a key nobody knows whether the event was kept. It is the sender's to decide.
    let Some((_running, address)) = balancer.start(dir.path(), nodes).await else {
        return;
    };
    let through = Caller::new(address, &node.key);
    let (mut kept, mut failed) = (12, 0);
    for n in 12..18 {
        let answered = through.send("POST", "/v1/events/call", &event(n)).await;
        match answered.map(|(status, _)| status) {
            Ok(StatusCode::ACCEPTED) => kept += 1,
            // HAProxy closes a connection that had requests before.
            Ok(StatusCode::BAD_GATEWAY) | Err(_) => failed += 1,
            Ok(other) => panic!("{other}"),
        }
    }
    assert!(failed > 0);
    assert_eq!(count_of_events(&node.caller()).await, kept, "none is kept twice");
    let mut taken = 0;
    while told.try_recv().is_ok() {
        taken += 1;
    }
    assert_eq!(taken, failed, "none is sent twice");

    for (path, expected) in [
        ("/metrics", StatusCode::NOT_FOUND),
        ("//metrics", StatusCode::NOT_FOUND),
        ("/%6detrics", StatusCode::NOT_FOUND),
        ("/healthz", StatusCode::OK),
    ] {
        let (status, _) = through.send("GET", path, "").await.expect("somebody answers");
        assert_eq!(status, expected, "{path}");
    }
    // What is like a rule's path and is not meant by it reaches a node, which answers.
    for path in [
        "/v1/events?limit=1",
        "/v1/events/",
        "/in",
        "/in/",
        "/events",
        "/events/",
    ] {
        let (status, _) = through.send("GET", path, "").await.expect("somebody answers");
        let direct = node.caller().send("GET", path, "").await;
        assert_eq!(status, direct.expect("it is up").0, "{path}");
        assert!(!status.is_redirection(), "{path}");
    }
    for log in ["access.log", "error.log"] {
        let log = std::fs::read_to_string(dir.path().join(log)).unwrap_or_default();
        assert!(!log.contains(inlet), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_be_reached_costs_no_request_whatever_it_is() {
    for balancer in BALANCERS {
        check_reaching(balancer).await;
    }
}

async fn check_reaching(balancer: Balancer) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let node = ServerProcess::start(dir.path()).await;
    let nodes = [free_address(), node.address];
    let Some((_running, address)) = balancer.start(dir.path(), nodes).await else {
        return;
    };
    let through = Caller::new(address, &node.key);
    for n in 0..6 {
        let event = json!({"call_id": n, "state": "hangup"}).to_string();
        let (status, answer) = through
            .send("POST", "/v1/events/call", &event)
            .await
            .expect("somebody answers");
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    }
    let webhook = through
        .ask(
            "POST",
            "/api/v2/webhooks",
            r#"{"hook_url":"http://127.0.0.1:9/x"}"#,
        )
        .await;
    assert!(webhook["id"].is_string());
}
