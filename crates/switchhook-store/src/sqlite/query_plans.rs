//! Every hot query and every list goes through the index made for it: no scan, no sorting.

use rusqlite::Connection;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{CompanyId, EventId, ReplayId, SourceId, WebhookId, WebsocketId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::{Kind, Timestamp};

use super::connection::{Checkpoints, Place, open_writing};
use super::{
    attempt_row, attempts, claims, companies, deliveries, erasure, events, keys, log, order, recovery,
    replay_scan, replays, retention, schema, sources, subscriptions, versions, webhooks, websockets,
};
use crate::filter::{DeliveryFilter, EventFilter};
use crate::page::PageRequest;
use crate::registry::SubscriptionFilter;
use crate::row::event::{COLUMNS, event_head_columns};

const COMPANY: CompanyId = CompanyId(1);
const PAGE: PageRequest = PageRequest {
    after: Some(1_000),
    limit: 20,
};

#[track_caller]
fn check(connection: &Connection, sql: &str, index: &str) {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let count = statement.parameter_count();
    let plan: Vec<String> = statement
        .query_map(rusqlite::params_from_iter(vec![1; count]), |row| {
            row.get("detail")
        })
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let plan = plan.join("; ");
    assert!(plan.contains(index), "{sql}\n{plan}");
    assert!(
        !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"),
        "{sql}\n{plan}"
    );
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
        order::LAST,
        "deliveries_by_order_key (webhook_id=? AND order_key=?)",
    );
    check(
        &connection,
        order::AHEAD,
        "deliveries_by_order_key (webhook_id=? AND order_key=? AND rowid<?)",
    );
    check(
        &connection,
        order::LINE,
        "deliveries_by_order_key (webhook_id=? AND order_key=?)",
    );
    check(&connection, attempts::OPEN, "INTEGER PRIMARY KEY (rowid=?)");
    check(
        &connection,
        events::BY_IDEMPOTENCY_KEY,
        "events_by_idempotency_key (company_id=? AND idempotency_key=?)",
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
    check(
        &connection,
        claims::UNDATED,
        "deliveries_due (webhook_id=? AND due_at=?)",
    );
    check(
        &connection,
        claims::NEXT_UNCLAIMED,
        "deliveries_due (webhook_id>?)",
    );
    check(
        &connection,
        claims::NEXT_CLAIMED,
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
    check(
        &connection,
        webhooks::WITH_CREDENTIALS,
        "webhooks_with_credentials (company_id=?",
    );
    check(
        &connection,
        deliveries::PENDING_UNCLAIMED,
        "deliveries_due (webhook_id=?)",
    );
    check(
        &connection,
        deliveries::PENDING_CLAIMED,
        "deliveries_claimed (webhook_id=?)",
    );
    check(
        &connection,
        recovery::CLAIMED,
        "deliveries_claimed (webhook_id>?)",
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
        companies::listing().oldest_first(PAGE).sql(),
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
        check(&connection, listing.oldest_first(PAGE).sql(), index);
    }
}

#[test]
fn versions_are_found_without_passing_others() {
    let connection = empty();
    let by_subscription = "subscription_versions_by_subscription (company_id=? AND subscription_id";
    check(&connection, versions::NEXT_SUBSCRIPTION, by_subscription);
    check(&connection, versions::LAST_UNTIL, by_subscription);
    check(&connection, versions::FIRST_OF, by_subscription);
    check(&connection, subscriptions::OF_WEBHOOK, "subscriptions_by_webhook");
    for (listing, index) in [
        (versions::listing(None, PAGE), "INTEGER PRIMARY KEY (rowid>?)"),
        (
            versions::listing(Some(COMPANY), PAGE),
            "subscription_versions_by_company (company_id=? AND rowid>?)",
        ),
    ] {
        check(&connection, listing.sql(), index);
    }
}

#[test]
fn lists_of_events_go_by_company_and_time() {
    let connection = empty();
    let since = Some(Timestamp::from_millis(1_790_000_000_000));
    let of_a_call = EventFilter {
        order_key: Some(OrderKey::new("call:1")),
        since,
        ..EventFilter::default()
    };
    let of_a_kind = EventFilter {
        kind: Some(Kind::Call),
        since,
        until: since,
        ..EventFilter::default()
    };
    for (filter, index) in [
        (
            EventFilter::default(),
            "events_by_company (company_id=? AND rowid<?)",
        ),
        (
            of_a_kind,
            "events_by_company (company_id=? AND rowid>? AND rowid<?)",
        ),
        (
            of_a_call,
            "events_by_company (company_id=? AND rowid>? AND rowid<?)",
        ),
    ] {
        for columns in [COLUMNS, event_head_columns!()] {
            let listing = events::listing(columns, COMPANY, &filter).newest_first(PAGE);
            check(&connection, listing.sql(), index);
        }
    }
}

#[test]
fn lists_of_deliveries_go_by_what_narrows_them_most() {
    let connection = empty();
    let all = DeliveryFilter::default();
    let of_event = DeliveryFilter {
        event_id: Some(EventId(1)),
        ..all.clone()
    };
    let of_webhook = DeliveryFilter {
        webhook_id: Some(WebhookId(1)),
        ..all.clone()
    };
    let pending = DeliveryFilter {
        state: Some(StateName::Pending),
        ..of_webhook.clone()
    };
    let delivered = DeliveryFilter {
        state: Some(StateName::Delivered),
        ..of_webhook.clone()
    };
    let of_replay = DeliveryFilter {
        replay_id: Some(ReplayId(1)),
        ..delivered.clone()
    };
    for (filter, index) in [
        (all, "deliveries_by_company (company_id=? AND rowid<?)"),
        (of_event, "deliveries_by_event (event_id=? AND rowid<?)"),
        (of_webhook, "deliveries_by_webhook (webhook_id=? AND rowid<?)"),
        (
            pending,
            "deliveries_unfinished (company_id=? AND state=? AND rowid<?)",
        ),
        (delivered, "deliveries_by_webhook (webhook_id=? AND rowid<?)"),
        (of_replay, "deliveries_by_replay (replay_id=? AND rowid<?)"),
    ] {
        check(
            &connection,
            deliveries::listing(COMPANY, &filter).newest_first(PAGE).sql(),
            index,
        );
    }
    check(
        &connection,
        deliveries::ORIGINALS,
        "deliveries_by_event (event_id=?)",
    );
    check(&connection, attempt_row::ALL, "PRIMARY KEY (delivery_id=?)");
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
        (replays::BY_ID, "INTEGER PRIMARY KEY (rowid=?)"),
        (
            replays::BY_ID,
            "deliveries_of_replay (replay_id=? AND attempt_number=?)",
        ),
        (replays::RUNNING_OF, "replays_running (id>?)"),
        (replays::PENDING_OF, "deliveries_of_replay (replay_id=?)"),
        (webhooks::OF_REPLAYS, "webhooks_by_replay (company_id=?)"),
    ] {
        check(&connection, sql, index);
    }
    check(
        &connection,
        replays::listing(COMPANY).newest_first(PAGE).sql(),
        "replays_by_company (company_id=? AND rowid<?)",
    );
    check(
        &connection,
        replays::listing_running().oldest_first(PAGE).sql(),
        "replays_running",
    );
}

#[test]
fn the_log_and_what_comes_in_are_found_by_their_indexes() {
    let connection = empty();
    check(&connection, log::END, "events_by_position (company_id=?");
    check(
        &connection,
        log::AFTER,
        "events_by_position (company_id=? AND position>?)",
    );
    check(
        &connection,
        subscriptions::OF_WEBSOCKET,
        "subscriptions_by_websocket (websocket_id=?)",
    );
    check(
        &connection,
        sources::FORGET,
        "source_refusals_by_source (source_id=?",
    );
    check(
        &connection,
        sources::OF_COMPANY,
        "source_refusals_by_source (source_id=?)",
    );
    let sources = sources::listing(COMPANY).oldest_first(PAGE);
    check(
        &connection,
        sources.sql(),
        "sources_by_company (company_id=? AND rowid>?)",
    );
    let refusals = sources::refusal_listing(SourceId(7)).newest_first(PAGE);
    check(
        &connection,
        refusals.sql(),
        "source_refusals_by_source (source_id=? AND rowid<?)",
    );
    let websockets = websockets::listing(Some(COMPANY)).oldest_first(PAGE);
    check(
        &connection,
        websockets.sql(),
        "websockets_by_company (company_id=? AND rowid>?)",
    );
}
