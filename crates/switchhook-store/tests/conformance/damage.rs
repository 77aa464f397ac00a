//! Damaged rows, a full disk, a disk that cannot be written, a file that another process locks.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{
    Claim, ClaimAnswer, ClaimRequest, Commit, CommitObserver, DeliveryFilter, EventStore, NewEvent,
    PageRequest, SetAside, Store, StoreError, StoreOptions,
};

use crate::samples::{COMPANY, LEASE, NOON, delivery, event};

const HOOK: WebhookId = WebhookId(7);

#[derive(Default)]
struct Watch(Mutex<Vec<SetAside>>);

impl CommitObserver for Watch {
    fn committed(&self, _: Commit) {}

    fn set_aside(&self, set_aside: &SetAside) {
        self.0.lock().push(set_aside.clone());
    }
}

fn open(path: &Path, watch: &Arc<Watch>) -> Arc<SqliteStore> {
    let options = StoreOptions {
        observer: Some(Arc::clone(watch) as Arc<dyn CommitObserver>),
        patience: Duration::from_millis(50),
        ..StoreOptions::owner(NOON)
    };
    SqliteStore::open(path, options).expect("it opens")
}

/// Keeps events with one delivery each: event 10 has delivery 11, event 20 has 21, and so on.
async fn fill(store: &SqliteStore, count: i64, is_claimed: bool) {
    for id in (1..=count).map(|number| 10 * number) {
        let mut new = delivery(id + 1, HOOK);
        new.claim_until = is_claimed.then(|| NOON.plus(LEASE));
        let event = NewEvent {
            deliveries: vec![new],
            ..event(id, NOON)
        };
        store.record_events(vec![event]).await.expect("it is kept");
    }
}

async fn claim(store: &SqliteStore) -> ClaimAnswer {
    let requests = vec![ClaimRequest {
        webhook_id: HOOK,
        limit: 100,
        bytes: usize::MAX,
        only: None,
    }];
    let claim = Claim {
        requests,
        now: NOON,
        until: NOON.plus(LEASE),
        expired: switchhook_store::ExpiredLeases::Claim,
    };
    store
        .claim_due_deliveries(claim)
        .await
        .expect("it is claimed")
        .remove(0)
}

fn damage(path: &Path, sql: &str) {
    let other = rusqlite::Connection::open(path).expect("it opens");
    other.execute_batch(sql).expect("it is done");
}

const DAMAGES: [&str; 5] = [
    "UPDATE deliveries SET kind = 'nonsense' WHERE id = 21",
    "UPDATE deliveries SET subscription_ids = '1,x' WHERE id = 31",
    "UPDATE deliveries SET due_at = NULL WHERE id = 41",
    "DELETE FROM events WHERE id = 50",
    "UPDATE deliveries SET hidden = 'everything' WHERE id = 61",
];

#[tokio::test]
async fn damaged_rows_are_set_aside_and_the_others_are_claimed() {
    let scratch = tempfile::tempdir().unwrap();
    let (path, watch) = (scratch.path().join("store.db"), Arc::new(Watch::default()));
    let store = open(&path, &watch);
    fill(&store, 7, false).await;
    DAMAGES.iter().for_each(|sql| damage(&path, sql));
    let pending = store.pending_webhooks(None, 9).await.unwrap();
    assert_eq!(pending.len(), 1, "the others can be seen");
    let answer = claim(&store).await;
    assert_eq!((answer.claimed, answer.next_due_at), (2, None));
    let reported = watch.0.lock().clone();
    let mut ids: Vec<_> = reported.iter().map(|one| one.delivery_id.0).collect();
    ids.sort_unstable();
    assert_eq!(ids, [21, 31, 41, 51, 61], "{reported:?}");
    assert!(
        reported
            .iter()
            .any(|one| one.why.contains("row 21") && one.why.contains("kind")),
        "{reported:?}"
    );
    assert_eq!(claim(&store).await.claimed, 0);
    assert_eq!(watch.0.lock().len(), 5, "once");

    let gone = store.delivery(COMPANY, DeliveryId(51)).await.unwrap();
    assert_eq!(gone.state.name(), StateName::Cancelled);
    assert!(gone.note.unwrap().contains("set aside"));
    let all = store
        .list_deliveries(COMPANY, DeliveryFilter::default(), PageRequest::first(3))
        .await
        .unwrap();
    let rest = PageRequest {
        after: all.next,
        limit: 10,
    };
    let rest = store
        .list_deliveries(COMPANY, DeliveryFilter::default(), rest)
        .await
        .unwrap();
    assert_eq!(
        all.items.len() + rest.items.len(),
        4,
        "those that can be read, on both pages"
    );
}

#[tokio::test]
async fn a_store_with_a_damaged_claim_opens() {
    let scratch = tempfile::tempdir().unwrap();
    let (path, watch) = (scratch.path().join("store.db"), Arc::new(Watch::default()));
    let store = open(&path, &watch);
    fill(&store, 3, true).await;
    store.close().await;
    damage(&path, DAMAGES[0]);
    let store = open(&path, &watch);
    assert_eq!(watch.0.lock().len(), 1);
    assert_eq!(claim(&store).await.claimed, 2);
}

#[track_caller]
fn check_unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>, because: &str) {
    match result {
        Err(StoreError::Unavailable(why)) => assert!(why.contains(because), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_that_another_process_locks_is_told_and_nothing_is_lost() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let store = open(&path, &Arc::default());
    fill(&store, 1, false).await;
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (recorded, checked) = tokio::join!(store.record_events(vec![event(90, NOON)]), store.check());
    check_unavailable(recorded, "another process is writing");
    check_unavailable(checked, "another process is writing");
    assert!(
        store
            .event(COMPANY, switchhook_domain::id::EventId(10))
            .await
            .is_ok(),
        "reading goes on"
    );
    other.execute_batch("ROLLBACK").unwrap();
    store.record_events(vec![event(90, NOON)]).await.unwrap();
    store.check().await.unwrap();
}
