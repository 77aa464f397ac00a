//! Stopping and starting again under load: nothing is refused and nothing is lost, with a socket that outlives the server.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::support::http::Caller;
use crate::support::process::{ServerProcess, new_key};

const BINARY: &str = env!("CARGO_BIN_EXE_switchhook");

/// Starts a server as systemd would: with a socket that listens, and with one to tell how it does.
fn start(listener: &TcpListener, store: &str, told: &Path, log: &Path) -> Child {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(log)
        .expect("the folder is ours");
    let socket: OwnedFd = listener.try_clone().expect("a socket can be shared").into();
    Command::new("sh")
        .arg("-c")
        .arg("exec 3<&0 </dev/null; LISTEN_PID=$$ exec \"$0\" \"$@\"")
        .args([
            BINARY,
            "serve",
            "--store",
            store,
            "--drain",
            "300ms",
            "--listen",
            "127.0.0.1:1",
        ])
        .env("LISTEN_FDS", "1")
        .env("NOTIFY_SOCKET", told)
        .env("WATCHDOG_USEC", "300000")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("there is a shell")
}

/// Messages of the server, line by line.
fn listen(socket: &Path) -> Receiver<String> {
    let told = UnixDatagram::bind(socket).expect("the folder is ours");
    let (tell, lines) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 1_024];
        while let Ok(length) = told.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]);
            for line in text.lines() {
                if tell.send(line.to_owned()).is_err() {
                    return;
                }
            }
        }
    });
    lines
}

/// Waits until the server has told this.
fn wait_until_told(told: &Receiver<String>, what: &str) {
    loop {
        let line = told.recv_timeout(Duration::from_secs(30));
        if line.unwrap_or_else(|_| panic!("{what} was not told")) == what {
            return;
        }
    }
}

fn terminate(server: &mut Child) {
    let pid = server.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(sent.expect("there is kill").success());
    let ended = server.wait().expect("the process is ours");
    assert!(ended.success(), "{ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restart_under_load_refuses_nothing_and_loses_nothing() {
    let dir = tempfile::tempdir().expect("a folder can be made");
    let store = format!("sqlite:{}", dir.path().join("switchhook.db").display());
    let key = new_key(&store, "");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let socket = dir.path().join("told");
    let told = listen(&socket);
    let log = dir.path().join("log");
    let mut server = start(&listener, &store, &socket, &log);
    wait_until_told(&told, "READY=1");
    wait_until_told(&told, "WATCHDOG=1");

    let (is_over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (is_over, sent, key) = (Arc::clone(&is_over), Arc::clone(&sent), key.clone());
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    // A client of its own each time: its connection is new.
                    let caller = Caller::new(address, &key);
                    for _ in 0..3 {
                        let number = sent.fetch_add(1, Ordering::Relaxed);
                        let event = format!(r#"{{"call_id":{number},"state":"hangup"}}"#);
                        let (status, answer) = caller
                            .send("POST", "/v1/events/call", &event)
                            .await
                            .unwrap_or_else(|error| panic!("event {number}: {error}"));
                        assert_eq!(status, 202, "event {number}: {answer}");
                    }
                }
            })
        })
        .collect();
    for _ in 0..2 {
        let before = sent.load(Ordering::Relaxed);
        while sent.load(Ordering::Relaxed) < before + 40 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::task::block_in_place(|| {
            terminate(&mut server);
            wait_until_told(&told, "STOPPING=1");
            server = start(&listener, &store, &socket, &log);
            wait_until_told(&told, "READY=1");
        });
    }
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("nothing was refused");
    }
    let caller = Caller::new(address, &key);
    let (mut kept, mut cursor) = (0, String::new());
    loop {
        let (_, page) = caller
            .send("GET", &format!("/v1/events?limit=200{cursor}"), "")
            .await
            .expect("it answers");
        kept += page["items"].as_array().expect("it is a list").len() as u64;
        match &page["cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => break,
        }
    }
    assert_eq!(
        kept,
        sent.load(Ordering::Relaxed),
        "all that was sent is there, once"
    );
    tokio::task::block_in_place(|| terminate(&mut server));
}

#[tokio::test]
async fn a_server_that_is_to_stop_says_so_and_still_takes_requests() {
    let dir = tempfile::tempdir().expect("a folder can be made");
    let mut server = ServerProcess::start_with(dir.path(), &[("SWITCHHOOK_DRAIN", "1h")]).await;
    let caller = server.caller();
    server.ask_to_stop();
    let stopping = loop {
        let (status, answer) = caller.send("GET", "/readyz", "").await.expect("it answers");
        if status == 503 {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(
        (&stopping["ready"], &stopping["stopping"]),
        (&false.into(), &true.into())
    );
    assert_eq!(stopping["store"], "ok", "nothing is wrong with it");
    let event = r#"{"call_id":1,"state":"hangup"}"#;
    let (status, answer) = caller
        .send("POST", "/v1/events/call", event)
        .await
        .expect("it answers");
    assert_eq!(status, 202, "{answer}");
    let head = caller.head("/healthz").await.expect("it answers");
    assert_eq!(head["connection"], "close");
    // Whoever asks twice does not want to wait.
    server.stop().await;
}
