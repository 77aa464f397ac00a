//! One file, one owner: however its path is written, and whatever happens to its files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use switchhook_domain::id::EventId;
use switchhook_store::sqlite::{Existing, SqliteStore};
use switchhook_store::{EventStore, KeyStore, Store, StoreError, StoreOptions};

use crate::samples::{COMPANY, NOON, event, key};

fn open(path: &Path) -> Result<Arc<SqliteStore>, StoreError> {
    let options = StoreOptions {
        reserve_bytes: 4_096,
        ..StoreOptions::owner(NOON)
    };
    SqliteStore::open(path, options)
}

async fn record(store: &SqliteStore, id: i64) -> Result<(), StoreError> {
    store.record_events(vec![event(id, NOON)]).await.map(drop)
}

async fn has(store: &SqliteStore, id: i64) -> bool {
    store.event(COMPANY, EventId(id)).await.is_ok()
}

#[track_caller]
fn check_unusable<T>(result: Result<T, StoreError>, because: &str) {
    match result {
        Err(StoreError::Unusable(why)) => assert!(why.contains(because), "{why}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was done, and should not for: {because}"),
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A folder `real`, a link `folder` to it, and paths that all lead to `real/store.db`.
fn spellings(scratch: &Path) -> (PathBuf, Vec<PathBuf>) {
    let real = scratch.join("real");
    fs::create_dir_all(real.join("sub")).unwrap();
    symlink(&real, scratch.join("folder")).unwrap();
    symlink(real.join("store.db"), scratch.join("link.db")).unwrap();
    symlink("link.db", scratch.join("link-to-link.db")).unwrap();
    symlink("store.db", real.join("near.db")).unwrap();
    let through_proc = PathBuf::from("/proc/self/root").join(real.strip_prefix("/").unwrap());
    let paths = vec![
        scratch.join("folder/store.db"),
        scratch.join("link.db"),
        scratch.join("link-to-link.db"),
        real.join("near.db"),
        real.join("./sub/../store.db"),
        scratch.join("folder/sub/../near.db"),
        through_proc.join("store.db"),
    ];
    let is_there = |path: &PathBuf| cfg!(target_os = "linux") || !path.starts_with("/proc");
    (
        real.join("store.db"),
        paths.into_iter().filter(is_there).collect(),
    )
}

#[tokio::test]
async fn every_spelling_of_a_path_finds_the_same_lock_and_the_same_side_files() {
    let scratch = tempfile::tempdir().unwrap();
    let (path, spellings) = spellings(scratch.path());
    let around = names_in(scratch.path());
    // The first makes the file: where links lead to that are there before it.
    for (number, spelling) in (0..).zip(&spellings) {
        let store = open(spelling).unwrap();
        record(&store, 10 + number).await.unwrap();
        let others = spellings.iter().chain([&path]);
        for other in others.skip(usize::try_from(number).unwrap() + 1).take(1) {
            check_unusable(open(other), "is in use by process");
            let guest = SqliteStore::open(other, StoreOptions::guest(NOON)).unwrap();
            assert!(has(&guest, 10 + number).await, "{}", other.display());
        }
        assert_eq!(names_in(scratch.path()), around, "{}", spelling.display());
        let beside = names_in(path.parent().unwrap());
        let expected = [
            "near.db",
            "store.db",
            "store.db-shm",
            "store.db-wal",
            "store.db.intake",
            "store.db.lock",
            "store.db.reserve",
            "sub",
        ];
        assert_eq!(beside, expected);
        store.close().await;
        drop(store);
        fs::remove_file(path.with_extension("db.reserve")).unwrap();
    }
    let store = open(&path).unwrap();
    for number in (0..).take(spellings.len()) {
        assert!(has(&store, 10 + number).await);
    }
}

#[tokio::test]
async fn paths_that_lead_nowhere_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    symlink("loop-b", at("loop-a")).unwrap();
    symlink("loop-a", at("loop-b")).unwrap();
    symlink("no/such/folder/store.db", at("dangling.db")).unwrap();
    check_unusable(open(&at("loop-a")), "too many symbolic links");
    check_unusable(open(&at("dangling.db")), "its directory must exist");
    check_unusable(open(&at("no/store.db")), "its directory must exist");
    check_unusable(open(&at("..")), "not the name of a file");
    check_unusable(open(scratch.path()), "is not a file");
    check_unusable(open(Path::new("/dev/null")), "is not a file");
    assert_eq!(names_in(scratch.path()), ["dangling.db", "loop-a", "loop-b"]);
}

#[tokio::test]
async fn a_file_with_two_names_is_opened_by_nobody_and_its_owner_goes_on() {
    let scratch = tempfile::tempdir().unwrap();
    let (path, other) = (scratch.path().join("store.db"), scratch.path().join("other.db"));
    let store = open(&path).unwrap();
    record(&store, 10).await.unwrap();
    fs::hard_link(&path, &other).unwrap();
    for name in [&other, &path] {
        check_unusable(open(name), "hard links");
        check_unusable(
            SqliteStore::open(name, StoreOptions::guest(NOON)).map(drop),
            "hard links",
        );
        check_unusable(SqliteStore::migrate(name, NOON), "hard links");
        let copy = scratch.path().join("copy.db");
        check_unusable(SqliteStore::backup(name, &copy, Existing::Keep), "hard links");
    }
    record(&store, 20).await.unwrap();
    store.close().await;
    drop(store);
    check_unusable(open(&path), "hard links");
    fs::remove_file(&other).unwrap();
    let store = open(&path).unwrap();
    assert!(has(&store, 10).await && has(&store, 20).await);
    assert!(!names_in(scratch.path()).contains(&"other.db.lock".to_owned()));
}

/// Sends until it is refused; answers what was acknowledged, and why it ended.
async fn record_until_refused(store: Arc<SqliteStore>, first: i64) -> (Vec<i64>, StoreError) {
    let mut kept = Vec::new();
    for id in (first..).step_by(8) {
        match record(&store, id).await {
            Ok(()) => kept.push(id),
            Err(error) => return (kept, error),
        }
    }
    unreachable!("it is refused before numbers end")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_when_the_lock_file_is_gone_takes_over_and_the_first_acknowledges_nothing_more() {
    for replaced in [false, true] {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("store.db");
        let first = open(&path).unwrap();
        let senders: Vec<_> = (0..8)
            .map(|sender| tokio::spawn(record_until_refused(Arc::clone(&first), 1_000 + sender)))
            .collect();
        while !has(&first, 1_400).await {
            tokio::task::yield_now().await;
        }
        let lock = path.with_extension("db.lock");
        fs::remove_file(&lock).unwrap();
        if replaced {
            fs::write(&lock, "").unwrap();
        }
        let theirs = path.clone();
        let second = tokio::task::spawn_blocking(move || open(&theirs))
            .await
            .unwrap()
            .unwrap();
        let mut acknowledged = Vec::new();
        for sender in senders {
            let (kept, refused) = sender.await.unwrap();
            assert!(
                matches!(&refused, StoreError::Unavailable(why) if why.contains("was taken over")),
                "{refused:?}"
            );
            acknowledged.extend(kept);
        }
        for id in &acknowledged {
            assert!(has(&second, *id).await, "{id} of {}", acknowledged.len());
        }
        let lost = first.lost().await;
        assert!(
            matches!(&lost, StoreError::Unusable(why) if why.contains("was taken over")),
            "{lost:?}"
        );
        assert!(first.check().await.is_err(), "it is not ready");
        record(&second, 10).await.unwrap();
        first.close().await;
        assert!(
            path.with_extension("db.intake").exists(),
            "it is the second one's now"
        );
        record(&second, 20).await.unwrap();
        assert!(has(&second, 10).await && has(&second, 20).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_finds_no_lock_file_disturbs_nobody() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let store = open(&path).unwrap();
    for round in 0..5_i64 {
        record(&store, 100 + round).await.unwrap();
        fs::remove_file(path.with_extension("db.lock")).unwrap();
        let theirs = path.clone();
        let guest =
            tokio::task::spawn_blocking(move || SqliteStore::open(&theirs, StoreOptions::guest(NOON)));
        let guest = guest.await.unwrap().unwrap();
        guest.create_key(key(1 + round, COMPANY)).await.unwrap();
        assert!(has(&guest, 100 + round).await);
        guest.close().await;
        record(&store, 200 + round).await.unwrap();
        assert!(has(&store, 200 + round).await);
    }
    // What a crash now leaves has everything.
    record(&store, 300).await.unwrap();
    let copy = scratch.path().join("copy.db");
    for end in ["db.intake", "db", "db-wal"] {
        fs::copy(path.with_extension(end), copy.with_extension(end)).unwrap();
    }
    let survivor = open(&copy).unwrap();
    for id in (100..105).chain(200..205).chain([300]) {
        assert!(has(&survivor, id).await, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_removed_is_not_relied_on() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.db");
    let store = open(&path).unwrap();
    for id in 10..60 {
        record(&store, id).await.unwrap();
        // It may be gone already: it comes back with a transaction.
        let _ = fs::remove_file(path.with_extension("db.intake"));
        record(&store, 100 + id).await.unwrap();
        let copy = scratch.path().join(format!("copy-{id}.db"));
        for end in ["db.intake", "db", "db-wal"] {
            let _ = fs::copy(path.with_extension(end), copy.with_extension(end));
        }
        let survivor = open(&copy).unwrap();
        assert!(has(&survivor, id).await && has(&survivor, 100 + id).await, "{id}");
    }
}

/// Damage to the files of a store in use.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    Moved,
    MovedBehindALink,
    Removed,
    Replaced,
    LogRemoved,
    LogReplaced,
    FolderMoved,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_files_are_moved_or_removed_stops_and_all_that_it_acknowledged_can_be_found() {
    use Mishap::{FolderMoved, LogRemoved, LogReplaced, Moved, MovedBehindALink, Removed, Replaced};
    for mishap in [
        Moved,
        MovedBehindALink,
        Removed,
        Replaced,
        LogRemoved,
        LogReplaced,
        FolderMoved,
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("folder");
        fs::create_dir(&folder).unwrap();
        let (path, moved) = (folder.join("store.db"), scratch.path().join("moved.db"));
        let store = open(&path).unwrap();
        for id in 10..30 {
            record(&store, id).await.unwrap();
        }
        let survives_as = match mishap {
            Moved | MovedBehindALink => {
                fs::rename(&path, &moved).unwrap();
                if matches!(mishap, MovedBehindALink) {
                    symlink(&moved, &path).unwrap();
                }
                moved
            }
            Removed => {
                fs::remove_file(&path).unwrap();
                folder.join("store.db.rescued-1")
            }
            Replaced => {
                let other = scratch.path().join("other.db");
                let before = open(&other).unwrap();
                record(&before, 5).await.unwrap();
                before.close().await;
                drop(before);
                fs::rename(&other, &path).unwrap();
                folder.join("store.db.rescued-1")
            }
            LogRemoved => {
                fs::remove_file(path.with_extension("db-wal")).unwrap();
                path.clone()
            }
            LogReplaced => {
                fs::remove_file(path.with_extension("db-wal")).unwrap();
                fs::write(path.with_extension("db-wal"), "").unwrap();
                folder.join("store.db.rescued-1")
            }
            FolderMoved => {
                fs::rename(&folder, scratch.path().join("elsewhere")).unwrap();
                scratch.path().join("elsewhere/store.db")
            }
        };
        // Until its transaction ends it may still acknowledge: that must be found too.
        let mut kept: Vec<_> = (10..30).collect();
        let (more, refused) = record_until_refused(Arc::clone(&store), 1_000).await;
        kept.extend(more);
        assert!(
            matches!(&refused, StoreError::Unavailable(why) if why.contains("moved, removed or replaced")),
            "{mishap:?}: {refused:?}"
        );
        let lost = store.lost().await;
        assert!(matches!(&lost, StoreError::Unusable(_)), "{mishap:?}: {lost:?}");
        store.close().await;
        drop(store);
        let survivor = open(&survives_as).unwrap_or_else(|error| panic!("{mishap:?}: {error}"));
        for id in &kept {
            assert!(has(&survivor, *id).await, "{mishap:?}: {id}");
        }
        if matches!(mishap, Replaced) {
            let other = open(&path).unwrap();
            let (has_its_own, has_ours) = (has(&other, 5).await, has(&other, 10).await);
            assert!(
                has_its_own && !has_ours,
                "it is as it was: {has_its_own}, not {has_ours}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_left_beside_a_link_is_taken_in() {
    for by_link in [true, false] {
        let scratch = tempfile::tempdir().unwrap();
        let (source, path) = (scratch.path().join("source.db"), scratch.path().join("store.db"));
        let link = scratch.path().join("link.db");
        let store = open(&source).unwrap();
        let mut is_in_the_journal = false;
        // On a slow machine a commit may come between recording and copying.
        for id in (100..).step_by(10) {
            record(&store, id).await.unwrap();
            has(&store, id).await;
            record(&store, id + 1).await.unwrap();
            fs::copy(
                source.with_extension("db.intake"),
                link.with_extension("db.intake"),
            )
            .unwrap();
            fs::copy(&source, &path).unwrap();
            fs::copy(source.with_extension("db-wal"), path.with_extension("db-wal")).unwrap();
            let without = scratch.path().join("without.db");
            fs::copy(&path, &without).unwrap();
            fs::copy(path.with_extension("db-wal"), without.with_extension("db-wal")).unwrap();
            is_in_the_journal = !has(&open(&without).unwrap(), id + 1).await;
            if is_in_the_journal {
                fs::write(link.with_extension("db.reserve"), [0; 9]).unwrap();
                symlink("store.db", &link).unwrap();
                let survivor = open(if by_link { &link } else { &path }).unwrap();
                assert!(has(&survivor, id + 1).await);
                assert!(
                    !link.with_extension("db.intake").exists() && !link.with_extension("db.reserve").exists()
                );
                break;
            }
        }
        assert!(is_in_the_journal);
    }
}

#[tokio::test]
async fn whoever_still_serves_by_a_link_as_earlier_versions_did_is_noticed() {
    let scratch = tempfile::tempdir().unwrap();
    let (path, link) = (scratch.path().join("store.db"), scratch.path().join("link.db"));
    open(&path).unwrap().close().await;
    symlink("store.db", &link).unwrap();
    let theirs = fs::File::create(link.with_extension("db.lock")).unwrap();
    theirs.lock().unwrap();
    check_unusable(open(&path), "is in use by another process");
    check_unusable(open(&link), "is in use by another process");
    drop(theirs);
    open(&path).unwrap();
}

#[tokio::test]
async fn a_copy_goes_neither_over_its_source_nor_over_a_store_that_is_served() {
    let scratch = tempfile::tempdir().unwrap();
    let (path, link) = (scratch.path().join("store.db"), scratch.path().join("link.db"));
    let other = scratch.path().join("other.db");
    symlink("store.db", &link).unwrap();
    let (store, served) = (open(&path).unwrap(), open(&other).unwrap());
    record(&store, 10).await.unwrap();
    for to in [&path, &link] {
        check_unusable(
            SqliteStore::backup(&path, to, Existing::Replace),
            "copied over itself",
        );
        check_unusable(
            SqliteStore::backup(&link, to, Existing::Replace),
            "copied over itself",
        );
        check_unusable(
            SqliteStore::restore(&path, to, Existing::Replace),
            "copied over itself",
        );
    }
    check_unusable(SqliteStore::backup(&path, &other, Existing::Replace), "is in use");
    check_unusable(
        SqliteStore::restore(&path, &scratch.path().join("new.db"), Existing::Keep),
        "no backup",
    );
    assert!(has(&store, 10).await);
    record(&served, 20).await.unwrap();
    store.close().await;
    drop(store);
    // A link stays one: the copy goes where it leads.
    let copy = scratch.path().join("copy.db");
    SqliteStore::backup(&link, &copy, Existing::Keep).unwrap();
    SqliteStore::restore(&copy, &link, Existing::Replace).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(has(&open(&path).unwrap(), 10).await);
}

#[tokio::test]
async fn a_backup_does_not_ask_for_the_log_of_the_store_that_it_was_made_of() {
    let scratch = tempfile::tempdir().unwrap();
    let (path, copy) = (scratch.path().join("store.db"), scratch.path().join("copy.db"));
    let store = open(&path).unwrap();
    record(&store, 10).await.unwrap();
    SqliteStore::backup(&path, &copy, Existing::Keep).unwrap();
    store.close().await;
    drop(store);
    // What is left of a store whose database is gone.
    fs::remove_file(&path).unwrap();
    fs::write(path.with_extension("db-wal"), "what was written last").unwrap();
    let elsewhere = scratch.path().join("elsewhere.db");
    SqliteStore::restore(&copy, &elsewhere, Existing::Keep).unwrap();
    for path in [&copy, &elsewhere] {
        assert!(has(&open(path).unwrap(), 10).await);
    }
}
