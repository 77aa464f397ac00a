//! PostgreSQL stalls for longer and shorter than a lease: afterwards everything goes out soon. The leases are shorter than a
//! server allows, because they end by PostgreSQL's clock, which no test moves. The simulation stalls a store in virtual time.

use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::webhook::WebhookSettings;
use switchhook_store::StoreOptions;
use switchhook_store::postgres::PostgresStore;
use switchhook_store::postgres::cluster::{self, Cluster, Ending};
use tokio::time::Instant;

use super::crew::until;
use crate::support::postgres;
use crate::support::rig::{Reaction, Rig, START};
use crate::support::stall::{Load, missing, settings};

const LEASE: Duration = Duration::from_millis(600);

/// Lengths of stalls, in quarters of a lease: less than a lease and more. The simulation tries more, in virtual time.
const QUARTERS: [u32; 2] = [2, 6];

/// Cause of a stall.
#[derive(Debug, Clone, Copy)]
enum Stall {
    /// Another session has a lock on the table.
    Lock,
    /// Its processes do not run.
    Stop,
    /// It has crashed, and comes back.
    Restart,
}

impl Stall {
    async fn last(self, server: &mut Cluster, url: &str, time: Duration) {
        match self {
            Self::Lock => {
                let url = url.to_owned();
                let locking = tokio::task::spawn_blocking(move || cluster::lock_deliveries(&url, time));
                let locked = locking.await.expect("it does not panic");
                locked.expect("the lock is got");
            }
            Self::Stop => {
                let frozen = tokio::task::block_in_place(|| cluster::freeze(url));
                tokio::time::sleep(time).await;
                drop(frozen.expect("its processes are known"));
            }
            Self::Restart => {
                let stopped = tokio::task::block_in_place(|| server.stop(Ending::Crash));
                stopped.expect("the server stops");
                tokio::time::sleep(time).await;
                let started = tokio::task::block_in_place(|| server.start_again());
                started.expect("the server comes back");
            }
        }
    }
}

async fn nodes(url: &str, count: usize) -> Vec<Arc<Rig>> {
    let started = Instant::now();
    let clock = move || -> Timestamp { START.plus(started.elapsed()) };
    let clock = Arc::new(clock);
    let mut rigs = Vec::new();
    for _ in 0..count {
        let store = PostgresStore::open(url, StoreOptions::owner(clock())).expect("the store opens");
        let slow = |_: &_| Reaction::Slowly(200, Duration::from_millis(90));
        let rig = Rig::with_clock(store, settings(LEASE), Arc::clone(&clock) as _, slow).await;
        if rigs.is_empty() {
            rig.webhook(WebhookSettings::default()).await;
        }
        rigs.push(Arc::new(rig));
    }
    rigs
}

async fn check(stall: Stall, count: usize) {
    let Some(mut server) = postgres::own_server() else {
        return;
    };
    let url = cluster::create_database(&server.url("postgres"), "stalls").expect("a database is made");
    let rigs = nodes(&url, count).await;
    for quarters in QUARTERS {
        let load = Load::start(&rigs, Duration::from_millis(100));
        until("the acknowledgement of events", || async { load.count() > 60 }).await;
        let time = LEASE * quarters / 4;
        stall.last(&mut server, &url, time).await;
        let before = load.count();
        until("the acknowledgement of more", || async {
            load.count() > before + 60
        })
        .await;
        let acknowledged = load.end().await;
        until("the arrival of everything", || async {
            missing(&rigs, &acknowledged) == 0
        })
        .await;
    }
    for rig in rigs {
        rig.store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_lock_on_the_table_one_node_sends_everything() {
    check(Stall::Lock, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_lock_on_the_table_three_nodes_send_everything() {
    check(Stall::Lock, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_postgresql_stood_still_one_node_sends_everything() {
    check(Stall::Stop, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_postgresql_stood_still_three_nodes_send_everything() {
    check(Stall::Stop, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_of_postgresql_one_node_sends_everything() {
    check(Stall::Restart, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_of_postgresql_three_nodes_send_everything() {
    check(Stall::Restart, 3).await;
}
