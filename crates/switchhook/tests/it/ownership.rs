//! One process serves a file, and finds all of it, however the file is named and whatever happens to it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;

use crate::support::http::Caller;
use crate::support::process::{ServerProcess, new_key};

fn store_at(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

fn switchhook(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchhook"))
        .args(words)
        .output()
        .expect("the binary was built")
}

#[track_caller]
fn check_refused(words: &[&str], because: &str) {
    let output = switchhook(words);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(because), "{told}");
}

/// Sends events over some connections until told to stop or refused; answers the ids of those that were acknowledged.
struct Load {
    is_over: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    senders: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn on(server: &ServerProcess) -> Self {
        let (is_over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let senders = (0..8).map(|sender| {
            let (is_over, count) = (Arc::clone(&is_over), Arc::clone(&count));
            tokio::spawn(send(server.caller(), sender, is_over, count))
        });
        Self {
            senders: senders.collect(),
            is_over,
            count,
        }
    }

    /// Waits until there is something to lose, however slow the machine is.
    async fn under_way(&self) {
        while self.count.load(Ordering::Relaxed) <= 20 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn acknowledged(self) -> BTreeSet<String> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = BTreeSet::new();
        for sender in self.senders {
            all.extend(sender.await.expect("senders do not panic"));
        }
        all
    }
}

async fn send(caller: Caller, sender: u64, is_over: Arc<AtomicBool>, count: Arc<AtomicUsize>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0_u64.. {
        let event = json!({"call_id": (sender << 32) + number, "state": "hangup"}).to_string();
        match caller.send("POST", "/v1/events/call", &event).await {
            Ok((StatusCode::ACCEPTED, answer)) => {
                acknowledged.push(answer["id"].as_str().expect("ids are texts").to_owned());
                count.fetch_add(1, Ordering::Relaxed);
            }
            _ => break,
        }
        if is_over.load(Ordering::Relaxed) {
            break;
        }
    }
    acknowledged
}

async fn check_all_there(server: &ServerProcess, ids: &BTreeSet<String>) {
    let caller = server.caller();
    for id in ids {
        let found = caller.send("GET", &format!("/v1/events/{id}"), "").await;
        assert!(
            matches!(found, Ok((StatusCode::OK, _))),
            "{id} of {}: {found:?}",
            ids.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_through_a_link_is_there_when_the_file_itself_is_served_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("store.db"), folder.path().join("link.db"));
    symlink("store.db", &link).unwrap();
    let key = new_key(&store_at(&link), "");
    for round in 0..6 {
        let (one, other) = if round % 2 == 0 {
            (&link, &file)
        } else {
            (&file, &link)
        };
        let log = folder.path().join("log");
        let mut server = ServerProcess::start_on(&store_at(one), &key, &[], log.clone()).await;
        check_refused(
            &["serve", "--listen", "127.0.0.1:0", "--store", &store_at(other)],
            "is in use by process",
        );
        let load = Load::on(&server);
        load.under_way().await;
        let made = switchhook(&["keys", "create", "--name", "x", "--store", &store_at(other)]);
        assert!(made.status.success(), "{made:?}");
        server.kill();
        let acknowledged = load.acknowledged().await;
        assert!(acknowledged.len() > 20, "{}", acknowledged.len());
        let server = ServerProcess::start_on(&store_at(other), &key, &[], log).await;
        check_all_there(&server, &acknowledged).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_lock_file_is_removed_ends_when_another_one_comes_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("switchhook.db");
    let mut first = ServerProcess::start(folder.path()).await;
    let load = Load::on(&first);
    load.under_way().await;
    fs::remove_file(folder.path().join("switchhook.db.lock")).unwrap();
    let log = folder.path().join("second-log");
    let second = ServerProcess::start_on(&store_at(&file), &first.key, &[], log).await;
    let (code, log) = first.ended().await;
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("was taken over"), "{log}");
    let acknowledged = load.acknowledged().await;
    assert!(acknowledged.len() > 20, "{}", acknowledged.len());
    check_all_there(&second, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_moved_away_from_its_log_after_a_kill_is_refused_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (file, moved) = (
        folder.path().join("switchhook.db"),
        folder.path().join("moved.db"),
    );
    let mut server = ServerProcess::start(folder.path()).await;
    let load = Load::on(&server);
    load.under_way().await;
    server.kill();
    let acknowledged = load.acknowledged().await;
    fs::rename(&file, &moved).unwrap();
    for command in ["serve", "migrate", "backup"] {
        let store = store_at(&moved);
        let mut words = vec![command, "--store", &store];
        let copy = folder.path().join("copy.db");
        match command {
            "serve" => words.extend(["--listen", "127.0.0.1:0"]),
            "backup" => words.extend(["--to", copy.to_str().unwrap()]),
            _ => {}
        }
        check_refused(&words, "move the database back");
    }
    fs::rename(&moved, &file).unwrap();
    server.start_again().await;
    check_all_there(&server, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_database_is_removed_ends_and_leaves_a_copy_of_all_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = ServerProcess::start(folder.path()).await;
    let load = Load::on(&server);
    load.under_way().await;
    fs::remove_file(folder.path().join("switchhook.db")).unwrap();
    let (code, log) = server.ended().await;
    let acknowledged = load.acknowledged().await;
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("switchhook.db.rescued-1"), "{log}");
    let rescued = folder.path().join("switchhook.db.rescued-1");
    let log = folder.path().join("rescued-log");
    let server = ServerProcess::start_on(&store_at(&rescued), &server.key, &[], log).await;
    check_all_there(&server, &acknowledged).await;
}
