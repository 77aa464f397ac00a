//! What came of the attempts over the last weeks, as the store has it: on every node the same, also after a restart.
//!
//! What is counted until it is there is `counters`, and how sums become the points of a chart is `switchhook_domain::history`;
//! the last quarter of an hour by seconds, on this node only, is `live`.

use std::collections::HashMap;
use std::time::Duration;

use switchhook_domain::history::{Counts, Point, Range, Resolution, Whose, points};
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::key::Right;
use switchhook_store::StoreError;

use crate::Node;
use crate::caller::Caller;
use crate::refusal::Refusal;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a webhook came to, or the whole company, step by step.
///
/// # Errors
/// If the caller may not; if there is no such webhook.
pub async fn of(
    node: &Node,
    caller: Caller,
    webhook_id: Option<WebhookId>,
    range: Range,
) -> Result<Vec<Point>, Refusal> {
    caller.require(Right::Read)?;
    let company_id = caller.company_id;
    let whose = match webhook_id {
        Some(id) => Whose::Webhook(company_id, node.store.webhook(company_id, id).await?.id),
        None => Whose::Company(company_id),
    };
    let whose = vec![Whose::Server, whose];
    let sums = node
        .store
        .history(whose, range.resolution(), range.from(), range.to())
        .await?;
    let (server, sums): (Vec<_>, Vec<_>) = sums.into_iter().partition(|sum| sum.whose == Whose::Server);
    Ok(points(range, &sums, &server, node.clock.now()))
}

/// What a webhook came to lately. Success and percentiles are [`Counts::success`] and [`Counts::latencies`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates {
    /// In the last 60 minutes.
    pub hour: Counts,
    /// In the last 24 hours; by whole hours, so up to 25.
    pub day: Counts,
}

/// What webhooks of the company came to lately; those that nothing was sent to have zeros.
///
/// # Errors
/// If the store cannot be read.
pub async fn rates(
    node: &Node,
    company_id: CompanyId,
    webhook_ids: &[WebhookId],
) -> Result<HashMap<WebhookId, Rates>, StoreError> {
    let now = node.clock.now();
    let whose: Vec<_> = webhook_ids
        .iter()
        .map(|id| Whose::Webhook(company_id, *id))
        .collect();
    let mut rates: HashMap<_, Rates> = webhook_ids.iter().map(|id| (*id, Rates::default())).collect();
    for (resolution, length) in [(Resolution::Minute, HOUR), (Resolution::Hour, DAY)] {
        let from = resolution.start_of(now.minus(length));
        let sums = node.store.history(whose.clone(), resolution, from, now);
        for sum in sums.await? {
            let Whose::Webhook(_, webhook_id) = sum.whose else {
                continue;
            };
            let rates = rates.entry(webhook_id).or_default();
            match resolution {
                Resolution::Minute => rates.hour.add(&sum.counts),
                Resolution::Hour => rates.day.add(&sum.counts),
            }
        }
    }
    Ok(rates)
}
