//! A store that stalls for longer and shorter than a lease, in virtual time: afterwards everything goes out soon, and nothing
//! is claimed and given back without end.

use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::webhook::WebhookSettings;
use switchhook_store::sqlite::SqliteStore;
use switchhook_store::{Store, StoreOptions};

use crate::support::faulty_store::{Fault, FaultyStore};
use crate::support::rig::{Reaction, Rig, START};
use crate::support::stall::{Load, QUARTERS, missing, settings};

/// Time after a stall by which everything has gone out.
const SOON: Duration = Duration::from_secs(30);

async fn check(lease: Duration, stall: Duration, fault: Fault) {
    let inner = SqliteStore::in_memory(StoreOptions::owner(START)).expect("a store in memory opens");
    let store = FaultyStore::around(inner);
    let slow = |_: &_| Reaction::Slowly(200, Duration::from_secs(1));
    let rig = Rig::on(Arc::clone(&store) as Arc<dyn Store>, settings(lease), slow).await;
    rig.webhook(WebhookSettings::default()).await;
    let rigs = [Arc::new(rig)];
    let load = Load::start(&rigs, Duration::from_millis(500));
    rigs[0].wait(Duration::from_secs(10)).await;
    store.set_fault(Some(fault.clone()));
    rigs[0].wait(stall).await;
    store.set_fault(None);
    rigs[0].wait(Duration::from_secs(5)).await;
    let acknowledged = load.end().await;
    // What was kept without an answer goes out too, as fast as it had come.
    rigs[0].wait(SOON + stall).await;
    let case = format!("{fault:?} for {stall:?} with a lease of {lease:?}");
    assert!(acknowledged.len() > 500, "{case}: {}", acknowledged.len());
    assert_eq!(missing(&rigs, &acknowledged), 0, "{case}");
    let (released, sent) = (store.released(), rigs[0].network.seen().len());
    assert!(
        released <= 2 * sent,
        "{case}: {released} claims were given back, {sent} sent"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_stall_of_the_store_everything_goes_out_soon() {
    for lease in [25, 60].map(Duration::from_secs) {
        for quarters in QUARTERS {
            let faults = [
                Fault::Waits,
                Fault::Fails("it is gone".to_owned()),
                Fault::LosesAnswers,
            ];
            for fault in faults {
                check(lease, lease * quarters / 4, fault).await;
            }
        }
    }
}
