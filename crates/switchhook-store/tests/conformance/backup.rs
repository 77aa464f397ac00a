//! Copies of a SQLite store: made under load, put back, and refused when that would lose something.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use switchhook_domain::id::EventId;
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{Copied, EventStore, Existing, Store, StoreError, StoreOptions};

use crate::samples::{COMPANY, NOON, event};

fn open(path: &Path) -> Arc<SqliteStore> {
    SqliteStore::open(path, StoreOptions::owner(NOON)).expect("it opens")
}

async fn record(store: &SqliteStore, id: i64) {
    store
        .record_events(vec![event(id, NOON)])
        .await
        .expect("it is kept");
}

#[track_caller]
fn check_refused(result: Result<Copied, StoreError>, because: &str) {
    match result {
        Err(StoreError::Unusable(why)) => assert!(why.contains(because), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_holds_all_that_was_acknowledged_before_it_began() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let store = open(&path);
    let (last, is_over) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..8_i64)
        .map(|writer| {
            let (store, last, is_over) = (Arc::clone(&store), Arc::clone(&last), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut written = 0;
                while !is_over.load(Ordering::Relaxed) {
                    written += 1;
                    let id = 8 * written + writer;
                    record(&store, id).await;
                    if writer == 0 {
                        last.store(id, Ordering::SeqCst);
                    }
                }
                written
            })
        })
        .collect();
    for round in 0..5 {
        while last.load(Ordering::SeqCst) < 400 * (round + 1) {
            tokio::task::yield_now().await;
        }
        let acknowledged = last.load(Ordering::SeqCst);
        let copy = scratch.path().join(format!("copy-{round}.db"));
        let (from, to) = (path.clone(), copy.clone());
        let copied = tokio::task::spawn_blocking(move || SqliteStore::backup(&from, &to, Existing::Keep));
        assert!(copied.await.unwrap().unwrap().bytes > 0);
        let names: Vec<_> = std::fs::read_dir(scratch.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        let sides = names
            .iter()
            .filter(|name| name.to_string_lossy().starts_with(&format!("copy-{round}")));
        assert_eq!(sides.count(), 1, "one file: {names:?}");
        let sql = rusqlite::Connection::open(&copy).unwrap();
        let check: String = sql
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
        drop(sql);
        let survivor = open(&copy);
        for id in (8..=acknowledged).step_by(8) {
            assert!(
                survivor.event(COMPANY, EventId(id)).await.is_ok(),
                "event {id} of {acknowledged}"
            );
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        assert!(writer.await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_backup_is_put_back_in_the_place_of_a_store_that_nobody_serves() {
    let scratch = tempfile::tempdir().unwrap();
    let (path, copy) = (scratch.path().join("store.db"), scratch.path().join("copy.db"));
    let store = open(&path);
    record(&store, 10).await;
    SqliteStore::backup(&path, &copy, Existing::Keep).unwrap();
    record(&store, 20).await;
    check_refused(
        SqliteStore::restore(&copy, &path, Existing::Replace),
        "in use by process",
    );
    drop(store);
    check_refused(SqliteStore::restore(&copy, &path, Existing::Keep), "--force");
    // As after a crash: a log and a journal are left beside the file.
    for side in ["db-wal", "db.intake"] {
        std::fs::write(path.with_extension(side), "left behind").unwrap();
    }
    SqliteStore::restore(&copy, &path, Existing::Replace).unwrap();
    let store = open(&path);
    assert!(store.event(COMPANY, EventId(10)).await.is_ok());
    assert!(
        store.event(COMPANY, EventId(20)).await.is_err(),
        "it came after the backup"
    );
}

#[tokio::test]
async fn what_is_no_good_copy_is_refused_and_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let (path, copy) = (scratch.path().join("store.db"), scratch.path().join("copy.db"));
    check_refused(
        SqliteStore::backup(&path, &copy, Existing::Keep),
        "there is no store",
    );
    assert!(!path.exists(), "looking makes no store");
    check_refused(
        SqliteStore::restore(&copy, &path, Existing::Keep),
        "there is no backup",
    );
    let store = open(&path);
    for id in 10..200 {
        record(&store, id).await;
    }
    SqliteStore::backup(&path, &copy, Existing::Keep).unwrap();
    check_refused(SqliteStore::backup(&path, &copy, Existing::Keep), "--force");
    drop(store);
    let mut bytes = std::fs::read(&copy).unwrap();
    for byte in bytes.iter_mut().skip(8 * 4_096) {
        *byte ^= 0x55;
    }
    std::fs::write(&copy, bytes).unwrap();
    let refused = SqliteStore::restore(&copy, &path, Existing::Replace);
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    let sql = rusqlite::Connection::open(scratch.path().join("newer.db")).unwrap();
    sql.execute_batch(
        "CREATE TABLE schema_migrations (number INTEGER); INSERT INTO schema_migrations VALUES (99)",
    )
    .unwrap();
    drop(sql);
    check_refused(
        SqliteStore::restore(&scratch.path().join("newer.db"), &path, Existing::Replace),
        "newer version",
    );
    assert!(
        open(&path).event(COMPANY, EventId(10)).await.is_ok(),
        "the store is as it was"
    );
    assert!(!scratch.path().join("store.db.partial").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_backup_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = tempfile::tempdir().unwrap();
    let (path, copy) = (scratch.path().join("store.db"), scratch.path().join("copy.db"));
    let store = open(&path);
    record(&store, 10).await;
    SqliteStore::backup(&path, &copy, Existing::Keep).unwrap();
    assert_eq!(
        std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
        0o600
    );
}
