//! Stalls of a store under load: calls of five events, a receiver that takes its time, and what must hold when the
//! store is back.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use switchhook_domain::Kind;
use switchhook_domain::lease::Lease;
use switchhook_domain::webhook::DeliveryDefaults;
use switchhook_node::ingest::{self, Submission};
use switchhook_node::settings::Settings;
use tokio::task::JoinHandle;

use super::rig::{COMPANY, Rig};

/// Lengths of stalls, in quarters of a lease.
pub(crate) const QUARTERS: [u32; 4] = [2, 4, 6, 12];

/// Number of senders.
const SENDERS: u64 = 30;

/// Settings of a node with this lease, however short.
pub(crate) fn settings(lease: Duration) -> Settings {
    Settings {
        lease,
        delivery: DeliveryDefaults {
            longest_attempt: Lease(lease).longest_attempt(),
            ..DeliveryDefaults::default()
        },
        ..Settings::default()
    }
}

/// Senders, and the deliveries that were acknowledged to them.
pub(crate) struct Load {
    acknowledged: Arc<Mutex<HashSet<i64>>>,
    is_over: Arc<AtomicBool>,
    senders: Vec<JoinHandle<()>>,
}

impl Load {
    /// Begins: each sender sends an event each `pause`, to the rigs in turn.
    pub(crate) fn start(rigs: &[Arc<Rig>], pause: Duration) -> Self {
        let (acknowledged, is_over) = (
            Arc::<Mutex<HashSet<i64>>>::default(),
            Arc::<AtomicBool>::default(),
        );
        let sender = |number: u64| {
            let (rigs, acknowledged, is_over) =
                (rigs.to_vec(), Arc::clone(&acknowledged), Arc::clone(&is_over));
            tokio::spawn(async move {
                for n in 0_u64.. {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let call = number * 1_000_000 + n / 5;
                    let rig = &rigs[usize::try_from(number + n).unwrap_or_default() % rigs.len()];
                    let deliveries = send(rig, call, n).await;
                    acknowledged.lock().extend(deliveries);
                    tokio::time::sleep(pause).await;
                }
            })
        };
        let senders = (0..SENDERS).map(sender).collect();
        Self {
            acknowledged,
            is_over,
            senders,
        }
    }

    /// Number of acknowledged events.
    pub(crate) fn count(&self) -> usize {
        self.acknowledged.lock().len()
    }

    /// Ends, and answers the deliveries that were acknowledged.
    pub(crate) async fn end(self) -> HashSet<i64> {
        self.is_over.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.await.expect("the senders do not panic");
        }
        self.acknowledged.lock().clone()
    }
}

async fn send(rig: &Rig, call: u64, n: u64) -> Vec<i64> {
    let submission = Submission {
        company_id: COMPANY,
        kind: Kind::Call,
        body: Bytes::from(format!(r#"{{"call_id":{call},"state":"hangup","n":{n}}}"#)),
        idempotency_key: None,
    };
    // What is refused was not acknowledged.
    let accepted = ingest::accept(&rig.node, submission).await;
    let deliveries = accepted.map(|accepted| accepted.deliveries).unwrap_or_default();
    deliveries.iter().map(|delivery| delivery.id.0).collect()
}

/// Deliveries of these that the networks of the rigs have not seen.
pub(crate) fn missing(rigs: &[Arc<Rig>], acknowledged: &HashSet<i64>) -> usize {
    let seen: HashSet<_> = rigs
        .iter()
        .flat_map(|rig| rig.network.seen())
        .map(|seen| seen.delivery_id)
        .collect();
    acknowledged.difference(&seen).count()
}
