//! Lists walk along an index, whatever they are narrowed to.

use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{EventId, ReplayId, WebhookId, WebsocketId};
use switchhook_domain::order::OrderKey;
use switchhook_domain::subscription::Endpoint;
use switchhook_domain::{Kind, Timestamp};

use crate::filter::{DeliveryFilter, EventFilter};
use crate::registry::SubscriptionFilter;
use crate::row::event::event_head_columns;
use crate::shared;
use crate::shared::{events, keys, subscriptions, webhooks};

use super::{COMPANY, PAGE, check, check_attempts, check_walk, empty, or_none, sql_of};

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
                        check_walk(
                            &connection,
                            shared::deliveries::listing("id", COMPANY, &filter),
                            &index,
                        );
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
    check_attempts(&connection, shared::deliveries::ATTEMPTS);
    check_attempts(&connection, shared::deliveries::LAST_ATTEMPTS);
    check_attempts(&connection, shared::deliveries::FAILED_ATTEMPTS);
    check(
        &connection,
        shared::deliveries::LAST_ATTEMPTS,
        "attempt_rows USING PRIMARY KEY (delivery_id=? AND number>?)",
    );
    check(
        &connection,
        shared::deliveries::WITH_IDS,
        "INTEGER PRIMARY KEY (rowid=?)",
    );
    check(&connection, events::WITH_IDS, "INTEGER PRIMARY KEY (rowid=?)");
    check(&connection, events::SIZES, "INTEGER PRIMARY KEY (rowid=?)");
}
