//! Nodes whose machines' clocks differ by more than a lease send nothing twice. The leases are shorter than a server allows,
//! because they end by PostgreSQL's clock, which no test moves.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::clock::{Clock, ClockAgreement};
use switchhook_domain::lease::Lease;
use switchhook_domain::webhook::WebhookSettings;
use switchhook_node::clock::{NodeClock, SystemClock, keep_measuring};
use switchhook_node::telemetry::Telemetry;
use switchhook_store::StoreOptions;
use switchhook_store::postgres::PostgresStore;

use super::crew::until;
use crate::support::postgres;
use crate::support::rig::{Reaction, Rig};
use crate::support::stall::{Load, missing, settings};

const LEASE: Duration = Duration::from_secs(2);

/// A node on a machine whose clock is off.
async fn node(url: &str, off_ms: i64) -> (Arc<Rig>, Arc<NodeClock>) {
    let machine = move || Timestamp::from_millis(SystemClock.now().as_millis() + off_ms);
    let clock = Arc::new(NodeClock::new(Arc::new(machine), Lease(LEASE)));
    let store = PostgresStore::open(url, StoreOptions::owner(clock.now())).expect("the store opens");
    clock.measure(&*store).await.expect("the store answers");
    // As long as an attempt may take at this lease, nearly.
    let slow = |_: &_| Reaction::Slowly(200, Duration::from_millis(1_200));
    let rig = Rig::with_clock(
        Arc::clone(&store) as _,
        settings(LEASE),
        Arc::clone(&clock) as _,
        slow,
    )
    .await;
    tokio::spawn(keep_measuring(Arc::clone(&clock), store, Telemetry::new()));
    (Arc::new(rig), clock)
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_whose_clocks_differ_by_more_than_a_lease_send_nothing_twice() {
    let Some(url) = postgres::new_database() else {
        return;
    };
    let (mut rigs, mut agreements) = (Vec::new(), Vec::new());
    for off_ms in [0, 2_500, -2_500] {
        let (rig, clock) = node(&url, off_ms).await;
        if rigs.is_empty() {
            let ordered = WebhookSettings {
                ordered: Some(false),
                max_in_flight: Some(600),
                ..WebhookSettings::default()
            };
            rig.webhook(ordered).await;
        }
        agreements.push(clock.agreement());
        rigs.push(rig);
    }
    let trouble: Vec<_> = agreements
        .iter()
        .map(|agreement| agreement.trouble(Lease(LEASE)).is_some())
        .collect();
    assert_eq!(trouble, [false, true, true], "{agreements:?}");
    assert!(
        agreements
            .iter()
            .all(|agreement| *agreement != ClockAgreement::Unknown)
    );
    let load = Load::start(&rigs, Duration::from_millis(150));
    until("the acknowledgement of events", || async { load.count() > 400 }).await;
    let acknowledged = load.end().await;
    until("the arrival of everything", || async {
        missing(&rigs, &acknowledged) == 0
    })
    .await;
    let mut times = HashMap::<_, u32>::new();
    for seen in rigs.iter().flat_map(|rig| rig.network.seen()) {
        *times.entry(seen.delivery_id).or_default() += 1;
    }
    let twice = times.values().filter(|times| **times > 1).count();
    assert_eq!(twice, 0, "of {}", times.len());
    for rig in rigs {
        rig.store.close().await;
    }
}
