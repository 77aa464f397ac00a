//! `switchhook dev --forward`: a receiver of one's own gets signed events with one command, for people and for CI.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use parking_lot::Mutex;
use switchhook_protocol::verify;

use super::run::{Run, Shell};

/// A receiver that answers everything alike and keeps what it got.
struct Receiver {
    url: String,
    bodies: Arc<Mutex<Vec<Bytes>>>,
}

impl Receiver {
    async fn start(status: StatusCode) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("it listens"));
        let bodies = Arc::<Mutex<Vec<Bytes>>>::default();
        let kept = Arc::clone(&bodies);
        let router = Router::new().fallback(move |body: Bytes| {
            kept.lock().push(body);
            async move { status }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, bodies }
    }
}

/// Runs `dev` with these words more, at any port and fast.
fn dev(folder: &Path, words: &[&str]) -> Run {
    let words = [&["dev", "--port", "0", "--rate", "50"], words].concat();
    Shell::new(folder).run(&words)
}

#[track_caller]
fn secret(run: &Run) -> String {
    let secret = run.stdout.lines().find_map(|line| line.strip_prefix("SECRET="));
    secret.unwrap_or_else(|| panic!("no secret: {run:?}")).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_gets_signed_events_until_it_has_accepted_enough() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(StatusCode::OK).await;
    let forward = ["--forward", &receiver.url, "--events", "3"];
    let run = dev(folder.path(), &forward).ok();
    let first_secret = secret(&run);
    let bodies = receiver.bodies.lock().split_off(0);
    assert!(bodies.len() >= 3, "{run:?}");
    for body in &bodies {
        verify(body, [&*first_secret]).expect("it is signed with the secret that was shown");
    }
    let answers = run.stdout.lines().filter(|line| line.contains(" 200 in "));
    assert!(answers.count() >= 3, "{run:?}");
    // The receiver need not be told again, unless everything begins anew.
    let again = dev(folder.path(), &forward).ok();
    assert_eq!(secret(&again), first_secret);
    let anew = dev(folder.path(), &[&forward[..], &["--fresh"]].concat()).ok();
    assert_ne!(secret(&anew), first_secret);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_accepts_nothing_is_a_failure_that_says_what_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(StatusCode::NOT_FOUND).await;
    let forward = ["--forward", &receiver.url, "--events", "2", "--timeout", "300ms"];
    let run = dev(folder.path(), &forward).failed(1);
    assert!(
        run.stderr.contains("accepted 0 of 2 events") && run.stderr.contains("404"),
        "{run:?}"
    );
    assert!(run.stdout.contains(" 404 in "), "{run:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken_is_named_and_the_next_free_one_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(StatusCode::OK).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let words = [
        "dev",
        "--port",
        &port.to_string(),
        "--forward",
        &receiver.url,
        "--events",
        "1",
    ];
    let run = Shell::new(folder.path()).run(&words).ok();
    assert!(run.stderr.contains(&format!("port {port} is taken")), "{run:?}");
    let used = run.stdout.lines().find_map(|line| {
        let (_, url) = line.split_once("listening at http://127.0.0.1:")?;
        url.parse::<u16>().ok()
    });
    assert!(used.is_some_and(|used| used > port), "{run:?}");
}
