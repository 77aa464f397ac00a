//! The made-up company's events, put through the same door as everybody's.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use switchhook_domain::id::CompanyId;
use switchhook_simulator::Simulation;
use tracing::warn;

use crate::ingest::{self, Submission};
use crate::system::System;

/// Sends `rate` events a second until it is dropped.
pub(super) async fn run(system: Arc<System>, company_id: CompanyId, seed: u64, rate: f64) {
    let mut beat = tokio::time::interval(Duration::from_secs_f64(1.0 / rate.clamp(0.001, 100_000.0)));
    for event in Simulation::new(seed, system.clock.now()) {
        beat.tick().await;
        let submission = Submission {
            company_id,
            kind: event.kind,
            body: Bytes::from(event.body),
            idempotency_key: None,
        };
        if let Err(error) = ingest::accept(&system, submission).await {
            warn!(%error, "a simulated event was not accepted");
        }
    }
}
