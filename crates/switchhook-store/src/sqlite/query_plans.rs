//! Every hot query and every list goes through the index made for it: no scan, no sorting.

use rusqlite::Connection;
use switchhook_domain::attempt::Failure;
use switchhook_domain::clearance::Clearance;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{CompanyId, EventId, ReplayId, SourceId, WebhookId, WebsocketId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::redaction::Hidden;
use switchhook_domain::replay::{Destination, Estimate, Progress, Replay, ReplayFilter, ReplayState};
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::{Kind, Timestamp};

use super::connection::{Checkpoints, Place, open_writing};
use super::{
    attempts, claims, deliveries, erasure, history, order_queue, pending, record, recovery, replay_scan,
    replays, retention, schema,
};
use crate::dead_letter::{Alike, DeadLetterFilter};
use crate::filter::{DeliveryFilter, EventFilter};
use crate::page::PageRequest;
use crate::registry::SubscriptionFilter;
use crate::row::event::event_head_columns;
use crate::shared;
use crate::shared::{
    channels, companies, dead_letters, events, keys, log, notices, notifications, outages, refusals,
    sessions, sources, subscriptions, versions, webhooks, websockets,
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

/// What is scanned and is no table: the values of a list, and the rows of a recursion.
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

fn sql_of(listing: &Listing) -> String {
    listing.page_sql(Dialect::Sqlite)
}

fn empty() -> Connection {
    let mut connection = open_writing(&Place::Memory, Checkpoints::Here).unwrap();
    schema::migrate(&mut connection, Timestamp::from_millis(0)).unwrap();
    connection
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
    check(&connection, attempts::OPEN, "INTEGER PRIMARY KEY (rowid=?)");
    check(
        &connection,
        record::BY_IDEMPOTENCY_KEY,
        "events_by_idempotency_key (company_id=? AND idempotency_key=?)",
    );
}

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
    let failed = shared::deliveries::listing(COMPANY, &failed).newest_first(PAGE);
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
            check_walk(&connection, shared::deliveries::listing(COMPANY, &filter), index);
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
    let alike = Alike {
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

#[test]
fn who_asks_is_found_by_seeking() {
    let connection = empty();
    check(&connection, keys::WITH_IDS, "INTEGER PRIMARY KEY (rowid=?)");
    check(&connection, keys::NOTE_USE, "INTEGER PRIMARY KEY (rowid=?)");
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
    check(&connection, erasure::RECORDS, "PRIMARY KEY (delivery_id=?)");
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
fn lists_of_what_is_registered_go_by_company_or_by_id() {
    let connection = empty();
    let all = SubscriptionFilter::default();
    let one_kind = SubscriptionFilter {
        kind: Some(Kind::Call),
        target_id: Some(1),
        ..all
    };
    let leading_to = |endpoint| SubscriptionFilter {
        endpoint: Some(endpoint),
        ..all
    };
    for (listing, index) in [
        (keys::listing(None), "INTEGER PRIMARY KEY"),
        (keys::listing(Some(COMPANY)), "api_keys_by_company"),
        (webhooks::listing(None), "INTEGER PRIMARY KEY"),
        (webhooks::listing(Some(COMPANY)), "webhooks_by_company"),
        (subscriptions::listing(None, all), "INTEGER PRIMARY KEY"),
        (
            subscriptions::listing(Some(COMPANY), all),
            "subscriptions_by_company",
        ),
        (
            subscriptions::listing(Some(COMPANY), one_kind),
            "subscriptions_by_company",
        ),
        (
            subscriptions::listing(Some(COMPANY), leading_to(Endpoint::Webhook(WebhookId(1)))),
            "subscriptions_by_webhook (webhook_id=?",
        ),
        (
            subscriptions::listing(Some(COMPANY), leading_to(Endpoint::Websocket(WebsocketId(1)))),
            "subscriptions_by_websocket (websocket_id=?",
        ),
    ] {
        check(&connection, &sql_of(&listing.oldest_first(PAGE)), index);
    }
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
fn every_list_of_events_walks_along_the_events_of_the_company() {
    let connection = empty();
    let times = or_none(&[Timestamp::from_millis(1_790_000_000_000)]);
    for order_key in or_none(&[OrderKey::new("call:1")]) {
        for kind in or_none(&Kind::ALL) {
            for (since, until) in times.iter().zip(times.iter().rev()) {
                let filter = EventFilter {
                    kind,
                    order_key: order_key.clone(),
                    since: *since,
                    until: *until,
                };
                let index = "events_by_company (company_id=? AND rowid>? AND rowid<?)";
                for columns in [events::SIZE_COLUMNS, event_head_columns!()] {
                    let listing = events::listing(columns, COMPANY, &filter);
                    check_walk(&connection, listing, index);
                }
            }
        }
    }
}

#[test]
fn every_list_of_deliveries_walks_along_what_narrows_it_most() {
    let connection = empty();
    let states = [
        StateName::Pending,
        StateName::Delivered,
        StateName::Exhausted,
        StateName::Cancelled,
    ];
    let since = Timestamp::from_millis(1_790_000_000_000);
    for event_id in or_none(&[EventId(1)]) {
        for webhook_id in or_none(&[WebhookId(1)]) {
            for replay_id in or_none(&[ReplayId(1)]) {
                for state in or_none(&states) {
                    for kind in or_none(&[Kind::Call]) {
                        let index = match (event_id, replay_id, state, webhook_id) {
                            (Some(_), ..) => "deliveries_by_event (event_id=?",
                            (_, Some(_), ..) => "deliveries_by_replay (replay_id=?",
                            (_, _, Some(StateName::Delivered) | None, Some(_)) => {
                                "deliveries_by_webhook (webhook_id=?"
                            }
                            (_, _, Some(StateName::Delivered) | None, None) => {
                                "deliveries_by_company (company_id=?"
                            }
                            _ => "deliveries_unfinished (company_id=? AND state=?",
                        };
                        let filter = DeliveryFilter {
                            event_id,
                            webhook_id,
                            replay_id,
                            has_failed: false,
                            failure: None,
                            state,
                            kind,
                            since: Some(since),
                            until: Some(since),
                        };
                        let index = format!("{index} AND rowid>? AND rowid<?)");
                        check_walk(&connection, shared::deliveries::listing(COMPANY, &filter), &index);
                    }
                }
            }
        }
    }
    check(
        &connection,
        shared::deliveries::ORIGINALS,
        "deliveries_by_event (event_id=?)",
    );
    check(
        &connection,
        shared::deliveries::ATTEMPTS,
        "PRIMARY KEY (delivery_id=?)",
    );
    check(
        &connection,
        shared::deliveries::LAST_ATTEMPTS,
        "attempts USING PRIMARY KEY (delivery_id=? AND number=?)",
    );
    check(&connection, events::WITH_IDS, "INTEGER PRIMARY KEY (rowid=?)");
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
    check(&connection, sources::COUNT, "sources_by_company (company_id=?)");
    for sql in [refusals::SIZES, refusals::BETWEEN, refusals::BODIES] {
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
