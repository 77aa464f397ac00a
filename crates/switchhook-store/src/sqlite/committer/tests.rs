use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, WebhookId};
use switchhook_domain::redaction::Hidden;
use switchhook_domain::subscription::Revision;
use switchhook_domain::{Kind, Timestamp};

use super::*;
use crate::event::{NewDelivery, Recorded};
use crate::options::COMMIT_EVERY;
use crate::reply::Answer;
use crate::sqlite::connection::{self, Checkpoints, DatabaseLocation, open_writing};
use crate::sqlite::location::StoreFile;
use crate::sqlite::schema;

const NOON: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn committer() -> Committer {
    committer_on(&DatabaseLocation::Memory, COMMIT_EVERY)
}

/// Whose transactions stay open for so long, where it has a journal.
fn committer_on(location: &DatabaseLocation, open_for: Duration) -> Committer {
    let mut connection = open_writing(location, Checkpoints::Here).unwrap();
    schema::migrate(&mut connection, NOON).unwrap();
    let mut database = WriteConnection::new(connection, true, open_for);
    if let DatabaseLocation::File(file) = location {
        database.take_in(file).unwrap();
    }
    let listeners = CommitListeners {
        hand_over: None,
        observer: None,
    };
    Committer::new(database, listeners, Arc::default())
}

fn in_folder(folder: &Path) -> DatabaseLocation {
    DatabaseLocation::File(StoreFile::at(&folder.join("store.db")).unwrap())
}

fn count(committer: &Committer, sql: &str) -> i64 {
    committer
        .connection()
        .query_row(sql, [], |row| row.get(0))
        .unwrap()
}

/// An event of a page.
fn event(id: i64) -> NewEvent {
    NewEvent {
        id: EventId(id),
        company_id: CompanyId(1),
        kind: Kind::Call,
        body: Bytes::from(format!(r#"{{"x":"{}"}}"#, "x".repeat(4_096))),
        accepted_at: NOON,
        order_key: None,
        warnings: Vec::new(),
        idempotency: None,
        deliveries: Vec::new(),
        revision: Revision::default(),
        concealable: Hidden::EVERYTHING,
        is_logged: false,
    }
}

fn record(ids: &[i64]) -> (Write, Answer<Vec<Recorded>>) {
    let (write, answer) = HotWrite::record(ids.iter().copied().map(event).collect());
    (Write::Hot(write), answer)
}

/// Keeps events, each for a caller of its own, in one batch.
fn commit(committer: &mut Committer, ids: std::ops::Range<i64>) -> Vec<Result<Vec<Recorded>, StoreError>> {
    let (writes, answers): (_, Vec<_>) = ids.map(|id| record(&[id])).unzip();
    committer.commit(writes);
    answers.into_iter().map(Answer::now).collect()
}

#[track_caller]
fn check_kept(committer: &Committer, expected: &[i64]) {
    let mut ids = committer
        .connection()
        .prepare("SELECT id FROM events ORDER BY id")
        .unwrap();
    let ids: Result<Vec<i64>, _> = ids.query_map([], |row| row.get(0)).unwrap().collect();
    assert_eq!(ids.unwrap(), expected);
}

#[test]
fn a_full_disk_fails_the_whole_batch_and_leaves_nothing_of_it() {
    let mut committer = committer();
    let limit_pages = |committer: &Committer, more: i64| {
        let connection = committer.connection();
        let pages: i64 = connection
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        connection
            .pragma_update(None, "max_page_count", pages + more)
            .unwrap();
    };
    limit_pages(&committer, 10);
    assert!(commit(&mut committer, 1..3).iter().all(Result::is_ok));
    for answer in commit(&mut committer, 3..23) {
        assert!(
            matches!(&answer, Err(StoreError::Unavailable(why)) if why.contains("disk is full")),
            "{answer:?}"
        );
    }
    check_kept(&committer, &[1, 2]);
    limit_pages(&committer, 200);
    assert!(
        commit(&mut committer, 3..6).iter().all(Result::is_ok),
        "it recovers"
    );
    check_kept(&committer, &[1, 2, 3, 4, 5]);
}

#[test]
fn a_write_that_fails_halfway_is_undone_alone() {
    let mut committer = committer();
    // The second event cannot be kept: its id is taken.
    let ((good, kept), (bad, refused), (other, also_kept)) = (record(&[1]), record(&[2, 2]), record(&[3]));
    committer.commit(vec![good, bad, other]);
    assert!(matches!(refused.now(), Err(StoreError::Conflict(_))));
    assert_eq!(kept.now().unwrap(), [Recorded::Kept]);
    assert_eq!(also_kept.now().unwrap(), [Recorded::Kept]);
    check_kept(&committer, &[1, 3]);
}

#[test]
fn work_of_another_kind_that_fails_halfway_is_undone_alone() {
    let mut committer = committer();
    let ((good, kept), (other, also_kept)) = (record(&[1]), record(&[3]));
    let (bad, refused) = closure(|transaction: &mut Transaction<'_>| -> Result<(), StoreError> {
        record::record(transaction, &[event(2)])?;
        Err(StoreError::Conflict("no".into()))
    });
    committer.commit(vec![good, Write::Other(bad), other]);
    assert!(matches!(refused.now(), Err(StoreError::Conflict(why)) if why == "no"));
    assert!(kept.now().is_ok() && also_kept.now().is_ok());
    check_kept(&committer, &[1, 3]);
}

#[test]
fn rows_fill_statements_before_the_commit_and_all_are_there_after_it() {
    const EVENTS: &str = "SELECT count(*) FROM events";
    let folder = tempfile::tempdir().unwrap();
    let mut committer = committer_on(&in_folder(folder.path()), Duration::from_secs(3_600));
    for id in 1..=100 {
        let small = NewEvent {
            body: Bytes::from_static(b"{}"),
            ..event(id)
        };
        let (write, answer) = HotWrite::record(vec![small]);
        committer.commit(vec![Write::Hot(write)]);
        assert_eq!(answer.now().unwrap(), [Recorded::Kept]);
    }
    assert_eq!(count(&committer, EVENTS), 64);
    committer.commit_as(Vec::new(), Durability::Commit);
    assert_eq!(count(&committer, EVENTS), 100);
    // By their bytes.
    for id in 101..=164 {
        committer.commit(vec![record(&[id]).0]);
    }
    assert_eq!(count(&committer, EVENTS), 164);
}

#[test]
fn a_commit_that_is_due_comes_after_what_need_not_wait_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let location = in_folder(folder.path());
    let mut committer = committer_on(&location, Duration::ZERO);
    let delivery = NewDelivery {
        id: DeliveryId(2),
        webhook_id: WebhookId(1),
        subscription_ids: Vec::new(),
        hidden: Hidden::NOTHING,
        is_ordered: false,
        claim_until: Some(NOON.plus(Duration::from_secs(60))),
    };
    let claimed = NewEvent {
        deliveries: vec![delivery],
        ..event(1)
    };
    let (write, answer) = HotWrite::record(vec![claimed]);
    committer.commit(vec![Write::Hot(write)]);
    assert_eq!(answer.now().unwrap(), [Recorded::Kept]);
    assert_eq!(committer.database.open_until(), None, "it is committed");
    let DatabaseLocation::File(file) = &location else {
        unreachable!()
    };
    let reader = connection::open_reading(file).unwrap();
    let read = |sql| reader.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(read("SELECT count(*) FROM events"), 1);
    assert_eq!(read("SELECT count(*) FROM deliveries"), 0, "the journal has it");
    committer.commit_as(Vec::new(), Durability::Commit);
    assert_eq!(read("SELECT count(*) FROM deliveries"), 1);
}
