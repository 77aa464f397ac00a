//! Faults of the store, and jumps of the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::json;
use switchhook_domain::Timestamp;
use switchhook_domain::clock::{Clock, ClockAgreement};
use switchhook_domain::delivery::StateName;
use switchhook_domain::lease::Lease;
use switchhook_domain::webhook::WebhookSettings;
use switchhook_node::clock::NodeClock;
use switchhook_node::settings::Settings;
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{Store, StoreOptions};
use tokio::time::Instant;

use crate::support::faulty_store::FaultyStore;
use crate::support::rig::{Reaction, Rig, START, Seen};
use crate::support::test_server::TestServer;

const FULL: &str = "the disk is full: free some space; nothing was lost";
const READ_ONLY: &str = "the database file or its disk is read-only";
const LOCKED: &str = "another process is writing to the database file and does not end";

fn memory() -> Arc<dyn Store> {
    SqliteStore::in_memory(StoreOptions::owner(START)).expect("a store in memory opens")
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_write_is_told_and_everything_acknowledged_is_delivered_once_it_can() {
    for fault in [FULL, READ_ONLY, LOCKED] {
        let store = FaultyStore::around(memory());
        let answer = |_: &_| Reaction::Slowly(200, Duration::from_secs(2));
        let server = TestServer::on(Arc::clone(&store) as Arc<dyn Store>, Settings::default(), answer).await;
        let webhook = server.webhook("https://example.com").await;
        server.subscribe(&webhook).await;
        let mut acknowledged = 0;
        for call in 0..10 {
            server
                .event("call", format!(r#"{{"call_id":{call},"state":"hangup"}}"#), &[])
                .await
                .ok();
            acknowledged += 1;
        }
        server.wait(Duration::from_secs(1)).await;
        store.set(Some(fault));
        let refused = server
            .event("call", r#"{"call_id":99,"state":"hangup"}"#, &[])
            .await;
        refused.refused(503, fault);
        assert_eq!(refused.headers["retry-after"], "1");
        server.wait(Duration::from_secs(30)).await;
        let ready = server.get("/readyz").await;
        assert_eq!(ready.status, 503);
        assert!(
            ready.json()["store"].as_str().unwrap().contains(fault),
            "{ready:?}"
        );
        assert!(
            ready.json()["delivery"].as_str().unwrap().contains(fault),
            "what came of attempts cannot be kept"
        );
        let attempts = server.network.seen().len();
        assert!(attempts <= 20, "no spinning: {attempts} attempts");

        store.set(None);
        server.wait(Duration::from_secs(600)).await;
        assert_eq!(server.get("/readyz").await.status, 200);
        server
            .event("call", r#"{"call_id":99,"state":"hangup"}"#, &[])
            .await
            .ok();
        server.wait(Duration::from_secs(60)).await;
        let all = server.get("/v1/deliveries?limit=200").await.ok();
        let delivered: Vec<_> = all["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["state"].clone())
            .collect();
        assert_eq!(delivered, vec![json!("delivered"); acknowledged + 1]);
    }
}

/// A node whose clock can be set, whose receiver refuses the first attempt of everything.
async fn with_settable_clock() -> (Rig, Arc<AtomicI64>) {
    let offset = Arc::new(AtomicI64::new(0));
    let (theirs, started) = (Arc::clone(&offset), Instant::now());
    let clock = move || {
        let now = START.plus(started.elapsed()).as_millis();
        Timestamp::from_millis(now + theirs.load(Ordering::Relaxed))
    };
    let answer = |seen: &Seen| Reaction::Answer(if seen.attempt == 1 { 503 } else { 200 });
    let rig = Rig::with_clock(memory(), Settings::default(), Arc::new(clock), answer).await;
    rig.webhook(WebhookSettings::default()).await;
    (rig, offset)
}

const HOUR: i64 = 3_600_000;

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_back_delays_and_loses_nothing() {
    let (rig, offset) = with_settable_clock().await;
    rig.call(1, "ringing").await;
    rig.wait(Duration::from_secs(1)).await;
    offset.store(-HOUR, Ordering::Relaxed);
    rig.call(2, "ringing").await;
    rig.wait(Duration::from_secs(30)).await;
    let seen = rig.network.seen();
    assert!(seen.len() <= 4, "no spinning: {seen:?}");
    assert!(
        seen.iter().any(|one| one.attempt == 2),
        "what came after the jump is retried in time: {seen:?}"
    );
    rig.wait(Duration::from_secs(3_700)).await;
    let states: Vec<_> = rig
        .deliveries()
        .await
        .iter()
        .map(|one| one.state.name())
        .collect();
    assert_eq!(states, [StateName::Delivered; 2]);
    assert_eq!(rig.network.seen().len(), 4, "each twice");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_ahead_hurries_and_loses_nothing() {
    let (rig, offset) = with_settable_clock().await;
    rig.call(1, "ringing").await;
    rig.wait(Duration::from_secs(1)).await;
    offset.store(HOUR, Ordering::Relaxed);
    rig.call(2, "ringing").await;
    rig.wait(Duration::from_secs(30)).await;
    let states: Vec<_> = rig
        .deliveries()
        .await
        .iter()
        .map(|one| one.state.name())
        .collect();
    assert_eq!(states, [StateName::Delivered; 2]);
    assert_eq!(rig.network.seen().len(), 4, "each twice");
    for _ in 0..20 {
        offset.fetch_add(HOUR, Ordering::Relaxed);
        rig.wait(Duration::from_secs(1)).await;
        offset.fetch_sub(2 * HOUR, Ordering::Relaxed);
        rig.call(3, "ringing").await;
        rig.wait(Duration::from_secs(1)).await;
    }
    offset.store(HOUR, Ordering::Relaxed);
    rig.wait(Duration::from_secs(7_200)).await;
    let deliveries = rig.deliveries().await;
    assert!(
        deliveries
            .iter()
            .all(|one| one.state.name() == StateName::Delivered),
        "{deliveries:?}"
    );
}

/// A clock that is said to be off.
struct OffBy(Instant, i64);

impl Clock for OffBy {
    fn now(&self) -> Timestamp {
        START.plus(self.0.elapsed())
    }

    fn agreement(&self) -> ClockAgreement {
        ClockAgreement::Off { ahead_ms: self.1 }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_clock_is_off_is_not_ready_and_the_doctor_says_so() {
    for (ahead_ms, status) in [(14_000, 200), (70_000, 503), (-70_000, 503)] {
        let clock = Arc::new(OffBy(Instant::now(), ahead_ms));
        let server = TestServer::with_clock(memory(), Settings::default(), clock).await;
        let ready = server.get("/readyz").await;
        assert_eq!(ready.status, status, "{ahead_ms}: {ready:?}");
        let findings = server.get("/v1/doctor?connect=false").await.ok()["findings"].to_string();
        assert_eq!(findings.contains("clock_skew"), status == 503, "{findings}");
        if status == 503 {
            let said = ready.json()["clock"].as_str().unwrap().to_owned();
            assert!(
                said.contains("70.0 s") && findings.contains("70.0 s"),
                "{said} {findings}"
            );
        }
    }
}

/// A node on a machine whose clock can be set, which goes by a clock that makes up for that.
async fn with_node_clock() -> (Rig, Arc<AtomicI64>) {
    let offset = Arc::new(AtomicI64::new(0));
    let (theirs, started) = (Arc::clone(&offset), Instant::now());
    let machine = move || {
        let now = START.plus(started.elapsed()).as_millis();
        Timestamp::from_millis(now + theirs.load(Ordering::Relaxed))
    };
    let clock = NodeClock::new(Arc::new(machine), Lease(Duration::from_secs(60)));
    let answer = |seen: &Seen| Reaction::Answer(if seen.attempt == 1 { 503 } else { 200 });
    let rig = Rig::with_clock(memory(), Settings::default(), Arc::new(clock), answer).await;
    rig.webhook(WebhookSettings {
        rate: Some(5.0),
        ..WebhookSettings::default()
    })
    .await;
    (rig, offset)
}

#[tokio::test(start_paused = true)]
async fn a_machines_clock_that_is_set_back_strands_nothing() {
    let (rig, offset) = with_node_clock().await;
    for back in [2, 60, 24 * 365] {
        rig.call(1, "ringing").await;
        rig.wait(Duration::from_secs(1)).await;
        offset.fetch_sub(back * HOUR, Ordering::Relaxed);
        rig.call(2, "ringing").await;
        rig.wait(Duration::from_secs(15)).await;
        let deliveries = rig.deliveries().await;
        let are_delivered = deliveries
            .iter()
            .all(|one| one.state.name() == StateName::Delivered);
        assert!(are_delivered, "after {back} hours back: {deliveries:?}");
    }
    let ids: Vec<_> = rig.deliveries().await.iter().map(|one| one.id).collect();
    assert!(ids.is_sorted(), "{ids:?}");
}
