//! Gauges measured by asking the store: pending deliveries and their age, conditions of webhooks, disk space.
//! Counters are in `telemetry`.
//!
//! The cost does not depend on the backlog: counts end at a bound, and ages come from an index.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::id::WebhookId;
use switchhook_domain::outage::Outage;
use switchhook_domain::webhook::Condition;
use switchhook_store::{PendingCount, StoreError};
use tokio::time::Instant;
use tracing::warn;

use crate::Node;
use crate::telemetry::PendingReason;

/// Interval of measuring.
pub const MEASURE_EVERY: Duration = Duration::from_secs(15);

/// Interval of measuring the store's size, for which PostgreSQL scans its tables.
pub const SIZE_EVERY: Duration = Duration::from_secs(60);

/// Webhooks counted in one query.
const SLICE: u32 = 100;

/// Bound on the pending deliveries counted per webhook, separately for due and later ones.
pub const MOST_OF_WEBHOOK: u32 = 10_000;

/// Bound on all deliveries counted. Further webhooks are left out.
pub const MOST: u64 = 100_000;

/// Measures for as long as it is polled.
pub async fn run(node: Arc<Node>) {
    let mut gauges = Gauges::default();
    let mut is_failing = false;
    loop {
        let measured = gauges.measure(&node).await;
        if let Err(error) = &measured
            && !is_failing
        {
            warn!(%error, "the store could not be measured: some metrics keep their last values");
        }
        is_failing = measured.is_err();
        tokio::time::sleep(MEASURE_EVERY).await;
    }
}

/// State kept from one measurement to the next.
#[derive(Debug, Default)]
pub struct Gauges {
    sized_at: Option<Instant>,
}

impl Gauges {
    /// Measures once.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn measure(&mut self, node: &Node) -> Result<(), StoreError> {
        let oldest = node.store.oldest_undelivered().await?;
        let age = oldest.map_or(Duration::ZERO, |made_at| node.clock.now().since(made_at));
        node.telemetry.oldest_undelivered(age);
        let pending = count_pending(node).await?;
        report_pending(node, &pending);
        report_webhooks(node).await?;
        node.telemetry.choose_single_webhooks(&pending);
        if self.sized_at.is_none_or(|at| at.elapsed() >= SIZE_EVERY) {
            node.telemetry.store_size(node.store.size().await?);
            self.sized_at = Some(Instant::now());
        }
        Ok(())
    }
}

/// Pending deliveries per webhook, up to the bounds.
async fn count_pending(node: &Node) -> Result<Vec<PendingCount>, StoreError> {
    let mut counts = Vec::new();
    let (mut after, mut sum) = (None, 0);
    while sum < MOST {
        let page = node.store.pending_webhooks(after, SLICE).await?;
        let webhook_ids: Vec<WebhookId> = page.iter().map(|pending| pending.webhook_id).collect();
        after = webhook_ids.last().copied();
        let is_last = webhook_ids.len() < SLICE as usize;
        let slice = node
            .store
            .count_pending(webhook_ids, node.clock.now(), MOST_OF_WEBHOOK)
            .await?;
        sum += slice.iter().map(|count| count.due + count.later).sum::<u64>();
        counts.extend(slice);
        if is_last {
            break;
        }
    }
    Ok(counts)
}

fn report_pending(node: &Node, pending: &[PendingCount]) {
    let mut sums = [0; PendingReason::ALL.len()];
    let now = node.clock.now();
    for count in pending {
        let reason = node
            .registry
            .destination(count.webhook_id)
            .and_then(|destination| {
                if destination.webhook.is_paused() {
                    Some(PendingReason::Paused)
                } else if destination.quiet_until(now).is_some() {
                    Some(PendingReason::Quiet)
                } else {
                    let is_open = destination.breaker().is_open();
                    is_open.then_some(PendingReason::Breaker)
                }
            });
        match reason {
            Some(reason) => sums[reason as usize] += count.due + count.later,
            None => {
                sums[PendingReason::Due as usize] += count.due;
                sums[PendingReason::Later as usize] += count.later;
            }
        }
    }
    node.telemetry.pending(sums);
}

/// Sets the number of webhooks in each condition, including those of running replays.
async fn report_webhooks(node: &Node) -> Result<(), StoreError> {
    let lasting = node.store.lasting_outages(None).await?;
    let outages: HashMap<WebhookId, Outage> = lasting.into_iter().collect();
    let mut sums = [0; Condition::ALL.len()];
    for company_id in node.registry.company_ids() {
        let subscribed = node.registry.subscribed_webhooks(company_id);
        for destination in node.registry.destinations_of(company_id) {
            let webhook = &destination.webhook;
            let outage = outages.get(&webhook.id);
            let is_subscribed = subscribed.contains(&webhook.id);
            let condition = Condition::of(webhook, destination.breaker(), outage, is_subscribed);
            sums[condition as usize] += 1;
        }
    }
    node.telemetry.webhooks(sums);
    Ok(())
}
