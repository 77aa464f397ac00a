//! A crash in the middle: every event is replayed exactly once all the same, as far as deliveries go.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::id::ReplayId;
use switchhook_domain::replay::ReplayState;
use switchhook_domain::webhook::WebhookSettings;
use switchhook_node::replays::ReplayTarget;
use switchhook_node::settings::Settings;
use switchhook_store::StoreOptions;
use switchhook_store::WriterMode;
use switchhook_store::sqlite::SqliteStore;
use tokio::time::Instant;

use super::{deliveries_by_event, everything};
use crate::support::rig::{Reaction, Rig, START, Seen};

const EVENTS: u64 = 600;

fn open(file: &Path, now: Timestamp) -> Arc<SqliteStore> {
    let options = StoreOptions {
        writer: WriterMode::Inline,
        ..StoreOptions::owner(now)
    };
    SqliteStore::open(file, options).expect("the folder is ours")
}

/// The file as a crash now would leave it.
fn copy(from: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let part = |path: &Path| format!("{}{suffix}", path.display());
        if Path::new(&part(from)).exists() {
            std::fs::copy(part(from), part(to)).expect("the folder is ours");
        }
    }
}

/// Answers most at once, some late, some only at the second attempt.
fn script(seen: &Seen) -> Reaction {
    match (seen.delivery_id % 11, seen.attempt) {
        (0, 1) => Reaction::Answer(500),
        (1..4, _) => Reaction::Slowly(200, Duration::from_millis(300)),
        _ => Reaction::Answer(200),
    }
}

/// A store in which every event was delivered once.
async fn delivered(file: &Path, started: Instant) {
    let rig = Rig::at(
        START.plus(started.elapsed()),
        open(file, START),
        Settings::default(),
        script,
    )
    .await;
    rig.webhook(WebhookSettings::default()).await;
    for n in 0..EVENTS {
        rig.call(n % 60, &format!("state-{n}")).await;
    }
    rig.wait(Duration::from_secs(120)).await;
    stop(&rig).await;
}

async fn stop(rig: &Rig) {
    rig.node.replays.stop().await;
    rig.node.engine.stop(Duration::ZERO).await;
    rig.store.close().await;
}

async fn start(file: &Path, started: Instant) -> Rig {
    let now = START.plus(started.elapsed());
    Rig::at(now, open(file, now), Settings::default(), script).await
}

async fn crash_after(origin: &Path, started: Instant, wait: Duration, rate: Option<f64>) {
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let (file, image) = (folder.path().join("first.db"), folder.path().join("second.db"));
    copy(origin, &file);
    let rig = start(&file, started).await;
    let id = rig.replay_to(everything(), ReplayTarget::Origins, rate).await;
    rig.wait(wait).await;
    copy(&file, &image);
    let before = rig.seen_of(id);
    stop(&rig).await;

    let again = start(&image, started).await;
    let replay = again.wait_for_replay(id).await;
    check_whole(&replay.state, id, &before, &again.seen_of(id));
    let progress = replay.progress;
    assert_eq!(
        (progress.created, progress.delivered, progress.scanned),
        (EVENTS, EVENTS, EVENTS),
        "{wait:?}"
    );
    stop(&again).await;
}

/// Every event got one delivery, and only what was under way at the crash was attempted again afterwards.
fn check_whole(state: &ReplayState, id: ReplayId, before: &[Seen], after: &[Seen]) {
    assert!(matches!(state, ReplayState::Finished { .. }), "{id}: {state:?}");
    let all: Vec<_> = before.iter().chain(after).cloned().collect();
    let by_event = deliveries_by_event(&all);
    assert_eq!(by_event.len() as u64, EVENTS);
    assert!(by_event.values().all(|deliveries| deliveries.len() == 1));
}

#[tokio::test(start_paused = true)]
async fn a_replay_goes_on_after_a_crash_and_makes_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let started = Instant::now();
    delivered(&file, started).await;
    for wait in [0, 1, 25, 60, 400] {
        crash_after(&file, started, Duration::from_millis(wait), None).await;
    }
    for wait in [500, 4_000] {
        crash_after(&file, started, Duration::from_millis(wait), Some(100.0)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_had_been_delivered_before_a_stop_is_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let started = Instant::now();
    delivered(&file, started).await;
    let rig = start(&file, started).await;
    let id = rig
        .replay_to(everything(), ReplayTarget::Origins, Some(100.0))
        .await;
    rig.wait(Duration::from_secs(3)).await;
    // What it made ahead of its time goes out, and attempts end.
    rig.node.replays.stop().await;
    rig.wait(Duration::from_secs(20)).await;
    stop(&rig).await;
    let before = rig.seen_of(id);

    let again = start(&file, started).await;
    let replay = again.wait_for_replay(id).await;
    let after = again.seen_of(id);
    check_whole(&replay.state, id, &before, &after);
    assert!((390..=520).contains(&first_attempts(&before)), "{}", before.len());
    assert_eq!(
        first_attempts(&before) + first_attempts(&after),
        EVENTS,
        "nothing was begun twice"
    );
}

fn first_attempts(seen: &[Seen]) -> u64 {
    seen.iter().filter(|one| one.attempt == 1).count() as u64
}
