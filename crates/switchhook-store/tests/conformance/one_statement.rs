//! Batches that are one statement on PostgreSQL, and users who may not have the functions for it.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_store::{HandedOver, NewEvent, Recorded, StoreError};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::fixture::Postgres;
use crate::postgres;
use crate::samples::{COMPANY, order_key};
use crate::world::{Effect, World};

/// Calls follow each other, meet earlier ones and repeat keys, so that batches go both ways.
async fn all_ends_well(world: &mut World) {
    let hook = world.webhook().await;
    for call in 0..40 {
        world.effects();
        let first = world.send(call, hook).await;
        assert_eq!(world.effects(), [Effect::Claimed(first, 1)]);
        let behind = world.leave(call, hook).await;
        assert!(world.succeed(first, 1).await);
        assert!(matches!(
            world.state(first).await,
            DeliveryState::Delivered { .. }
        ));
        assert_eq!(world.attempts(first).await.len(), 1);
        assert!(!world.succeed(first, 1).await, "an attempt ends once");
        let told = world.handed_over();
        let is_due = |one: &HandedOver| matches!(one, HandedOver::Due { .. });
        assert!(told.iter().any(is_due), "{call}: {told:?}");
        world.claim(hook, 1).await;
        assert_eq!(world.the_claimed().delivery.id, behind);
        assert!(world.fail(behind, 1, 5).await);
        assert_eq!(world.state(behind).await.name().as_str(), "pending");
    }
    // Several of one order queue in one batch.
    let mut events = Vec::new();
    for _ in 0..3 {
        let mut event = world.event();
        event.order_key = Some(order_key(77));
        event.deliveries = vec![world.claimed(hook)];
        events.push(event);
    }
    let ids: Vec<DeliveryId> = events.iter().map(|event| event.deliveries[0].id).collect();
    world.effects();
    let kept = world.store.record_events(events).await.unwrap();
    assert_eq!(kept, [Recorded::Kept, Recorded::Kept, Recorded::Kept]);
    let claimed: Vec<_> = ids.iter().map(|id| Effect::Claimed(*id, 1)).collect();
    assert_eq!(world.effects(), claimed);
}

async fn execute(connection: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .unwrap();
}

/// Waits until a query has a row.
async fn until_there_is(connection: &mut PgConnection, query: &str) {
    while sqlx::raw_sql(AssertSqlSafe(query))
        .fetch_all(&mut *connection)
        .await
        .unwrap()
        .is_empty()
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn batches_of_one_statement_decide_as_others_do() {
    if !postgres::is_there() {
        return;
    }
    let mut world = World::new(Box::new(Postgres::new())).await;
    all_ends_well(&mut world).await;
    world.store.close().await;
}

#[tokio::test]
async fn a_user_who_may_make_no_functions_needs_none() {
    if !postgres::is_there() {
        return;
    }
    let database = postgres::new_database();
    let (server, name) = database.rsplit_once('/').unwrap();
    let (scheme, host) = server.split_once("://").unwrap();
    let host = host.split_once('@').map_or(host, |(_user, host)| host);
    let mut admin = PgConnection::connect(&database).await.unwrap();
    let sql = format!(
        "CREATE ROLE {name} LOGIN PASSWORD 'secret'; REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC; \
         GRANT ALL ON SCHEMA public TO {name}"
    );
    execute(&mut admin, sql).await;
    let url = format!("{scheme}://{name}:secret@{host}/{name}");
    let mut world = World::new(Box::new(Postgres::at(url))).await;
    all_ends_well(&mut world).await;
    world.store.close().await;
}

#[tokio::test]
async fn what_is_cancelled_while_its_attempt_is_written_ends_as_the_long_way_has_it() {
    if !postgres::is_there() {
        return;
    }
    let database = postgres::new_database();
    let world = World::new(Box::new(Postgres::at(database.clone()))).await;
    let hook = world.webhook().await;
    let id = world.send(1, hook).await;
    let mut other = PgConnection::connect(&database).await.unwrap();
    // Cancelled and erased by a transaction that is not committed yet when the attempt is.
    let sql = format!(
        "BEGIN; UPDATE events SET body = '', payload_removed_at = 1, payload_removed_for = 'erased'; \
         UPDATE deliveries SET state = 'cancelled', ended_at = 1, due_at = NULL WHERE id = {id}"
    );
    execute(&mut other, sql).await;
    let committing = async {
        let waiting = "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'";
        until_there_is(&mut other, waiting).await;
        execute(&mut other, "COMMIT".to_owned()).await;
    };
    let (is_in_time, ()) = tokio::join!(world.succeed(id, 1), committing);
    assert!(is_in_time);
    assert_eq!(world.state(id).await.name().as_str(), "cancelled");
    let attempts = world.attempts(id).await;
    let answer = attempts[0].answer.as_ref().unwrap();
    assert!(answer.body_head.is_empty(), "{answer:?}");
    assert_eq!(answer.headers.as_json(), "{}");
    world.store.close().await;
}

/// Passes connections on to the server of a database.
struct Relay {
    /// Leads through the relay.
    url: String,
    is_told: Arc<Notify>,
}

/// What happens to the connections that a relay has when it is told to; the server does not notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    /// The ends of all clients are dropped.
    Cut,
    /// Nothing is passed on any more.
    Hold,
}

impl Relay {
    /// Runs on a thread of its own: opening a store blocks its thread.
    fn to(database: &str, how: Break) -> Self {
        let (server, name) = database.rsplit_once('/').unwrap();
        let (before, address) = server.rsplit_once(['/', '@']).unwrap();
        let (address, separator) = (address.to_owned(), &server[before.len()..=before.len()]);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_told = Arc::new(Notify::new());
        let told = Arc::clone(&is_told);
        let passing_on = async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((mut client, _)) = listener.accept().await {
                #[expect(clippy::disallowed_methods, reason = "to the server of these tests")]
                let mut server = TcpStream::connect(&address).await.unwrap();
                let told = Arc::clone(&told);
                tokio::spawn(async move {
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        () = told.notified() => {
                            if how == Break::Cut {
                                drop(client);
                            }
                            std::future::pending::<()>().await;
                        }
                    }
                });
            }
        };
        std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(passing_on);
        });
        Self {
            url: format!("{before}{separator}127.0.0.1:{port}/{name}"),
            is_told,
        }
    }

    fn break_off(&self) {
        self.is_told.notify_waiters();
    }
}

/// Waits until somebody waits for a lock of the database.
async fn somebody_waits(other: &mut PgConnection) {
    let waiting = "SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database \
                   WHERE NOT granted AND locktype = 'advisory' AND datname = current_database()";
    until_there_is(other, waiting).await;
}

/// An event of the first order queue, with a delivery that is claimed.
fn claimed_event(world: &mut World, hook: WebhookId) -> NewEvent {
    NewEvent {
        order_key: Some(order_key(1)),
        deliveries: vec![world.claimed(hook)],
        ..world.event()
    }
}

/// Locks the first order queue until the connection commits.
async fn lock_first_queue(other: &mut PgConnection, hook: WebhookId) {
    let key = order_key(1);
    let lock = format!("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('{key}', {hook}))");
    execute(other, lock).await;
}

#[tokio::test]
async fn what_breaks_off_while_the_server_is_at_it_is_not_kept_afterwards() {
    if !postgres::is_there() {
        return;
    }
    let database = postgres::new_database();
    let relay = Relay::to(&database, Break::Cut);
    let mut world = World::new(Box::new(Postgres::at(relay.url.clone()))).await;
    let hook = world.webhook().await;
    let mut other = PgConnection::connect(&database).await.unwrap();
    let event = claimed_event(&mut world, hook);
    let event_id = event.id;
    lock_first_queue(&mut other, hook).await;
    let cutting = async {
        somebody_waits(&mut other).await;
        relay.break_off();
    };
    let (kept, ()) = tokio::join!(world.store.record_events(vec![event]), cutting);
    assert!(kept.is_err(), "{kept:?}");
    let told = world.handed_over();
    assert!(matches!(told[..], [HandedOver::Doubtful(_)]), "{told:?}");
    execute(&mut other, "COMMIT".to_owned()).await;
    world.send(1, hook).await;
    assert!(matches!(world.handed_over()[..], [HandedOver::Claimed(_)]));
    assert!(
        world.store.event(COMPANY, event_id).await.is_err(),
        "it is not kept"
    );
    world.store.close().await;
}

#[tokio::test]
async fn who_waits_for_a_lock_for_too_long_is_told_so() {
    if !postgres::is_there() {
        return;
    }
    let database = postgres::new_database();
    let mut other = PgConnection::connect(&database).await.unwrap();
    let (_, name) = database.rsplit_once('/').unwrap();
    execute(
        &mut other,
        format!("ALTER DATABASE {name} SET lock_timeout = '100ms'"),
    )
    .await;
    let mut world = World::new(Box::new(Postgres::at(database))).await;
    let hook = world.webhook().await;
    let event = claimed_event(&mut world, hook);
    lock_first_queue(&mut other, hook).await;
    let kept = world.store.record_events(vec![event.clone()]).await;
    let told = |error: &StoreError| error.to_string().contains("lock timeout");
    assert!(kept.as_ref().is_err_and(told), "{kept:?}");
    assert!(world.handed_over().is_empty(), "nothing was done");
    execute(&mut other, "COMMIT".to_owned()).await;
    assert_eq!(
        world.store.record_events(vec![event]).await.unwrap(),
        [Recorded::Kept]
    );
    world.store.close().await;
}

// It takes the 20 s: the store has a clock of its own.
#[tokio::test]
async fn a_statement_that_nobody_answers_may_be_kept_or_not() {
    if !postgres::is_there() {
        return;
    }
    let database = postgres::new_database();
    let relay = Relay::to(&database, Break::Hold);
    let mut world = World::new(Box::new(Postgres::at(relay.url.clone()))).await;
    let hook = world.webhook().await;
    let mut other = PgConnection::connect(&database).await.unwrap();
    let event = claimed_event(&mut world, hook);
    let event_id = event.id;
    lock_first_queue(&mut other, hook).await;
    let holding = async {
        somebody_waits(&mut other).await;
        relay.break_off();
        execute(&mut other, "COMMIT".to_owned()).await;
        let kept = format!("SELECT FROM events WHERE id = {event_id}");
        until_there_is(&mut other, &kept).await;
    };
    let (kept, ()) = tokio::join!(world.store.record_events(vec![event]), holding);
    let told = |error: &StoreError| error.to_string().contains("did not answer within 20 s");
    assert!(kept.as_ref().is_err_and(told), "{kept:?}");
    let told = world.handed_over();
    assert!(matches!(told[..], [HandedOver::Doubtful(_)]), "{told:?}");
    world.send(1, hook).await;
    assert!(world.store.event(COMPANY, event_id).await.is_ok(), "it was kept");
    world.store.close().await;
}
