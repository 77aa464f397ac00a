//! Events of the simulated company, submitted like any other.

use std::sync::Arc;

use bytes::Bytes;
use switchhook_domain::id::CompanyId;
use switchhook_simulator::{Faults, FaultyStream, Rate, Simulation};
use tracing::warn;

use switchhook_node::Node;
use switchhook_node::ingest::{self, Submission};
use switchhook_node::pace::{Paced, Speed};

/// Events recorded in one commit.
const MOST_AT_ONCE: usize = 200;

/// Simulates a company in real time, with about `rate` events per second, until it is dropped.
pub(super) async fn run(node: Arc<Node>, company_id: CompanyId, seed: u64, rate: f64) {
    let start = node.clock.now();
    let company = Simulation::builder(seed, start)
        .rate(Rate::per_hour((rate * 3_600.0).round() as u64))
        .build();
    let events = FaultyStream::new(company, Faults::none(), seed);
    let mut paced = Paced::new(events, start, Speed::Times(1));
    while let Some(due) = paced.next_due(MOST_AT_ONCE).await {
        let submissions = due.into_iter().map(|sending| Submission {
            company_id,
            kind: sending.event.kind,
            body: Bytes::from(sending.event.body),
            idempotency_key: None,
        });
        match ingest::accept_many(&node, submissions.collect()).await {
            Ok(outcomes) => {
                for rejected in outcomes.into_iter().filter_map(Result::err) {
                    warn!(error = %rejected, "a simulated event was not accepted");
                }
            }
            Err(error) => warn!(%error, "simulated events were not stored"),
        }
    }
}
