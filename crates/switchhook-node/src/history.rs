//! Attempts over the last weeks, from the store: the same on every node, and after a restart.
//!
//! Counts not yet stored are `counters`; sums become the points of a chart in `switchhook_domain::history`; the last
//! quarter of an hour by seconds, on this node only, is `live`.

use std::collections::HashMap;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::history::{Counts, Granularity, HistorySubject, Point, Range, points};
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::key::Right;
use switchhook_store::StoreError;

use crate::Node;
use crate::caller::Caller;
use crate::duration::show_duration;
use crate::refusal::Refusal;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Attempts over time.
#[derive(Debug)]
pub struct History {
    pub points: Vec<Point>,
    /// First failure of the webhook's outage; `None` if none lasts, and for a company.
    pub failing_since: Option<Timestamp>,
}

/// History of a webhook, or of the whole company, in steps.
///
/// # Errors
/// If the caller may not, or there is no such webhook.
pub async fn of(
    node: &Node,
    caller: Caller,
    webhook_id: Option<WebhookId>,
    range: Range,
) -> Result<History, Refusal> {
    caller.require(Right::Read)?;
    let company_id = caller.company_id;
    let subject = match webhook_id {
        Some(id) => HistorySubject::Webhook(company_id, node.store.webhook(company_id, id).await?.id),
        None => HistorySubject::Company(company_id),
    };
    let subject = vec![HistorySubject::Server, subject];
    let sums = node
        .store
        .history(subject, range.resolution(), range.from(), range.to())
        .await?;
    let (server, sums): (Vec<_>, Vec<_>) = sums
        .into_iter()
        .partition(|sum| sum.subject == HistorySubject::Server);
    let outages = match webhook_id {
        Some(_) => node.store.lasting_outages(Some(company_id)).await?,
        None => Vec::new(),
    };
    let outage = outages.into_iter().find(|(id, _)| Some(*id) == webhook_id);
    Ok(History {
        points: points(range, &sums, &server, node.clock.now()),
        failing_since: outage.map(|(_, outage)| outage.since),
    })
}

/// Recent attempts of a webhook. Success and percentiles are [`Counts::success`] and [`Counts::latencies`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates {
    /// In the last 60 minutes.
    pub hour: Counts,
    /// In the last 24 hours; by whole hours, so up to 25.
    pub day: Counts,
}

/// Success rate and latency in words, from the share that succeeded and the 95th percentile in milliseconds; `None`
/// without attempts.
#[must_use]
pub fn in_words(success: Option<f64>, p95_ms: Option<f64>) -> Option<String> {
    let latency = p95_ms.map_or_else(String::new, |p95| {
        let p95 = Duration::try_from_secs_f64(p95.ceil() / 1_000.0).unwrap_or_default();
        format!(", 95 % within {}", show_duration(p95))
    });
    Some(format!("{} of attempts succeeded{latency}", percent(success?)))
}

/// A share in percent. What failed is not rounded away.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{} %", (share * 1_000.0).floor() / 10.0)
}

/// Recent attempts of webhooks; zeros for those without.
///
/// # Errors
/// If the store cannot be read.
pub async fn rates(
    node: &Node,
    company_id: CompanyId,
    webhook_ids: &[WebhookId],
) -> Result<HashMap<WebhookId, Rates>, StoreError> {
    let mut hours = of_last_hour(node, company_id, webhook_ids).await?;
    let mut days = lately(node, company_id, webhook_ids, Granularity::Hour, DAY).await?;
    let rates = webhook_ids.iter().map(|id| {
        let hour = hours.remove(id).unwrap_or_default();
        let day = days.remove(id).unwrap_or_default();
        (*id, Rates { hour, day })
    });
    Ok(rates.collect())
}

/// Attempts of webhooks in the last 60 minutes, without those that had none.
///
/// # Errors
/// If the store cannot be read.
pub async fn of_last_hour(
    node: &Node,
    company_id: CompanyId,
    webhook_ids: &[WebhookId],
) -> Result<HashMap<WebhookId, Counts>, StoreError> {
    lately(node, company_id, webhook_ids, Granularity::Minute, HOUR).await
}

async fn lately(
    node: &Node,
    company_id: CompanyId,
    webhook_ids: &[WebhookId],
    resolution: Granularity,
    length: Duration,
) -> Result<HashMap<WebhookId, Counts>, StoreError> {
    let now = node.clock.now();
    let subject = webhook_ids
        .iter()
        .map(|id| HistorySubject::Webhook(company_id, *id));
    let from = resolution.start_of(now.minus(length));
    let sums = node
        .store
        .history(subject.collect(), resolution, from, now)
        .await?;
    let mut counts: HashMap<_, Counts> = HashMap::new();
    for sum in sums {
        if let HistorySubject::Webhook(_, webhook_id) = sum.subject {
            counts.entry(webhook_id).or_default().add(&sum.counts);
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_never_rounded_away() {
        assert_eq!(percent(0.999_99), "99.9 %");
        assert_eq!(in_words(None, None), None);
        let told = |success, p95| in_words(Some(success), p95).unwrap();
        assert_eq!(told(0.0, None), "0 % of attempts succeeded");
        assert_eq!(
            told(1.0, Some(1_499.2)),
            "100 % of attempts succeeded, 95 % within 1s 500ms"
        );
    }
}
