use bytes::Bytes;
use switchhook_domain::id::{CompanyId, EventId};
use switchhook_domain::redaction::Hidden;
use switchhook_domain::subscription::Revision;
use switchhook_domain::{Kind, Timestamp};

use super::*;
use crate::event::Recorded;
use crate::options::COMMIT_EVERY;
use crate::reply::Answer;
use crate::sqlite::connection::{Checkpoints, DatabaseLocation, open_writing};
use crate::sqlite::schema;

const NOON: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn committer() -> Committer {
    let mut connection = open_writing(&DatabaseLocation::Memory, Checkpoints::Here).unwrap();
    schema::migrate(&mut connection, NOON).unwrap();
    let listeners = CommitListeners {
        hand_over: None,
        observer: None,
    };
    Committer::new(
        WriteConnection::new(connection, false, COMMIT_EVERY),
        listeners,
        Arc::default(),
    )
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
