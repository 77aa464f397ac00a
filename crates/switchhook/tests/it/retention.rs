//! Retention, in virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::json;
use switchhook_domain::company::CompanyChange;
use switchhook_domain::webhook::WebhookSettings;
use switchhook_node::retention::Retention;
use switchhook_node::settings::{RetentionSettings, Settings};
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{EventFilter, PageRequest, StoreOptions};
use tokio::time::Instant;

use crate::support::rig::{COMPANY, Reaction, Rig, START};
use crate::support::test_server::TestServer;

const DAY: Duration = Duration::from_secs(86_400);

fn keeping(age: Option<Duration>, size: Option<u64>) -> Settings {
    Settings {
        retention: RetentionSettings {
            age,
            size,
            ..RetentionSettings::default()
        },
        ..Settings::default()
    }
}

async fn rig(
    settings: Settings,
    script: impl Fn(&crate::support::rig::Seen) -> Reaction + Send + Sync + 'static,
) -> Rig {
    let store = SqliteStore::in_memory(StoreOptions::owner(START)).expect("a store in memory opens");
    Rig::on(store, settings, script).await
}

async fn count(rig: &Rig) -> usize {
    let page = rig
        .store
        .list_events(COMPANY, EventFilter::default(), PageRequest::first(10_000))
        .await;
    page.expect("the store can be read").items.len()
}

fn metric(rig: &Rig, what: &str) -> u64 {
    let text = rig.node.telemetry.render();
    let line = text
        .lines()
        .find(|line| line.contains(&format!("switchhook_retention_removed_total{{what=\"{what}\"}}")));
    let line = line.expect("the metric is there from the start");
    line.rsplit(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .expect("it has a value")
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_the_limit_goes_and_is_counted() {
    let rig = rig(keeping(Some(2 * DAY), None), |_| Reaction::Answer(200)).await;
    rig.webhook(WebhookSettings::default()).await;
    let mut retention = Retention::new(&rig.node);
    for call in 0..1_300 {
        rig.call(call, "hangup").await;
    }
    rig.wait(Duration::from_secs(60)).await;
    tokio::time::advance(DAY).await;
    rig.call(9_999, "hangup").await;
    retention.sweep().await.unwrap();
    assert_eq!((count(&rig).await, metric(&rig, "events")), (1_301, 0));
    rig.wait(Duration::from_secs(60)).await;
    tokio::time::advance(DAY).await;
    retention.sweep().await.unwrap();
    assert_eq!(count(&rig).await, 1);
    assert_eq!(
        (
            metric(&rig, "events"),
            metric(&rig, "deliveries"),
            metric(&rig, "attempts")
        ),
        (1_300, 1_300, 1_300)
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_stays_while_a_delivery_of_it_is_pending() {
    let rig = rig(keeping(Some(DAY), None), |_| Reaction::Refuse).await;
    rig.webhook(WebhookSettings::default()).await;
    rig.call(1, "hangup").await;
    let mut retention = Retention::new(&rig.node);
    rig.wait(2 * DAY).await;
    retention.sweep().await.unwrap();
    assert_eq!(count(&rig).await, 1, "retries go on for three days");
    rig.wait(3 * DAY).await;
    retention.sweep().await.unwrap();
    assert_eq!(count(&rig).await, 0, "given up for longer than a day");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_too_large_loses_its_oldest_events() {
    let limit = 2_000_000;
    let rig = rig(keeping(None, Some(limit)), |_| Reaction::Answer(200)).await;
    let padding = "x".repeat(2_000);
    let mut last = None;
    for call in 0..3_000 {
        let body = format!(r#"{{"call_id":{call},"state":"hangup","padding":"{padding}"}}"#);
        last = Some(rig.accept(switchhook_domain::Kind::Call, &body).await.id);
    }
    rig.wait(Duration::from_secs(1)).await;
    assert!(rig.store.size().await.unwrap().used > limit);
    Retention::new(&rig.node).sweep().await.unwrap();
    let used = rig.store.size().await.unwrap().used;
    assert!(used <= limit && used > limit / 2, "{used}");
    assert!(
        rig.store.event(COMPANY, last.unwrap()).await.is_ok(),
        "the newest stay"
    );
}

#[tokio::test(start_paused = true)]
async fn a_company_that_wants_no_payloads_keeps_the_record_of_delivery() {
    let server = TestServer::reacting(Settings::default(), |seen| match seen.attempt {
        1 => Reaction::Answer(500),
        _ => Reaction::Answer(200),
    })
    .await;
    let webhook = server.webhook("https://example.com").await;
    server.subscribe(&webhook).await;
    let drop = CompanyChange {
        drop_payloads: Some(true),
        ..CompanyChange::default()
    };
    server.store.update_company(COMPANY, drop).await.unwrap();
    let sent = server
        .event(
            "call",
            r#"{"call_id":1,"state":"hangup"}"#,
            &[("idempotency-key", "a")],
        )
        .await
        .ok();
    let path = format!("/v1/events/{}", sent["id"].as_str().unwrap());
    let mut retention = Retention::new(&server.node);
    server.wait(Duration::from_secs(1)).await;
    retention.sweep().await.unwrap();
    assert!(
        server.get(&path).await.ok()["payload"].is_object(),
        "a retry needs it"
    );
    server.wait(Duration::from_secs(60)).await;
    retention.sweep().await.unwrap();
    let shown = server.get(&path).await.ok();
    assert_eq!(
        (&shown["payload"], &shown["payload_removed"]["reason"]),
        (&json!(null), &json!("delivered"))
    );
    assert_eq!(shown["deliveries"][0]["state"], "delivered");
    let again = server
        .event(
            "call",
            r#"{"call_id":1,"state":"hangup"}"#,
            &[("idempotency-key", "a")],
        )
        .await
        .ok();
    assert_eq!((&again["duplicate"], &again["id"]), (&json!(true), &sent["id"]));
    let delivery = shown["deliveries"][0]["id"].as_str().unwrap();
    server
        .post(&format!("/v1/deliveries/{delivery}/redeliver"), json!(null))
        .await
        .refused(409, "payload");
}

/// A clock that a test can set.
fn settable(rig_started: Instant) -> (Arc<AtomicI64>, impl Fn() -> switchhook_domain::Timestamp) {
    let offset = Arc::new(AtomicI64::new(0));
    let theirs = Arc::clone(&offset);
    let clock = move || {
        let now = START.plus(rig_started.elapsed()).as_millis();
        switchhook_domain::Timestamp::from_millis(now + theirs.load(Ordering::Relaxed))
    };
    (offset, clock)
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_ahead_removes_nothing_before_somebody_could_notice() {
    let (offset, clock) = settable(Instant::now());
    let store = SqliteStore::in_memory(StoreOptions::owner(START)).unwrap();
    let rig = Rig::with_clock(store, keeping(Some(DAY), None), Arc::new(clock), |_| {
        Reaction::Answer(200)
    })
    .await;
    rig.call(1, "hangup").await;
    let mut retention = Retention::new(&rig.node);
    rig.wait(Duration::from_secs(60)).await;
    let year = i64::try_from((365 * DAY).as_millis()).unwrap();
    offset.store(year, Ordering::Relaxed);
    retention.sweep().await.unwrap();
    assert_eq!(count(&rig).await, 1, "the clock is not believed at once");
    offset.store(0, Ordering::Relaxed);
    rig.wait(Duration::from_secs(60)).await;
    retention.sweep().await.unwrap();
    assert_eq!(count(&rig).await, 1, "it was set right");
    offset.store(year, Ordering::Relaxed);
    for _ in 0..62 {
        retention.sweep().await.unwrap();
        rig.wait(Duration::from_secs(60)).await;
    }
    assert_eq!(count(&rig).await, 0, "after an hour it is believed");
}
