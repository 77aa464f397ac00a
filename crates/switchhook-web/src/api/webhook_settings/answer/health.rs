//! Health of a webhook in answers.

use serde::{Deserialize, Serialize};
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::Failure;
use switchhook_domain::history::Counts;
use switchhook_domain::outage::Outage;
use switchhook_domain::webhook::{Condition, Webhook};
use switchhook_node::Node;
use switchhook_node::health::{self, Health, Waiting};
use switchhook_node::history::Rates;
use switchhook_node::visibility::Visibility;
use switchhook_store::StoreError;
use utoipa::ToSchema;

use switchhook_ingress::id::IdText;
use switchhook_ingress::words;

/// Health of a webhook: the same on every node, and in the same words as on the dashboard and from the commands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct HealthAnswer {
    #[schema(schema_with = words::condition)]
    pub condition: Condition,
    /// Time since which it is in this condition, in unix milliseconds; null if nothing is wrong or that is unknown.
    #[schema(value_type = Option<i64>, required)]
    pub since: Option<Timestamp>,
    /// The condition in sentences.
    #[schema(example = "The webhook is sent every event that its subscriptions ask for.")]
    pub text: String,
    /// The attempts that failed in a row; null unless the webhook fails.
    #[schema(required)]
    pub failures: Option<FailuresAnswer>,
    /// Time of the next attempt although the webhook is paused by failures, in unix milliseconds; null otherwise.
    /// `POST /v1/webhooks/{id}/retry` makes one at once.
    #[schema(value_type = Option<i64>, required)]
    pub next_try_at: Option<Timestamp>,
    pub waiting: WaitingAnswer,
    /// Attempts of the last 60 minutes.
    pub last_hour: RecentAnswer,
    /// Attempts of the last 24 hours, by whole hours.
    pub last_day: RecentAnswer,
}

/// Recent attempts to a webhook.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RecentAnswer {
    /// Share of attempts that succeeded, from 0 to 1; null if there were none.
    #[schema(required, example = 1.0)]
    pub success_rate: Option<f64>,
    /// 95th percentile of the time from acceptance to delivery, in milliseconds; null if nothing was delivered.
    #[schema(required, example = 11.3)]
    pub p95_ms: Option<f64>,
}

/// The attempts to a webhook that failed in a row.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FailuresAnswer {
    /// Number of attempts.
    pub attempts: u32,
    /// End of the last attempt, in unix milliseconds.
    #[schema(value_type = i64)]
    pub last_at: Timestamp,
    /// The HTTP status of its answer; null if no answer came.
    #[schema(required, example = 500)]
    pub last_status: Option<u16>,
    /// Reason for which no answer came: `dns`, `connect_timeout`, `tls` and the like; null if one did.
    #[schema(required)]
    pub last_error: Option<String>,
    /// The first line of the answer, or why none came; null if there is nothing to show, or the key may not see it.
    #[schema(required)]
    pub last_line: Option<String>,
    /// The delivery that it was an attempt of.
    pub last_delivery_id: IdText,
}

/// The deliveries that wait for a webhook, those under way included.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WaitingAnswer {
    /// Count, up to {most-waiting-counted}, in lists up to {most-waiting-counted-in-lists}.
    pub count: u32,
    /// True if there may be more than were counted.
    pub more: bool,
    /// Creation of the oldest of them, in unix milliseconds; null if none waits.
    #[schema(value_type = Option<i64>, required)]
    pub oldest_at: Option<Timestamp>,
}

impl HealthAnswer {
    /// Health as this reader may see it.
    pub(in crate::api) async fn of(
        node: &Node,
        visibility: Visibility,
        webhook: &Webhook,
        health: Health,
        rates: &Rates,
    ) -> Result<Self, StoreError> {
        let failures = match &health.outage {
            Some(outage) => {
                let line = health::last_line(node, visibility, webhook, outage).await?;
                Some(FailuresAnswer::of(outage, line))
            }
            None => None,
        };
        Ok(Self {
            condition: health.condition,
            since: health.since,
            text: health.text,
            failures,
            next_try_at: health.next_try_at,
            waiting: health.waiting.into(),
            last_hour: RecentAnswer::of(&rates.hour),
            last_day: RecentAnswer::of(&rates.day),
        })
    }
}

impl RecentAnswer {
    fn of(counts: &Counts) -> Self {
        Self {
            success_rate: counts.success(),
            p95_ms: counts.latencies.percentile(0.95),
        }
    }
}

impl FailuresAnswer {
    fn of(outage: &Outage, last_line: Option<String>) -> Self {
        let last = &outage.last;
        let (status, reason) = last.failure.map_or((None, None), Failure::parts);
        Self {
            attempts: outage.attempts,
            last_at: last.at,
            last_status: status,
            last_error: reason.map(|reason| reason.as_str().to_owned()),
            last_line,
            last_delivery_id: IdText(last.delivery_id.0),
        }
    }
}

impl From<Waiting> for WaitingAnswer {
    fn from(waiting: Waiting) -> Self {
        Self {
            count: waiting.count,
            more: waiting.is_more,
            oldest_at: waiting.oldest_at,
        }
    }
}
