//! Promises of the SQLite driver alone.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::{DeliveryId, EventId, WebhookId};
use switchhook_store::sqlite::{Existing, SqliteStore};
use switchhook_store::{
    Commit, ErasureExtent, ErasureSlice, EventStore, KeyStore, NewEvent, PageRequest, Recorded, Store,
    StoreError, StoreOptions,
};

use crate::samples::{COMPANY, LEASE, NOON, delivered, delivery, event, key, order_key};

const HOOK: WebhookId = WebhookId(7);

fn open(path: &Path) -> Result<Arc<SqliteStore>, StoreError> {
    SqliteStore::open(path, StoreOptions::owner(NOON))
}

/// A store that commits all the time.
fn open_hasty(path: &Path) -> Arc<SqliteStore> {
    let options = StoreOptions {
        commit_every: Duration::from_millis(3),
        ..StoreOptions::owner(NOON)
    };
    SqliteStore::open(path, options).unwrap()
}

fn claimed(id: i64) -> NewEvent {
    let mut new = delivery(id + 1, HOOK);
    new.claim_until = Some(NOON.plus(LEASE));
    NewEvent {
        deliveries: vec![new],
        ..event(id, NOON)
    }
}

#[track_caller]
fn check_unusable<T>(result: Result<T, StoreError>, because: &str) {
    match result {
        Err(StoreError::Unusable(message)) => assert!(message.contains(because), "{message}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[tokio::test]
async fn one_process_owns_the_file_until_it_lets_go() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let first = open(&path).unwrap();
    check_unusable(open(&path), &format!("process {}", std::process::id()));
    drop(first);
    open(&path).unwrap();
}

#[tokio::test]
async fn a_guest_writes_beside_the_owner_and_the_owner_sees_it() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let owner = open(&path).unwrap();
    owner.record_events(vec![claimed(10)]).await.unwrap();
    let guest = SqliteStore::open(&path, StoreOptions::guest(NOON)).unwrap();
    assert!(guest.take_hand_over().is_none(), "a guest claims nothing");
    guest.create_key(key(1, COMPANY)).await.unwrap();
    assert!(owner.find_key(key(1, COMPANY).hash).await.unwrap().is_some());
    let answers = guest.record_events(vec![claimed(20)]).await.unwrap();
    assert_eq!(answers, [Recorded::Kept]);
    assert_eq!(
        guest
            .delivery(COMPANY, DeliveryId(21))
            .await
            .unwrap()
            .attempt_number,
        0,
        "left to the owner"
    );
    guest.close().await;
    let delivery = owner.delivery(COMPANY, DeliveryId(11)).await.unwrap();
    assert_eq!(
        delivery.state,
        DeliveryState::Pending {
            due_at: NOON.plus(LEASE)
        },
        "the owner's claim stands"
    );
}

#[tokio::test]
async fn a_guest_makes_the_schema_if_nobody_has_yet() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let guest = SqliteStore::open(&path, StoreOptions::guest(NOON)).unwrap();
    guest.create_key(key(1, COMPANY)).await.unwrap();
    let owner = open(&path).unwrap();
    assert_eq!(
        owner
            .list_keys(None, PageRequest::first(9))
            .await
            .unwrap()
            .items
            .len(),
        1
    );
}

#[tokio::test]
async fn a_newer_schema_and_a_strangers_file_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    open(&path).unwrap().close().await;
    let sql = rusqlite::Connection::open(&path).unwrap();
    sql.execute(
        "INSERT INTO schema_migrations VALUES (99, 'from the future', 0)",
        [],
    )
    .unwrap();
    drop(sql);
    check_unusable(open(&path), "newer version");

    let stranger = scratch.path().join("stranger.db");
    let sql = rusqlite::Connection::open(&stranger).unwrap();
    sql.execute("CREATE TABLE songs (id INTEGER PRIMARY KEY)", [])
        .unwrap();
    drop(sql);
    check_unusable(open(&stranger), "not one of Switchhook's");

    let text = scratch.path().join("text.db");
    std::fs::write(
        &text,
        "this is no database, and it is long enough to be looked at as one. ".repeat(20),
    )
    .unwrap();
    assert!(matches!(open(&text), Err(StoreError::Corrupt(_))));
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_their_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = tempfile::tempdir().unwrap();
    let store = open(&scratch.path().join("store.db")).unwrap();
    store.record_events(vec![claimed(10)]).await.unwrap();
    for entry in std::fs::read_dir(scratch.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{:?}",
            entry.file_name()
        );
    }
}

/// Simulates a crash: copies the files from under an open store.
fn crash(path: &Path, copy: &Path) {
    // The journal first: what is committed in between is in the log. The log last: a checkpoint in between may move
    // pages into the file, but takes none out of the log.
    for end in ["db.intake", "db", "db-wal"] {
        std::fs::copy(path.with_extension(end), copy.with_extension(end)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_is_there_after_a_crash() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let store = open(&path).unwrap();
    for round in 0..5 {
        let calls: Vec<_> = (0..40)
            .map(|number| {
                let (store, id) = (Arc::clone(&store), 1_000 * (round + 1) + 2 * number);
                tokio::spawn(async move { store.record_events(vec![claimed(id)]).await.map(|_| id) })
            })
            .collect();
        let mut acknowledged = Vec::new();
        for call in calls {
            acknowledged.push(call.await.unwrap().unwrap());
        }
        let copy = scratch.path().join(format!("copy-{round}.db"));
        crash(&path, &copy);
        let survivor = open(&copy).unwrap();
        for id in acknowledged {
            assert!(survivor.event(COMPANY, EventId(id)).await.is_ok(), "event {id}");
            let delivery = survivor.delivery(COMPANY, DeliveryId(id + 1)).await.unwrap();
            assert_eq!(
                delivery.state,
                DeliveryState::Pending { due_at: NOON },
                "its claim ended with the crash"
            );
        }
    }
}

/// Commits leave what is under way without a row for a while: then the journal still has it.
#[tokio::test(flavor = "multi_thread")]
async fn what_commits_leave_without_a_row_is_there_after_a_crash() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let store = open_hasty(&path);
    let (mut acknowledged, mut left_without_a_row) = (Vec::new(), 0);
    for round in 0..40 {
        for number in 0..6 {
            let id = 1_000 * (round + 1) + 2 * number;
            store.record_events(vec![claimed(id)]).await.unwrap();
            acknowledged.push(id);
        }
        // Every other one ends.
        for id in acknowledged.iter().rev().take(6).step_by(2) {
            store
                .finish_attempts(vec![delivered(id + 1, HOOK)])
                .await
                .unwrap();
        }
        let copy = scratch.path().join(format!("copy-{round}.db"));
        crash(&path, &copy);
        left_without_a_row += rusqlite::Connection::open(&copy)
            .unwrap()
            .query_row(
                "SELECT count(*) FROM events WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = events.id)",
                [],
                |row| row.get::<_, i64>(0),
            )
            .unwrap();
        let survivor = open(&copy).unwrap();
        for id in &acknowledged {
            let delivery = survivor.delivery(COMPANY, DeliveryId(id + 1)).await.unwrap();
            let is_under_way = delivery.state == DeliveryState::Pending { due_at: NOON };
            let has_ended = matches!(delivery.state, DeliveryState::Delivered { .. });
            let may_have_ended = id / 2 % 2 == 1;
            assert!(is_under_way || has_ended && may_have_ended, "{delivery:?}");
        }
    }
    assert!(left_without_a_row > 0, "no commit left anything");
}

/// One that is under way without a row comes before those of its order queue that have one.
#[tokio::test(flavor = "multi_thread")]
async fn what_commits_leave_without_a_row_goes_first_after_a_crash() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let store = open_hasty(&path);
    let row_of = |copy: &Path, id: i64| {
        let sql = rusqlite::Connection::open(copy).unwrap();
        let held = "SELECT held FROM deliveries WHERE id = ?";
        let row = sql.query_row(held, [id], |row| row.get::<_, Option<String>>(0));
        row.ok()
    };
    for id in (1_000..100_000).step_by(100) {
        let key = Some(order_key(id));
        let [first, mut second] = [id, id + 10].map(|id| NewEvent {
            order_key: key.clone(),
            ..claimed(id)
        });
        // There is no room for it.
        second.deliveries[0].claim_until = None;
        store.record_events(vec![first]).await.unwrap();
        store.record_events(vec![second]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(4)).await;
        let copy = scratch.path().join(format!("copy-{id}.db"));
        crash(&path, &copy);
        if row_of(&copy, id + 1).is_none() && row_of(&copy, id + 11).is_some() {
            drop(open(&copy).unwrap());
            assert_eq!(
                row_of(&copy, id + 1),
                Some(None),
                "it waits for the one behind it"
            );
            return;
        }
    }
    panic!("no commit left the first without a row and gave the second one");
}

/// A copy has what commits leave to the journal at its moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_beside_a_busy_server_lacks_no_delivery() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let store = open_hasty(&path);
    let last = Arc::new(AtomicUsize::new(0));
    let writing = {
        let (store, last) = (Arc::clone(&store), Arc::clone(&last));
        tokio::spawn(async move {
            for id in (1_000..).step_by(2) {
                store.record_events(vec![claimed(id)]).await.unwrap();
                last.store(usize::try_from(id).unwrap(), Ordering::Release);
            }
        })
    };
    for number in 0..12 {
        let before = i64::try_from(last.load(Ordering::Acquire)).unwrap();
        let (from, to) = (path.clone(), scratch.path().join(format!("backup-{number}.db")));
        let backup = to.clone();
        let copied = tokio::task::spawn_blocking(move || SqliteStore::backup(&from, &to, Existing::Keep));
        copied.await.unwrap().unwrap();
        let sql = rusqlite::Connection::open(&backup).unwrap();
        let count = |what: &str| sql.query_row(what, [], |row| row.get::<_, i64>(0)).unwrap();
        let last = count("SELECT coalesce(max(id), 0) FROM events");
        assert!(
            last >= before,
            "event {before} was acknowledged before the backup, which ends at {last}"
        );
        let lacking = "SELECT count(*) FROM events WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = events.id)";
        assert_eq!(count(lacking), 0, "events without their deliveries");
    }
    writing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_at_the_same_time_share_commits() {
    let scratch = tempfile::tempdir().unwrap();
    let (commits, operations) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (commits_seen, operations_seen) = (Arc::clone(&commits), Arc::clone(&operations));
    let observer = move |commit: Commit| {
        commits_seen.fetch_add(1, Ordering::Relaxed);
        operations_seen.fetch_add(commit.operations, Ordering::Relaxed);
    };
    let options = StoreOptions {
        observer: Some(Arc::new(observer)),
        ..StoreOptions::owner(NOON)
    };
    let store = SqliteStore::open(&scratch.path().join("store.db"), options).unwrap();
    let before = commits.load(Ordering::Relaxed);
    let calls: Vec<_> = (0..200)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.record_events(vec![claimed(100 + 2 * number)]).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), [Recorded::Kept]);
    }
    let made = commits.load(Ordering::Relaxed) - before;
    assert!(made < 150, "200 operations took {made} commits");
    assert!(operations.load(Ordering::Relaxed) >= 200);
}

#[tokio::test]
async fn a_body_is_kept_as_text_that_sqlite_can_read() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let store = open(&path).unwrap();
    let body = r#"{"text": "ü\u0000\n😀" , "n": 1.50e+3}"#;
    store
        .record_events(vec![NewEvent {
            body: Bytes::from_static(body.as_bytes()),
            ..event(10, NOON)
        }])
        .await
        .unwrap();
    store.close().await;
    assert!(
        !path.with_extension("db-wal").exists(),
        "a store that was closed is one file"
    );
    let sql = rusqlite::Connection::open(&path).unwrap();
    let (kept, kind, number): (String, String, f64) = sql
        .query_row(
            "SELECT body, typeof(body), json_extract(body, '$.n') FROM events",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    assert_eq!((kept.as_str(), kind.as_str(), number), (body, "text", 1_500.0));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let store = open(&path).unwrap();
    store.record_events(vec![claimed(10)]).await.unwrap();
    // Who reads it sees to it that it has a row.
    store.delivery(COMPANY, DeliveryId(11)).await.unwrap();
    let sql = rusqlite::Connection::open(&path).unwrap();
    sql.execute("UPDATE deliveries SET subscription_ids = '5,x' WHERE id = 11", [])
        .unwrap();
    let error = store.delivery(COMPANY, DeliveryId(11)).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Corrupt(what) if what.contains("deliveries, row 11")),
        "{error}"
    );
}

/// The files of a store in whose journal are two events that are not committed, in an append each.
struct Left {
    database: Vec<u8>,
    log: Vec<u8>,
    journal: Vec<u8>,
    ids: [i64; 2],
}

async fn leave_two_in_the_journal(path: &Path) -> Left {
    let store = open(path).unwrap();
    // On a slow machine a commit may come between the two.
    for id in (1_000..100_000).step_by(100) {
        store.record_events(vec![claimed(id)]).await.unwrap();
        // Nobody can read it before it is committed.
        store.event(COMPANY, EventId(id)).await.unwrap();
        let read = |end| std::fs::read(path.with_extension(end)).unwrap();
        let (database, log) = (read("db"), read("db-wal"));
        let ids = [id + 10, id + 20];
        for id in ids {
            store.record_events(vec![claimed(id)]).await.unwrap();
        }
        let journal = read("db.intake");
        if ids.iter().all(|id| place_in(&journal, *id).is_some()) {
            return Left {
                database,
                log,
                journal,
                ids,
            };
        }
    }
    panic!("a commit came between the two each time");
}

fn place_in(journal: &[u8], id: i64) -> Option<usize> {
    journal.windows(8).position(|bytes| bytes == id.to_le_bytes())
}

/// Checks a crash that tears the last append to the journal: acknowledged events before it are there, and nothing of
/// it.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_torn_journal_everything_before_the_tear_is_there() {
    let scratch = tempfile::tempdir().unwrap();
    let left = leave_two_in_the_journal(&scratch.path().join("store.db")).await;
    let [first, second] = left.ids;
    let within = |id| place_in(&left.journal, id).unwrap() + 20;
    // In the middle of an event its id is there already.
    for (length, there) in [
        (left.journal.len(), [true, true]),
        (within(second), [true, false]),
        (within(first), [false, false]),
        (0, [false, false]),
    ] {
        let copy = scratch.path().join(format!("copy-{length}.db"));
        std::fs::write(&copy, &left.database).unwrap();
        std::fs::write(copy.with_extension("db-wal"), &left.log).unwrap();
        std::fs::write(copy.with_extension("db.intake"), &left.journal[..length]).unwrap();
        // First somebody who does not serve it, as a command: it sees them too.
        for options in [StoreOptions::guest(NOON), StoreOptions::owner(NOON)] {
            let survivor = SqliteStore::open(&copy, options).unwrap();
            for (id, is_there) in left.ids.into_iter().zip(there) {
                let found = survivor.event(COMPANY, EventId(id)).await;
                assert_eq!(found.is_ok(), is_there, "{id} of {length} bytes");
                if is_there {
                    let delivery = survivor.delivery(COMPANY, DeliveryId(id + 1)).await.unwrap();
                    assert_eq!((delivery.state.at(), delivery.attempt_number), (NOON, 0));
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_journal_is_left_after_a_good_end_or_an_erasure() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let store = open(&path).unwrap();
    let mut event = claimed(1_000);
    event.body = r#"{"external_number": "+15550100199"}"#.into();
    store.record_events(vec![event]).await.unwrap();
    let journal = path.with_extension("db.intake");
    let has_number = || {
        let bytes = std::fs::read(&journal).unwrap();
        bytes.windows(11).any(|bytes| bytes == b"15550100199")
    };
    assert!(has_number(), "it came by the journal");
    let slice = ErasureSlice {
        company_id: COMPANY,
        number: "+15550100199".parse().unwrap(),
        extent: ErasureExtent::Erase,
        after: None,
        limit: 100,
    };
    assert_eq!(store.erase_number(slice, NOON).await.unwrap().events, 1);
    assert!(!has_number());
    store.close().await;
    assert!(!journal.exists());
}

/// A table that grows moves its rows from page to page.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_what_was_erased_is_left_in_any_corner_of_the_file() {
    for (count, pad) in [(5, 40), (20, 300), (60, 900), (300, 100)] {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("store.db");
        let store = open(&path).unwrap();
        for number in 0..count {
            let mut event = claimed(1_000 + number);
            event.body = format!(
                r#"{{"external_number": "+15550100199", "pad": "{}"}}"#,
                "mark".repeat(pad / 4)
            )
            .into();
            store.record_events(vec![event]).await.unwrap();
        }
        let mut slice = ErasureSlice {
            company_id: COMPANY,
            number: "+15550100199".parse().unwrap(),
            extent: ErasureExtent::Erase,
            after: None,
            limit: 100,
        };
        loop {
            let erased = store.erase_number(slice.clone(), NOON).await.unwrap();
            match erased.next {
                Some(next) => slice.after = Some(next),
                None => break,
            }
        }
        store.close().await;
        drop(store);
        let bytes = std::fs::read(&path).unwrap();
        let left = bytes
            .windows(16)
            .filter(|bytes| bytes == b"markmarkmarkmark")
            .count();
        assert_eq!(left, 0, "{count} events with {pad} bytes");
    }
}

#[tokio::test]
async fn the_first_attempt_of_a_delivered_delivery_is_in_the_row_of_that() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let store = open(&path).unwrap();
    let ids = [1_000, 2_000, 3_000];
    store.record_events(ids.map(claimed).into()).await.unwrap();
    let mut finished = ids.map(|id| delivered(id + 1, HOOK));
    // This one has something to say for which there is no column.
    let answer = finished[2].attempt.answer.as_mut().unwrap();
    answer.note = Some("its body broke off".to_owned());
    store.finish_attempts(finished.to_vec()).await.unwrap();
    for one in &finished {
        let attempts = store.attempts_of(one.delivery_id).await.unwrap();
        assert_eq!(attempts, std::slice::from_ref(&one.attempt));
    }
    let all = finished.iter().map(|one| one.delivery_id).collect();
    let last = store.last_attempts(all).await.unwrap();
    assert_eq!(last.len(), 3, "{last:?}");
    store.close().await;
    let connection = rusqlite::Connection::open(&path).unwrap();
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("SELECT count(*) FROM attempt_rows"), 1);
    assert_eq!(number("SELECT count(*) FROM attempts"), 3);
}
