//! Plans of PostgreSQL for our statements, on stores that are filled and have grown unevenly.
//!
//! The server itself writes the plan of every statement to its log, with the rows that it met. So nothing here names
//! a statement, and a new one is judged like the others. Statistics are as bad as they get: those of empty tables, or
//! those from before senders began to use idempotency keys and a receiver failed.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use switchhook_domain::attempt::Failure;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{DeliveryId, EventId, KeyId, ReplayId, WebhookId, first_id_at};
use switchhook_domain::redaction::Hidden;
use switchhook_domain::replay::{Destination, ReplayFilter};
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::postgres::cluster::{Cluster, Durability, create_database};
use switchhook_store::{
    DeadLetterFilter, DeliveryFilter, ErasureExtent, ErasureSlice, EventFilter, Idempotency, LogBounds,
    NewEvent, PageRequest, PayloadSlice, Recorded, RemovalSlice,
};

use crate::fixture::Postgres;
use crate::postgres;
use crate::samples::{COMPANY, NOON, OTHER_COMPANY, order_key};
use crate::world::World;

/// Events from the time when all was well, each delivered once to one of a hundred webhooks.
const OLD: i64 = 120_000;

/// Later events, with idempotency keys, whose deliveries to [`FAILING`] all wait for a retry.
const NEW: i64 = 20_000;

const FAILING: WebhookId = WebhookId(50);

/// Rows that a statement for a single event, attempt or claim may meet, and the blocks it may read.
const FEW: Bound = Bound {
    rows: 500,
    blocks: 1_500,
};

/// The same for a page, which ends after some ten thousand rows that do not match.
const PAGE: Bound = Bound {
    rows: 25_000,
    blocks: 60_000,
};

#[derive(Debug, Clone, Copy)]
struct Bound {
    rows: u64,
    blocks: u64,
}

/// Time of the last `ANALYZE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Analyzed {
    WhenEmpty,
    WhenAllWasWell,
    Now,
}

#[tokio::test]
async fn a_statement_meets_few_rows_however_old_the_statistics_are() {
    if !postgres::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap().keep();
    let cluster = Cluster::start(&folder, Durability::None).unwrap();
    for (name, analyzed) in [
        ("of_empty_tables", Analyzed::WhenEmpty),
        ("of_before", Analyzed::WhenAllWasWell),
        ("of_now", Analyzed::Now),
    ] {
        let url = create_database(&cluster.url("postgres"), name).unwrap();
        // Opened once for the tables.
        World::new(Box::new(Postgres::at(url.clone())))
            .await
            .store
            .close()
            .await;
        fill(&cluster, name, analyzed);
        explain(&cluster, name);
        let mut world = World::new(Box::new(Postgres::at(url))).await;
        let told = cluster.log().unwrap().len();
        do_what_is_done_for_every_event(&mut world).await;
        let log = cluster.log().unwrap();
        for called in ["pg_temp.keep(", "pg_temp.settle("] {
            assert!(log[told..].contains(called), "{called}");
        }
        let told = check(&cluster, told, FEW, analyzed);
        read_pages(&mut world).await;
        check(&cluster, told, PAGE, analyzed);
        world.store.close().await;
    }
}

/// Half a year of events in a few seconds, and then a receiver that fails.
fn fill(cluster: &Cluster, database: &str, analyzed: Analyzed) {
    let execute = |sql: &str| cluster.execute(database, sql).unwrap();
    let analyze_if = |when| {
        if analyzed == when {
            execute("ANALYZE");
        }
    };
    execute(
        "ALTER TABLE events SET (autovacuum_enabled = off); ALTER TABLE deliveries SET (autovacuum_enabled = off); \
         ALTER TABLE attempts SET (autovacuum_enabled = off)",
    );
    analyze_if(Analyzed::WhenEmpty);
    let (company, then) = (COMPANY.0, NOON.minus(Duration::from_secs(86_400)));
    let (first, at) = (first_id_at(then), then.as_millis());
    execute(&format!(
        "INSERT INTO events (id, company_id, kind, accepted_at, order_key, body, revision, position) \
         SELECT {first} + n * 8, {company}, CASE n % 50 WHEN 0 THEN 'sms' ELSE 'call' END, {at} + n, 'call:' || n / 4, \
         '{{\"call_id\":' || n / 4 || '}}', 0, CASE n % 10 WHEN 0 THEN {first} + n * 8 END \
         FROM generate_series(1, {OLD}) AS n; \
         INSERT INTO deliveries (id, event_id, ordinal, company_id, webhook_id, kind, subscription_ids, hidden, order_key, \
         state, ended_at, attempt_number, failures_answered, failures_unanswered, blocks_until, last_outcome, last_status, created_at) \
         SELECT id + 1, id, 0, company_id, 1 + id / 8 % 100, kind, '5', '', order_key, \
         'delivered', accepted_at, 1, 0, 0, accepted_at, 'answered', 200, accepted_at FROM events; \
         INSERT INTO attempts (delivery_id, number, started_at, finished_at, outcome, status, answer_truncated, total_us) \
         SELECT id, 1, created_at, created_at, 'answered', 200, 0, 1000 FROM deliveries"
    ));
    analyze_if(Analyzed::WhenAllWasWell);
    let (failing, due) = (FAILING.0, NOON.plus(Duration::from_secs(600)).as_millis());
    let next = first + (OLD + 1) * 8;
    execute(&format!(
        "INSERT INTO events (id, company_id, kind, accepted_at, order_key, idempotency_key, body, revision) \
         SELECT {next} + n * 8, {company}, 'call', {at} + {OLD} + n, 'call:' || n % 5000, 'key ' || n, \
         '{{\"call_id\":' || n % 5000 || '}}', 0 FROM generate_series(1, {NEW}) AS n; \
         INSERT INTO deliveries (id, event_id, ordinal, company_id, webhook_id, kind, subscription_ids, hidden, order_key, \
         line_position, state, due_at, held, attempt_number, failures_answered, failures_unanswered, blocks_until, created_at) \
         SELECT id + 1, id, 0, company_id, {failing}, kind, '5', '', order_key, id, 'pending', \
         {due} + id % 1000, CASE WHEN (id - {next}) / 8 > 5000 THEN 'order' END, \
         1, 1, 0, {due}, accepted_at FROM events WHERE id > {next}; \
         UPDATE deliveries SET last_failure = '503' WHERE webhook_id = {failing} AND state = 'pending'; \
         INSERT INTO attempts (delivery_id, number, started_at, finished_at, outcome, status, answer_truncated, total_us) \
         SELECT id, 1, created_at, created_at, 'answered', 503, 0, 1000 FROM deliveries WHERE last_failure = '503'; \
         UPDATE deliveries SET state = 'exhausted', ended_at = created_at, due_at = NULL, held = NULL \
         WHERE webhook_id = {failing} AND id > {next} + {NEW} * 4"
    ));
    analyze_if(Analyzed::Now);
}

/// From now on the log has the plan of every statement of new connections.
fn explain(cluster: &Cluster, database: &str) {
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_analyze = on",
        "auto_explain.log_nested_statements = on",
        "auto_explain.log_buffers = on",
        "auto_explain.log_timing = off",
        "auto_explain.log_format = json",
    ] {
        cluster
            .execute("postgres", &format!("ALTER DATABASE {database} SET {setting}"))
            .unwrap();
    }
}

async fn do_what_is_done_for_every_event(world: &mut World) {
    let healthy = WebhookId(7);
    for n in 0..8 {
        let key = |name: &str| {
            Some(Idempotency {
                key: format!("{name} {}", 1_000 + n),
                not_before: Timestamp::from_millis(0),
            })
        };
        let fresh = NewEvent {
            idempotency: key("another key"),
            order_key: Some(order_key(1_000_000 + n)),
            deliveries: vec![world.claimed(healthy), world.claimed(FAILING)],
            concealable: Hidden::EVERYTHING,
            is_logged: n % 2 == 0,
            ..world.event()
        };
        let (event, delivery) = (fresh.id, fresh.deliveries[0].id);
        assert_eq!(world.record(fresh).await, Recorded::Kept);
        let again = NewEvent {
            idempotency: key("key"),
            body: Bytes::from(format!(r#"{{"call_id":{}}}"#, 1_000 + n)),
            ..world.event()
        };
        assert!(matches!(world.record(again).await, Recorded::Repeated { .. }));
        // Behind one of a long queue.
        world.send(1_000 + n, FAILING).await;
        assert!(world.succeed(delivery, 1).await);
        let store = &world.store;
        store.event(COMPANY, event).await.unwrap();
        store.attempts_of(delivery).await.unwrap();
        store.last_attempts(vec![delivery]).await.unwrap();
        store.find_key([7; 32]).await.unwrap();
        store.keys(vec![KeyId(1), KeyId(2)]).await.unwrap();
        store.longest_waiting(FAILING).await.unwrap();
        store.pending_webhooks(None, 10).await.unwrap();
        store.count_pending(vec![FAILING], world.now, 50).await.unwrap();
        store.oldest_undelivered().await.unwrap();
        store.pending_deliveries_of(FAILING, 10).await.unwrap();
    }
    let end = world.store.log_end(COMPANY).await.unwrap();
    let bounds = LogBounds {
        events: 20,
        bytes: 10_000,
    };
    world.store.read_log(COMPANY, end, bounds).await.unwrap();
    world.after(660);
    world.effects();
    let mut claimed = Vec::new();
    for _ in 0..4 {
        world.claim(FAILING, 4).await;
        claimed.extend(world.handed_over());
    }
    for (n, told) in claimed.into_iter().enumerate() {
        let switchhook_store::HandedOver::Claimed(one) = told else {
            continue;
        };
        let (id, number) = (one.delivery.id, one.delivery.attempt_number);
        match n % 3 {
            0 => assert!(world.fail(id, number, 60).await),
            1 => assert!(world.succeed(id, number).await),
            _ => world.release(id, number).await,
        }
    }
    world
        .store
        .make_retries_due(FAILING, world.now, 20)
        .await
        .unwrap();
    world.store.last_id().await.unwrap();
}

/// Every filter with every other, and what goes through the store slice by slice.
async fn read_pages(world: &mut World) {
    let (first, page) = (EventId(first_id_at(NOON)), PageRequest::first(50));
    let store = &world.store;
    for company in [COMPANY, OTHER_COMPANY] {
        for set in 0..64_u32 {
            let with = |bit: u32| set >> bit & 1 == 1;
            let (since, until) = if with(5) {
                (Some(NOON.minus(Duration::from_secs(86_300))), Some(NOON))
            } else {
                (None, None)
            };
            let filter = DeliveryFilter {
                event_id: with(0).then_some(first),
                webhook_id: with(1).then_some(FAILING),
                replay_id: with(2).then_some(ReplayId(9)),
                state: with(3).then_some(
                    [StateName::Pending, StateName::Exhausted, StateName::Delivered][set as usize % 3],
                ),
                has_failed: set % 5 == 4,
                failure: (set % 7 == 6).then_some(Failure::Status(503)),
                kind: with(4).then_some(Kind::Contact),
                since,
                until,
            };
            let many = PageRequest::first(1_000);
            let failed = store.failed_attempts(company, filter.clone(), many);
            failed.await.unwrap();
            let list = store.list_deliveries(company, filter, page).await.unwrap();
            let ids = list.items.iter().map(|delivery| delivery.id).collect();
            store.deliveries(company, ids).await.unwrap();
            let filter = EventFilter {
                kind: with(0).then_some([Kind::Contact, Kind::Sms][set as usize / 2 % 2]),
                order_key: with(1).then(|| order_key(i64::from(set))),
                since,
                until,
            };
            store.list_events(company, filter.clone(), page).await.unwrap();
            let heads = store.list_event_heads(company, filter, page).await.unwrap();
            let ids = heads.items.iter().map(|event| event.id).collect();
            store.small_events(company, ids).await.unwrap();
        }
    }
    store
        .explain_subscriptions(COMPANY, first, None, page)
        .await
        .unwrap_err();
    store.list_suspensions(None, NOON).await.unwrap();
    store.lasting_outages(None).await.unwrap();
    store.outages_of(FAILING, 9).await.unwrap();
    let dead = DeadLetterFilter::default();
    for filter in [
        dead,
        DeadLetterFilter {
            webhook_id: Some(FAILING),
            failure: Some(Failure::Status(503)),
            kind: Some(Kind::Contact),
            since: Some(NOON.minus(Duration::from_secs(86_300))),
            until: Some(NOON),
        },
    ] {
        store
            .dead_letter_groups(COMPANY, filter, 50, 1_000)
            .await
            .unwrap();
        store.dead_letters(COMPANY, filter, page).await.unwrap();
    }
    let ids = store.dead_letters(COMPANY, dead, page).await.unwrap();
    let ids: Vec<_> = ids.items.iter().map(|delivery| delivery.id).collect();
    assert_eq!(ids.len(), 50, "there are some");
    store
        .dismiss_dead_letters(COMPANY, ids.clone(), world.now)
        .await
        .unwrap();
    store
        .progress_of(vec![DeliveryId(first_id_at(NOON))])
        .await
        .unwrap();
    for filter in [
        ReplayFilter::default(),
        ReplayFilter {
            kind: Some(Kind::Contact),
            ..ReplayFilter::default()
        },
        ReplayFilter {
            order_key: Some(order_key(3)),
            ..ReplayFilter::default()
        },
        ReplayFilter {
            dead_letters: true,
            failure: Some(Failure::Status(503)),
            ..ReplayFilter::default()
        },
    ] {
        let replay = world.replay(filter, Destination::Webhook(FAILING));
        world.select(&replay, EventId(0), 1_000, 100).await;
    }
    let slice = PayloadSlice {
        company_id: COMPANY,
        after: None,
        limit: 500,
    };
    store.drop_payloads(slice, NOON).await.unwrap();
    let slice = ErasureSlice {
        company_id: COMPANY,
        number: "+15551234567".parse().unwrap(),
        after: None,
        limit: 500,
        extent: ErasureExtent::Count,
    };
    store.erase_number(slice, NOON).await.unwrap();
    let slice = RemovalSlice {
        after: None,
        before: NOON.minus(Duration::from_secs(86_390)),
        limit: 500,
        bytes: 1 << 20,
    };
    store.remove_events(slice).await.unwrap();
    store.cancel_deliveries_of(FAILING, world.now, 100).await.unwrap();
    store
        .cancel_delivery(COMPANY, DeliveryId(first_id_at(NOON)), world.now)
        .await
        .unwrap_err();
}

/// Judges what the log says of statements since it was so long; answers how long it is now.
fn check(cluster: &Cluster, since: usize, bound: Bound, analyzed: Analyzed) -> usize {
    let log = cluster.log().unwrap();
    let plans: Vec<_> = log[since..].match_indices("plan:\n").collect();
    assert!(plans.len() > 20, "the server tells its plans: {}", &log[since..]);
    let mut too_many = String::new();
    for (at, _) in plans {
        let text = &log[since + at + "plan:\n".len()..];
        let plan = serde_json::Deserializer::from_str(text)
            .into_iter::<Value>()
            .next();
        let plan = plan.expect("a plan follows").expect("it is JSON");
        let root = &plan["Plan"];
        let met = Bound {
            rows: rows_met(root),
            blocks: number(root, "Shared Hit Blocks") + number(root, "Shared Read Blocks"),
        };
        if met.rows > bound.rows || met.blocks > bound.blocks {
            too_many.push_str(&format!("{met:?}: {}\n{}\n", plan["Query Text"], outline(root)));
        }
    }
    assert!(
        too_many.is_empty(),
        "{bound:?} is allowed; with statistics from {analyzed:?} there are\n{too_many}"
    );
    log.len()
}

/// The rows that a plan and those below it took from tables, those included that it then left out.
fn rows_met(node: &Value) -> u64 {
    let own = if node["Relation Name"].is_string() {
        let left_out = [
            "Rows Removed by Filter",
            "Rows Removed by Index Recheck",
            "Rows Removed by Join Filter",
        ];
        let left_out: u64 = left_out.iter().map(|name| number(node, name)).sum();
        (number(node, "Actual Rows") + left_out) * number(node, "Actual Loops")
    } else {
        0
    };
    let below = node["Plans"].as_array().into_iter().flatten();
    own + below.map(rows_met).sum::<u64>()
}

fn number(node: &Value, name: &str) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of rows or blocks; an average of rows may have a fraction"
    )]
    node[name].as_f64().map_or(0, |number| number.ceil() as u64)
}

/// Nodes of a plan, from the outside in.
fn outline(node: &Value) -> String {
    let told = ["Node Type", "Index Name", "Index Cond", "Filter"]
        .map(|name| node[name].as_str().unwrap_or_default());
    let below = node["Plans"].as_array().into_iter().flatten();
    format!("[{}]", told.join(" ")) + &below.map(outline).collect::<String>()
}
