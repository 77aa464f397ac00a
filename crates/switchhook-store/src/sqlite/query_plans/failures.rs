//! Plans of statements about failures, and about the notices of them.

use rusqlite::StatementStatus;
use switchhook_domain::Kind;
use switchhook_domain::attempt::Failure;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{EventId, WebhookId};
use switchhook_domain::replay::{Replay, ReplayFilter};

use crate::dead_letter::{DeadLetterFilter, DeadLetterGroupKey};
use crate::filter::DeliveryFilter;
use crate::shared;
use crate::shared::deliveries::FAILURES;
use crate::shared::{channels, dead_letters, notices, notifications, outages};
use crate::sqlite::pending;

use super::{COMPANY, PAGE, a_replay, check, check_walk, empty, or_none, plan, sql_of};

#[test]
fn what_waits_and_what_fails_is_counted_along_its_index() {
    let connection = empty();
    for (sql, index) in [
        (pending::COUNT_DUE, "deliveries_due (webhook_id=? AND due_at<?)"),
        (pending::COUNT_LATER, "deliveries_due (webhook_id=? AND due_at>?)"),
        (pending::COUNT_UNDER_WAY, "deliveries_claimed (webhook_id=?)"),
        (outages::OF, "PRIMARY KEY (webhook_id=?)"),
    ] {
        let plan = plan(&connection, sql);
        assert!(plan.contains(index), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
    let failed = DeliveryFilter {
        has_failed: true,
        ..DeliveryFilter::default()
    };
    let failed = shared::deliveries::listing(FAILURES, COMPANY, &failed).newest_first(PAGE);
    let index = "deliveries_failed (company_id=? AND rowid>? AND rowid<?)";
    check(&connection, &sql_of(&failed), index);
}

#[test]
fn what_failed_in_some_way_is_found_by_that_whatever_else_is_asked() {
    let connection = empty();
    for state in or_none(&[StateName::Pending, StateName::Delivered]) {
        for webhook_id in or_none(&[WebhookId(1)]) {
            let filter = DeliveryFilter {
                failure: Some(Failure::Status(503)),
                state,
                webhook_id,
                has_failed: true,
                ..DeliveryFilter::default()
            };
            let index = "deliveries_by_failure (company_id=? AND last_failure=? AND rowid>? AND rowid<?)";
            check_walk(
                &connection,
                shared::deliveries::listing(FAILURES, COMPANY, &filter),
                index,
            );
        }
    }
}

#[test]
fn dead_letters_are_found_and_told_apart_by_indexes_of_their_own() {
    let connection = empty();
    let filter = DeadLetterFilter {
        webhook_id: Some(WebhookId(1)),
        failure: Some(Failure::Status(503)),
        kind: Some(Kind::Call),
        ..DeadLetterFilter::default()
    };
    let index = "deliveries_dead (company_id=? AND id>? AND id<?)";
    check_walk(
        &connection,
        dead_letters::listing("id, company_id", COMPANY, &filter),
        index,
    );
    let replay = Replay {
        filter: ReplayFilter {
            dead_letters: true,
            ..ReplayFilter::default()
        },
        ..a_replay()
    };
    check(
        &connection,
        &sql_of(&dead_letters::listing_for(&replay, 100, EventId(0))),
        "deliveries_by_event (event_id=?)",
    );
    let alike = DeadLetterGroupKey {
        webhook_id: WebhookId(1),
        failure: Failure::Status(503),
        kind: Kind::Call,
    };
    let listing = dead_letters::listing_alike(COMPANY, &alike, &filter).newest_first(PAGE);
    check(
        &connection,
        &sql_of(&listing),
        "COVERING INDEX deliveries_dead_alike (company_id=? AND webhook_id=? AND last_failure=? AND kind=? AND id>? AND id<?)",
    );
    check(
        &connection,
        dead_letters::NEXT_ALIKE,
        "COVERING INDEX deliveries_dead_alike (company_id=? AND (webhook_id,last_failure,kind)>(?,?,?))",
    );
    check(
        &connection,
        dead_letters::DISMISS,
        "INTEGER PRIMARY KEY (rowid=?)",
    );
    check(
        &connection,
        dead_letters::RESENT,
        "deliveries_by_event (event_id=?)",
    );
}

/// The plan does not tell it.
#[test]
fn the_next_sort_of_dead_letters_is_found_however_many_there_are_of_this_one() {
    let connection = empty();
    connection
        .execute_batch(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n <= 1000) \
             INSERT INTO deliveries (id, event_id, ordinal, company_id, webhook_id, kind, subscription_ids, hidden, state, \
             attempt_number, failures_answered, failures_unanswered, blocks_until, created_at, last_failure) \
             SELECT n, n, 0, 1, 7, CASE n WHEN 1001 THEN 'sms' ELSE 'call' END, '', '', 'exhausted', 1, 1, 0, 0, 0, '410' FROM numbers",
        )
        .unwrap();
    let mut next = connection.prepare(dead_letters::NEXT_ALIKE).unwrap();
    let mut steps = |kind: &str| {
        let found: String = next
            .query_row((1, 7, "410", kind), |row| row.get("kind"))
            .unwrap();
        (found, next.reset_status(StatementStatus::VmStep))
    };
    for (kind, expected) in [("", "call"), ("call", "sms")] {
        let (found, steps) = steps(kind);
        assert_eq!(found, expected);
        assert!(steps < 100, "{steps}");
    }
}

#[test]
fn notifications_are_found_by_their_indexes() {
    let connection = empty();
    check(
        &connection,
        notices::NEWEST,
        "notifications_by_subject (subject=? AND kind=?)",
    );
    check(
        &connection,
        notifications::TO_HAND_OUT,
        "notifications_to_hand_out (due_at<?)",
    );
    check(
        &connection,
        notifications::DUE,
        "notification_progress_due (due_at<?)",
    );
    check(
        &connection,
        notifications::TO_CHANNELS,
        "notification_channels_by_company (company_id=?)",
    );
    check(
        &connection,
        notifications::PROGRESS,
        "PRIMARY KEY (notification_id=?)",
    );
    check(&connection, notifications::OLD, "INTEGER PRIMARY KEY (rowid<?)");
    let listing = notifications::listing(COMPANY).newest_first(PAGE);
    check(
        &connection,
        &sql_of(&listing),
        "notifications_by_company (<expr>=? AND rowid>? AND rowid<?)",
    );
    let channels = channels::listing(COMPANY).oldest_first(PAGE);
    check(
        &connection,
        &sql_of(&channels),
        "notification_channels_by_company (company_id=? AND rowid>? AND rowid<?)",
    );
}
