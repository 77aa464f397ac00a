//! Every hot query and every list goes through the index made for it: no scan, no sorting.

mod failures;
mod lists;

use rusqlite::Connection;
use switchhook_domain::Timestamp;
use switchhook_domain::clearance::Clearance;
use switchhook_domain::id::{CompanyId, EventId, ReplayId, SourceId};
use switchhook_domain::redaction::Hidden;
use switchhook_domain::replay::{Destination, Estimate, Progress, Replay, ReplayFilter, ReplayState};

use super::connection::{Checkpoints, DatabaseLocation, open_writing};
use super::{
    attempts, claims, deferred, deliveries, erasure, history, order_queue, pending, queues_with_rows, record,
    recovery, replay_scan, replays, retention, schema,
};
use crate::page::PageRequest;
use crate::shared;
use crate::shared::{
    companies, keys, log, refusals, sessions, sources, subscriptions, versions, webhooks, websockets,
};
use crate::sql::{Dialect, Listing};

const COMPANY: CompanyId = CompanyId(1);
const PAGE: PageRequest = PageRequest {
    after: Some(1_000),
    limit: 20,
};

fn plan(connection: &Connection, sql: &str) -> String {
    let sql = Dialect::Sqlite.spell(sql);
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let count = statement.parameter_count();
    let plan: Vec<String> = statement
        .query_map(rusqlite::params_from_iter(vec![1; count]), |row| {
            row.get("detail")
        })
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    plan.join("; ")
}

/// Scans that are not of tables: the values of a list, and the rows of a recursion.
const NO_TABLES: [&str; 3] = ["SCAN json_each VIRTUAL TABLE", "SCAN CONSTANT ROW", "SCAN found"];

#[track_caller]
fn check(connection: &Connection, sql: &str, index: &str) {
    let plan = plan(connection, sql);
    assert!(plan.contains(index), "{sql}\n{plan}");
    let of_tables = NO_TABLES
        .iter()
        .fold(plan.clone(), |plan, scan| plan.replace(scan, ""));
    assert!(
        !of_tables.contains("SCAN") && !plan.contains("TEMP B-TREE"),
        "{sql}\n{plan}"
    );
}

/// Attempts are found by their deliveries, both those that have rows of their own and those in the rows of these.
#[track_caller]
fn check_attempts(connection: &Connection, sql: &str) {
    check(
        connection,
        sql,
        "SEARCH attempt_rows USING PRIMARY KEY (delivery_id=?)",
    );
    check(
        connection,
        sql,
        "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)",
    );
}

fn sql_of(listing: &Listing) -> String {
    listing.page_sql(Dialect::Sqlite)
}

fn empty() -> Connection {
    let mut connection = open_writing(&DatabaseLocation::Memory, Checkpoints::Here).unwrap();
    schema::migrate(&mut connection, Timestamp::from_millis(0)).unwrap();
    connection
}

/// Each of these, or nothing.
fn or_none<T: Clone>(values: &[T]) -> Vec<Option<T>> {
    let some = values.iter().cloned().map(Some);
    some.chain([None]).collect()
}

/// Both queries of a page walk the index within its ends: that of the page, which cannot pass by more than the other found.
#[track_caller]
fn check_walk(connection: &Connection, listing: Listing, index: &str) {
    let listing = listing.newest_first(PAGE);
    check(connection, &listing.page_sql(Dialect::Sqlite), index);
    let reach = listing.reach_sql(Dialect::Sqlite);
    check(connection, &reach, index);
    let plan = plan(connection, &reach);
    assert!(plan.contains("COVERING INDEX"), "{reach}\n{plan}");
}

#[test]
fn what_is_done_for_every_event_seeks() {
    let connection = empty();
    check(
        &connection,
        order_queue::LAST,
        "deliveries_by_order_key (webhook_id=? AND order_key=?)",
    );
    check(
        &connection,
        order_queue::AHEAD,
        "deliveries_by_order_key (webhook_id=? AND order_key=? AND rowid<?)",
    );
    check(
        &connection,
        order_queue::FIRST,
        "deliveries_by_order_key (webhook_id=? AND order_key=?)",
    );
    let plan = plan(&connection, queues_with_rows::QUEUES);
    assert!(
        plan.contains("deliveries USING COVERING INDEX deliveries_by_order_key"),
        "{plan}"
    );
    // One step to the end of the table, which SQLite calls a search.
    check(&connection, deferred::LARGEST, "SEARCH events");
    check(&connection, attempts::OPEN, "INTEGER PRIMARY KEY (rowid=?)");
    check(
        &connection,
        record::BY_IDEMPOTENCY_KEY,
        "events_by_idempotency_key (company_id=? AND idempotency_key=?)",
    );
}

#[test]
fn who_asks_is_found_by_seeking() {
    let connection = empty();
    check(&connection, keys::WITH_IDS, "INTEGER PRIMARY KEY (rowid=?)");
    check(&connection, keys::NOTE_USE, "INTEGER PRIMARY KEY (rowid=?)");
    check(
        &connection,
        keys::COUNT_VALID,
        "api_keys_by_company (company_id=?)",
    );
    check(&connection, keys::BY_HASH, "api_keys_by_hash (hash=?)");
    check(
        &connection,
        sessions::FORGET,
        "ended_sessions_by_time (ended_at<?)",
    );
    check(&connection, sessions::COUNT, "PRIMARY KEY (key_id=?)");
    check(
        &connection,
        sessions::IS_ENDED,
        "PRIMARY KEY (key_id=? AND token_hash=?)",
    );
}

#[test]
fn what_is_counted_is_found_by_its_key_and_removed_by_its_age() {
    let connection = empty();
    let key = "PRIMARY KEY (company_id=? AND webhook_id=? AND minutes=? AND from_at";
    check(&connection, history::KEPT, key);
    check(&connection, history::BETWEEN, key);
    check(
        &connection,
        history::FORGET,
        "history_by_age (minutes=? AND from_at<?)",
    );
}

#[test]
fn what_is_due_is_found_without_passing_what_is_not() {
    let connection = empty();
    check(
        &connection,
        claims::DUE,
        "deliveries_due (webhook_id=? AND due_at<?)",
    );
    check(
        &connection,
        claims::EXPIRED,
        "deliveries_claimed (webhook_id=? AND due_at<?)",
    );
    check(&connection, claims::NEXT_DUE, "deliveries_due (webhook_id=?");
    check(&connection, pending::LONGEST_DUE, "deliveries_due (webhook_id=?");
    check(
        &connection,
        claims::UNDATED,
        "deliveries_due (webhook_id=? AND due_at=?)",
    );
    check(
        &connection,
        pending::NEXT_UNCLAIMED,
        "deliveries_due (webhook_id>?)",
    );
    check(
        &connection,
        pending::NEXT_CLAIMED,
        "deliveries_claimed (webhook_id>?)",
    );
    check(
        &connection,
        deliveries::UNCLAIMED_OF,
        "deliveries_due (webhook_id=?)",
    );
    check(
        &connection,
        deliveries::CLAIMED_OF,
        "deliveries_claimed (webhook_id=?)",
    );
    check(&connection, claims::ONLY, "INTEGER PRIMARY KEY (rowid=?)");
    check(&connection, pending::PROGRESS, "INTEGER PRIMARY KEY (rowid=?)");
    check(
        &connection,
        pending::PROGRESS,
        "first USING COVERING INDEX deliveries_by_order_key (webhook_id=? AND order_key=?)",
    );
    check(
        &connection,
        webhooks::WITH_URL_KEY,
        "webhooks_by_url_key (company_id=? AND url_key=?)",
    );
    check(
        &connection,
        pending::PENDING_UNCLAIMED,
        "deliveries_due (webhook_id=?)",
    );
    check(
        &connection,
        pending::PENDING_CLAIMED,
        "deliveries_claimed (webhook_id=?)",
    );
    check(
        &connection,
        recovery::CLAIMED,
        "deliveries_claimed (webhook_id>?)",
    );
    let plan = plan(&connection, pending::OLDEST_OF_COMPANY);
    assert!(
        plan.contains("deliveries_unfinished (company_id=? AND state=?)"),
        "{plan}"
    );
}

#[test]
fn what_is_removed_is_found_by_seeking() {
    let connection = empty();
    let by_event = "deliveries_by_event (event_id=?)";
    check(
        &connection,
        retention::OLDEST,
        "INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    );
    check(&connection, retention::IS_NEEDED, by_event);
    check(&connection, retention::KEEPS_PAYLOAD, by_event);
    check(
        &connection,
        retention::WITH_PAYLOAD,
        "events_by_company (company_id=? AND rowid>?)",
    );
    check(
        &connection,
        erasure::BODIES,
        "events_by_company (company_id=? AND rowid>?)",
    );
    check(&connection, erasure::DELIVERIES, by_event);
    check_attempts(&connection, erasure::RECORDS);
    check(
        &connection,
        attempts::PAYLOAD_IS_GONE,
        "deliveries USING INTEGER PRIMARY KEY (rowid=?)",
    );
    check(
        &connection,
        &sql_of(&companies::listing().oldest_first(PAGE)),
        "INTEGER PRIMARY KEY",
    );
}

#[test]
fn versions_are_found_without_passing_others() {
    let connection = empty();
    let by_subscription = "subscription_versions_by_subscription (company_id=? AND subscription_id";
    check(&connection, versions::AS_OF, by_subscription);
    check(&connection, versions::END_LAST, by_subscription);
    check(
        &connection,
        subscriptions::ORPHAN_OF_WEBHOOK,
        "subscriptions_by_webhook",
    );
    for (listing, index) in [
        (
            versions::listing(None),
            "INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
        ),
        (
            versions::listing(Some(COMPANY)),
            "subscription_versions_by_company (company_id=? AND rowid>? AND rowid<?)",
        ),
    ] {
        check(&connection, &sql_of(&listing.oldest_first(PAGE)), index);
    }
}

fn a_replay() -> Replay {
    let now = Timestamp::from_millis(0);
    Replay {
        id: ReplayId(9),
        company_id: COMPANY,
        filter: ReplayFilter::default(),
        to: Destination::Origins,
        rate: None,
        hidden: Hidden::EVERYTHING,
        made_with: Clearance::FULL,
        estimate: Estimate {
            total: 0,
            is_exact: true,
        },
        cursor: EventId(0),
        is_all_created: false,
        next_due_at: now,
        progress: Progress::default(),
        state: ReplayState::Running,
        created_at: now,
    }
}

#[test]
fn replays_walk_over_events_and_touch_only_what_is_theirs() {
    let connection = empty();
    for (sql, index) in [
        (
            replay_scan::ACCEPTED,
            "events_by_company (company_id=? AND rowid>? AND rowid<?)",
        ),
        (replay_scan::DELIVERIES, "deliveries_by_event (event_id=?)"),
        (shared::replays::BY_ID, "INTEGER PRIMARY KEY (rowid=?)"),
        (
            shared::replays::BY_ID,
            "deliveries_of_replay (replay_id=? AND attempt_number=?)",
        ),
        (shared::replays::RUNNING_OF, "replays_running (id>?)"),
        (replays::PENDING_OF, "deliveries_of_replay (replay_id=?)"),
        (webhooks::OF_REPLAYS, "webhooks_by_replay (company_id=?)"),
    ] {
        check(&connection, sql, index);
    }
    check(
        &connection,
        &sql_of(&shared::replays::listing(COMPANY).newest_first(PAGE)),
        "replays_by_company (company_id=? AND rowid>? AND rowid<?)",
    );
    check(
        &connection,
        &sql_of(&shared::replays::listing_running().oldest_first(PAGE)),
        "replays_running",
    );
}

#[test]
fn the_log_and_what_comes_in_are_found_by_their_indexes() {
    let connection = empty();
    check(&connection, log::END, "events_by_position (company_id=?");
    check(
        &connection,
        log::SIZES,
        "events_by_position (company_id=? AND position>?)",
    );
    check(
        &connection,
        log::BETWEEN,
        "events_by_position (company_id=? AND position>? AND position<?)",
    );
    check(
        &connection,
        subscriptions::ORPHAN_OF_WEBSOCKET,
        "subscriptions_by_websocket (websocket_id=?)",
    );
    check(
        &connection,
        refusals::FORGET,
        "source_refusals_by_bytes (source_id=? AND bytes_so_far<?)",
    );
    check(
        &connection,
        refusals::SO_FAR,
        "source_refusals_by_bytes (source_id=?)",
    );
    let by_source = "source_refusals_by_source (source_id=? AND rowid>?";
    check(&connection, refusals::REFUSING, by_source);
    check(&connection, sources::COUNT, "sources_by_company (company_id=?)");
    for sql in [
        refusals::SIZES,
        refusals::BETWEEN,
        refusals::BODIES,
        refusals::LATELY,
    ] {
        check(&connection, sql, by_source);
    }
    for (listing, index) in [
        (
            sources::listing(COMPANY),
            "sources_by_company (company_id=? AND rowid>? AND rowid<?)",
        ),
        (refusals::listing(SourceId(7)), by_source),
        (
            websockets::listing(Some(COMPANY)),
            "websockets_by_company (company_id=? AND rowid>? AND rowid<?)",
        ),
    ] {
        check(&connection, &sql_of(&listing.newest_first(PAGE)), index);
    }
}
