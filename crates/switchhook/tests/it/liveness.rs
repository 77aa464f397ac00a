//! Parts of the server that fail: it is not ready any more, says which, and ends.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use switchhook::server::Server;
use switchhook_domain::Kind;
use switchhook_domain::clock::Clock;
use switchhook_node::ingest::{self, Submission};
use switchhook_node::liveness::Liveness;
use switchhook_node::settings::Settings;
use switchhook_node::storage::Observer;
use switchhook_node::telemetry::Telemetry;
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{Change, Commit, CommitObserver, Store, StoreOptions};

use crate::support::faulty_store::FaultyStore;
use crate::support::http::Caller;
use crate::support::postgres;
use crate::support::rig::{COMPANY, START};

/// Lets a method of the store panic in a server that runs, and sees what becomes of the server.
async fn check(method: &'static str, part: &str) {
    let store = SqliteStore::in_memory(StoreOptions::owner(START)).expect("a store in memory opens");
    let store = FaultyStore::around(store);
    let changed = store.with_other_nodes();
    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        grace: Duration::from_millis(100),
        ..Settings::default()
    };
    let liveness = Liveness::default();
    let server = Server::on(
        Arc::clone(&store) as Arc<dyn Store>,
        settings,
        Telemetry::new(),
        liveness.clone(),
    )
    .await
    .expect("it starts");
    let caller = Caller::new(server.address, "no key");
    let ready = caller.send("GET", "/readyz", "").await.expect("it answers");
    assert_eq!(ready.0, 200, "{}", ready.1);

    store.panic_in(method);
    // What makes the engine claim, the runner run, and the follower follow.
    server.node.engine.nudge(switchhook_domain::id::WebhookId(7));
    server.node.replays.nudge();
    changed
        .send(Change::Registry(COMPANY))
        .await
        .expect("it is followed");
    let failure = liveness.failed().await;
    assert!(failure.contains(part), "{method}: {failure}");
    let (status, answer) = caller.send("GET", "/readyz", "").await.expect("it answers");
    assert_eq!(
        (status.as_u16(), &answer["ready"]),
        (503, &false.into()),
        "{answer}"
    );
    assert!(answer["failed"].to_string().contains(part), "{answer}");
    let ended = server
        .run_until(pending())
        .await
        .expect_err("it ends")
        .to_string();
    assert!(ended.contains(part), "{method}: {ended}");
}

#[tokio::test]
async fn a_panic_of_the_engine_or_of_what_works_for_it_ends_the_server() {
    check("nodes", "delivery engine").await;
    check("cancel_deliveries_of", "delivery engine").await;
}

#[tokio::test]
async fn a_panic_of_the_replay_runner_ends_the_server() {
    check("running_replays", "replay runner").await;
}

#[tokio::test]
async fn a_panic_of_the_follower_ends_the_server() {
    check("list_websockets", "follower").await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_retention_ends_the_server() {
    check("forget_old_secrets", "retention").await;
}

/// Starts a server on a store whose thread or task that commits panics, and sees what becomes of it.
async fn check_committing(open: impl FnOnce(StoreOptions) -> Arc<dyn Store>, part: &str) {
    let (telemetry, liveness) = (Telemetry::new(), Liveness::default());
    let observer = Arc::new(PanicsAtCommit {
        is_armed: AtomicBool::new(false),
        inner: Observer::new(&telemetry, &liveness),
    });
    let options = StoreOptions {
        observer: Some(Arc::clone(&observer) as Arc<dyn CommitObserver>),
        ..StoreOptions::owner(switchhook_node::clock::SystemClock.now())
    };
    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        grace: Duration::from_secs(1),
        ..Settings::default()
    };
    let server = Server::on(open(options), settings, telemetry, liveness.clone())
        .await
        .expect("it starts");
    observer.is_armed.store(true, Ordering::SeqCst);
    // An event that goes nowhere is a commit too. Nobody is told that it is kept.
    let body = bytes::Bytes::from_static(br#"{"call_id":1,"state":"hangup"}"#);
    let submission = Submission {
        company_id: COMPANY,
        kind: Kind::Call,
        body,
        idempotency_key: None,
    };
    assert!(ingest::accept(&server.node, submission).await.is_err());
    assert!(liveness.failed().await.contains(part));
    let caller = Caller::new(server.address, "no key");
    let (status, _) = caller.send("GET", "/readyz", "").await.expect("it answers");
    assert_eq!(status, 503);
    let ended = server
        .run_until(pending())
        .await
        .expect_err("it ends")
        .to_string();
    assert!(ended.contains(part), "{ended}");
}

#[tokio::test]
async fn a_panic_of_the_sqlite_writer_ends_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("switchhook.db");
    check_committing(
        |options| SqliteStore::open(&path, options).expect("a store in a file opens"),
        "store's writer",
    )
    .await;
}

#[tokio::test]
async fn a_panic_of_the_postgres_committer_ends_the_server() {
    let Some(url) = postgres::new_database() else {
        return;
    };
    check_committing(
        |options| switchhook_store::open(&url, options).expect("the database can be used"),
        "store's committer",
    )
    .await;
}

struct PanicsAtCommit {
    is_armed: AtomicBool,
    inner: Observer,
}

impl CommitObserver for PanicsAtCommit {
    fn committed(&self, _: Commit) {
        assert!(!self.is_armed.load(Ordering::SeqCst), "as the test wants");
    }

    fn failed(&self, part: &'static str, why: &str) {
        self.inner.failed(part, why);
    }
}
