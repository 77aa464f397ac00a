//! What is measured now and then by asking the store: how much is pending and for how long, how the webhooks do, how much
//! room there is. What is counted as it happens is `telemetry`.
//!
//! Measuring costs the same however much is pending: counts end at a bound, and ages are found by an index.

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

/// How often the store is asked.
const MEASURE_EVERY: Duration = Duration::from_secs(15);

/// How often it is asked how much room it takes, for which PostgreSQL looks into its tables.
const SIZE_EVERY: Duration = Duration::from_secs(60);

/// How many webhooks are counted for at once.
const SLICE: u32 = 100;

/// How many pending deliveries of a webhook are counted, of those due and of those not.
const MOST_OF_WEBHOOK: u32 = 10_000;

/// How many in all. The rest of the webhooks is not counted.
const MOST: u64 = 100_000;

/// Measures for as long as it is polled.
pub async fn run(node: Arc<Node>) {
    let mut gauges = Gauges::default();
    let mut is_failing = false;
    loop {
        let measured = gauges.measure(&node).await;
        if let Err(error) = &measured
            && !is_failing
        {
            warn!(%error, "the store could not be measured: some metrics are of earlier");
        }
        is_failing = measured.is_err();
        tokio::time::sleep(MEASURE_EVERY).await;
    }
}

/// What one measurement passes on to the next.
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
        tell_pending(node, &pending);
        tell_webhooks(node).await?;
        node.telemetry.choose_single_webhooks(&pending);
        if self.sized_at.is_none_or(|at| at.elapsed() >= SIZE_EVERY) {
            node.telemetry.store_size(node.store.size().await?);
            self.sized_at = Some(Instant::now());
        }
        Ok(())
    }
}

/// What is pending for each webhook, up to the bounds.
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

fn tell_pending(node: &Node, pending: &[PendingCount]) {
    let mut sums = [0; PendingReason::ALL.len()];
    let now = node.clock.now();
    for count in pending {
        let reason = node
            .registry
            .destination(count.webhook_id)
            .and_then(|destination| {
                if destination.webhook.paused_at.is_some() || destination.webhook.disabled_at.is_some() {
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

/// How many webhooks are in each condition, those of running replays included.
async fn tell_webhooks(node: &Node) -> Result<(), StoreError> {
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
