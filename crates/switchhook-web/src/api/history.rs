//! `/v1/history`: what came of the attempts over the last weeks, step by step.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use switchhook_domain::Timestamp;
use switchhook_domain::history::{Counts, Point, Range};
use switchhook_domain::id::WebhookId;
use utoipa::ToSchema;

use super::SharedApi;
use super::auth::Reader;
use super::query::{Query, query};
use switchhook_ingress::error::ApiError;
use switchhook_node::history;

/// Default range.
const USUAL: Duration = Duration::from_secs(60 * 60);

query! {
    /// Webhook and period of a history.
    HistoryQuery {
        /// Webhook to narrow to; by default the company with all its webhooks.
        #[param(value_type = Option<String>)]
        webhook_id: WebhookId,
        /// Start of the period: RFC 3339 or unix milliseconds; by default an hour before `to`.
        #[param(value_type = Option<String>)]
        from: Timestamp,
        /// End of the period; by default now.
        #[param(value_type = Option<String>)]
        to: Timestamp,
        /// Shortest time that each point covers, in whole minutes (`1m`, `15m`, `1h`). It is longer if `from` is more than {minutes-kept}
        /// ago (whole hours) or there would be more than {most-points} points. By default there are at most about {usual-points}.
        #[param(value_type = Option<String>, example = "15m")]
        step: Duration,
    }
}

/// Attempts over time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HistoryAnswer {
    /// Start of the first point, in unix milliseconds: `from`, or the beginning of the step that it is in.
    #[schema(value_type = i64)]
    from: Timestamp,
    /// Latest end of the last point.
    #[schema(value_type = i64)]
    to: Timestamp,
    /// Length of each point's time, in seconds.
    #[schema(example = 60)]
    step: u64,
    /// Beginning of the webhook's outage, in unix milliseconds; null if it has none now, and for a company.
    #[schema(value_type = Option<i64>, required)]
    failing_since: Option<Timestamp>,
    /// Points, oldest first. The last one may be of a time that has not passed yet.
    points: Vec<PointAnswer>,
}

/// Attempts of one step. All but `at` is null if no server ran then.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PointAnswer {
    /// Start of the step, in unix milliseconds.
    #[schema(value_type = i64)]
    at: Timestamp,
    /// Events accepted; 0 for a webhook.
    #[schema(required)]
    accepted: Option<u64>,
    /// Attempts that succeeded.
    #[schema(required)]
    delivered: Option<u64>,
    /// Attempts that the receiver answered with an error.
    #[schema(required)]
    failed_answered: Option<u64>,
    /// Attempts that no answer came to.
    #[schema(required)]
    failed_unanswered: Option<u64>,
    /// Deliveries that were given up.
    #[schema(required)]
    exhausted: Option<u64>,
    /// Share of attempts that succeeded, from 0 to 1; null if there were none.
    #[schema(required)]
    success: Option<f64>,
    /// Median time from acceptance to delivery, in milliseconds, to within a factor of 1.4.
    #[schema(required)]
    p50_ms: Option<f64>,
    /// 95th percentile of that time.
    #[schema(required)]
    p95_ms: Option<f64>,
    /// 99th percentile of that time.
    #[schema(required)]
    p99_ms: Option<f64>,
}

/// Shows the results of the attempts to a webhook, or to all of the company's: their number, outcomes and times.
///
/// Counted by the minute for {minutes-kept} and by the hour for as long as `--retention-history` says, on all nodes together; the last
/// few seconds may be missing.
#[utoipa::path(
    get, path = "/v1/history", tag = "deliveries", operation_id = "history.get",
    params(HistoryQuery),
    responses((status = 200, description = "The counts and times of each step.", body = HistoryAnswer)),
)]
pub(crate) async fn get(
    State(api): State<SharedApi>,
    Reader(caller): Reader,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<HistoryAnswer>, ApiError> {
    let now = api.node.clock.now();
    let to = query.to.unwrap_or(now);
    let from = query.from.unwrap_or_else(|| to.minus(USUAL));
    let range = Range::new(from, to, query.step, now);
    let range = range.map_err(|uneven| ApiError::invalid(format!("step: {uneven}")))?;
    let history = history::of(&api.node, caller, query.webhook_id, range).await?;
    Ok(Json(HistoryAnswer {
        from: range.from(),
        to,
        step: range.step().as_secs(),
        failing_since: history.failing_since,
        points: history.points.into_iter().map(PointAnswer::from).collect(),
    }))
}

impl From<Point> for PointAnswer {
    fn from(point: Point) -> Self {
        let counts = point.counts.as_ref();
        let count = |count: fn(&Counts) -> u64| counts.map(count);
        let percentile = |share| counts.and_then(|counts| counts.latencies.percentile(share));
        Self {
            at: point.at,
            accepted: count(|counts| counts.accepted),
            delivered: count(|counts| counts.delivered),
            failed_answered: count(|counts| counts.failed_answered),
            failed_unanswered: count(|counts| counts.failed_unanswered),
            exhausted: count(|counts| counts.exhausted),
            success: counts.and_then(Counts::success),
            p50_ms: percentile(0.5),
            p95_ms: percentile(0.95),
            p99_ms: percentile(0.99),
        }
    }
}
