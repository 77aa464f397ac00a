//! Copies between stores: everything arrives, also when they break off, and nothing half-done is opened.

use std::ops::ControlFlow;
use std::path::Path;

use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_domain::subscription::Filter;
use switchhook_store::{CopyProgress, CopyReport, NewEvent, Store, StoreError, StoreOptions, copy};

use crate::samples::{COMPANY, NOON, delivery, event, key, order_key, subscription, webhook};
use crate::{postgres, samples};

const HOOK: WebhookId = WebhookId(10);

/// Some of everything that a store usually has.
async fn fill(store: &dyn Store, events: i64) {
    store.create_key(key(1, COMPANY)).await.unwrap();
    store.create_webhook(webhook(HOOK.0, COMPANY)).await.unwrap();
    store
        .create_subscription(subscription(20, Some(HOOK), Filter::Changelog), None)
        .await
        .unwrap();
    for number in 0..events {
        let id = 1_000 + 10 * number;
        let kept = NewEvent {
            order_key: Some(order_key(number % 3)),
            deliveries: vec![delivery(id + 1, HOOK)],
            ..event(id, NOON)
        };
        store.record_events(vec![kept]).await.unwrap();
    }
    claim_and_finish_one(store).await;
    // Delivered before it had a row.
    let mut at_once = delivery(902, HOOK);
    at_once.claim_until = Some(NOON.plus(samples::LEASE));
    let kept = NewEvent {
        deliveries: vec![at_once],
        ..event(901, NOON)
    };
    store.record_events(vec![kept]).await.unwrap();
    let finished = samples::delivered(902, HOOK);
    assert_eq!(store.finish_attempts(vec![finished]).await.unwrap(), 0);
}

/// The first delivery has an attempt.
async fn claim_and_finish_one(store: &dyn Store) {
    let requests = vec![switchhook_store::ClaimRequest {
        webhook_id: HOOK,
        limit: 1,
        bytes: usize::MAX,
        only: None,
    }];
    let until = NOON.plus(samples::LEASE);
    let claim = switchhook_store::Claim {
        requests,
        now: NOON,
        until,
        expired: switchhook_store::ExpiredLeases::Claim,
    };
    store.claim_due_deliveries(claim).await.unwrap();
    let finished = samples::delivered(1_001, HOOK);
    assert_eq!(store.finish_attempts(vec![finished]).await.unwrap(), 0);
}

fn sqlite(folder: &Path, name: &str) -> String {
    format!("sqlite:{}", folder.join(name).display())
}

fn copy_all(from: &str, to: &str) -> Result<CopyReport, StoreError> {
    copy(from, to, NOON, None, |_| ControlFlow::Continue(()))
}

/// Every row of every table that travels, as text.
fn dump(url: &str) -> Vec<String> {
    let path = url.strip_prefix("sqlite:").unwrap();
    let connection = rusqlite::Connection::open(path).unwrap();
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
                 AND name NOT IN ('schema_migrations', 'checks', 'owner') ORDER BY name";
    let mut statement = connection.prepare(names).unwrap();
    let tables: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut rows = Vec::new();
    for table in tables {
        // Attempts come to another store as attempts, wherever they were kept.
        let table = if table == "attempt_rows" {
            "attempts".into()
        } else {
            table
        };
        let names =
            "SELECT group_concat(name) FROM pragma_table_info(?) WHERE name NOT LIKE 'first\\_%' ESCAPE '\\'";
        let names: String = connection.query_row(names, [&table], |row| row.get(0)).unwrap();
        let select = format!("SELECT {names} FROM {table}");
        let columns = connection.prepare(&select).unwrap().column_count();
        let order = if columns < 3 { "1, 2" } else { "1, 2, 3" };
        let mut statement = connection.prepare(&format!("{select} ORDER BY {order}")).unwrap();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let cells: Vec<_> = (0..columns)
                .map(|n| format!("{:?}", row.get_ref(n).unwrap()))
                .collect();
            rows.push(format!("{table}: {}", cells.join(" | ")));
        }
    }
    rows
}

#[track_caller]
fn check_unusable<T>(result: Result<T, StoreError>, because: &str) {
    match result {
        Err(StoreError::Unusable(message)) => assert!(message.contains(because), "{message}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was done"),
    }
}

#[tokio::test]
async fn a_store_comes_back_from_postgresql_as_it_was() {
    if !postgres::is_there() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (first, last) = (
        sqlite(scratch.path(), "first.db"),
        sqlite(scratch.path(), "last.db"),
    );
    let middle = postgres::new_database();
    let store = switchhook_store::open(&first, StoreOptions::owner(NOON)).unwrap();
    fill(&*store, 700).await;
    store.close().await;
    let there = copy_all(&first, &middle).unwrap();
    let back = copy_all(&middle, &last).unwrap();
    assert_eq!(there, back);
    assert_eq!(there.tables["events"], 701);
    assert_eq!(there.tables["attempts"], 2);
    assert_eq!(dump(&first), dump(&last));
}

#[tokio::test]
async fn a_copied_store_is_served_and_goes_on_where_it_was() {
    if !postgres::is_there() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (from, to) = (sqlite(scratch.path(), "from.db"), postgres::new_database());
    let store = switchhook_store::open(&from, StoreOptions::owner(NOON)).unwrap();
    fill(&*store, 9).await;
    store.close().await;
    copy_all(&from, &to).unwrap();
    let store = switchhook_store::open(&to, StoreOptions::owner(NOON)).unwrap();
    assert_eq!(store.attempts_of(DeliveryId(1_001)).await.unwrap().len(), 1);
    let revision = store.last_revision().await.unwrap();
    let other = webhook(11, COMPANY);
    store.create_webhook(other.clone()).await.unwrap();
    let new = subscription(21, Some(other.id), Filter::Changelog);
    store.create_subscription(new, None).await.unwrap();
    assert!(store.last_revision().await.unwrap() > revision);
    // The copied deliveries are in their order queues: a new one of the same call waits behind them.
    let late = NewEvent {
        order_key: Some(order_key(1)),
        deliveries: vec![delivery(900_001, HOOK)],
        ..event(900_000, NOON)
    };
    store.record_events(vec![late]).await.unwrap();
    let behind = store.delivery(COMPANY, DeliveryId(900_001)).await.unwrap();
    assert!(behind.state.at() > NOON, "it is held: {:?}", behind.state);
    store.close().await;
}

#[tokio::test]
async fn a_copy_that_broke_off_goes_on_and_is_opened_by_nobody_meanwhile() {
    if !postgres::is_there() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (first, last) = (
        sqlite(scratch.path(), "first.db"),
        sqlite(scratch.path(), "last.db"),
    );
    let middle = postgres::new_database();
    let store = switchhook_store::open(&first, StoreOptions::owner(NOON)).unwrap();
    fill(&*store, 350).await;
    store.close().await;
    for (from, to) in [(&first, &middle), (&middle, &last)] {
        let in_the_events = |progress: CopyProgress<'_>| match progress.table {
            "events" => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let broken_off = copy(from, to, NOON, None, in_the_events);
        assert!(
            matches!(broken_off, Err(StoreError::Unavailable(_))),
            "{broken_off:?}"
        );
        check_unusable(
            switchhook_store::open(to, StoreOptions::owner(NOON)),
            "has not finished",
        );
        let report = copy_all(from, to).unwrap();
        assert!(report.resumed_after > 100, "{report:?}");
    }
    assert_eq!(dump(&first), dump(&last));
}

#[tokio::test]
async fn what_is_served_or_not_empty_is_not_copied_over() {
    if !postgres::is_there() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (from, to) = (sqlite(scratch.path(), "from.db"), postgres::new_database());
    let store = switchhook_store::open(&from, StoreOptions::owner(NOON)).unwrap();
    store.create_key(key(1, COMPANY)).await.unwrap();
    check_unusable(copy_all(&from, &to), "is in use");
    store.close().await;
    drop(store);
    let served = switchhook_store::open(&to, StoreOptions::owner(NOON)).unwrap();
    check_unusable(copy_all(&from, &to), "nodes use the database");
    served.create_key(key(2, COMPANY)).await.unwrap();
    served.close().await;
    check_unusable(copy_all(&from, &to), "holds 2 rows already");
}
