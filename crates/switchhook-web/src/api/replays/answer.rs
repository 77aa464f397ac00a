//! Replays as the API shows them, and as whoever asks it reads them.

use serde::{Deserialize, Serialize};
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::Failure;
use switchhook_domain::credential::shown_url;
use switchhook_domain::id::EventId;
use switchhook_domain::replay::{
    Destination, Estimate, Replay, ReplayFilter, ReplayState, ReplayStateName, Tally,
};
use utoipa::ToSchema;

use switchhook_ingress::id::IdText;
use switchhook_ingress::words;
use switchhook_node::mask::Mask;

/// A replay.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReplayAnswer {
    pub id: IdText,
    /// `running`, `finished`, `cancelled` or `failed`. It is finished when each of its deliveries has ended.
    #[schema(schema_with = words::replay_state)]
    pub state: ReplayStateName,
    /// Reason for which it failed.
    #[schema(required)]
    pub reason: Option<String>,
    pub filter: FilterAnswer,
    /// Destination of everything; null if each event goes to the webhooks that it went to at first.
    #[schema(required)]
    pub to: Option<ToAnswer>,
    /// Maximum events per second; null for as fast as the receiver takes them.
    #[schema(required)]
    pub rate: Option<f64>,
    pub progress: ProgressAnswer,
    /// Expected end at the present pace, in unix milliseconds; null if it cannot be told.
    #[schema(value_type = Option<i64>, required)]
    pub eta: Option<Timestamp>,
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
    /// Time at which it reached its final state, in unix milliseconds; null while it is running.
    #[schema(value_type = Option<i64>, required)]
    pub ended_at: Option<Timestamp>,
}

/// Filter for events. Absent members narrow nothing.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FilterAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ids: Option<Vec<IdText>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::kept_kind, required = false)]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub order_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    pub since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    pub until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub webhook_id: Option<IdText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::state, required = false)]
    pub state: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub not_delivered: bool,
    /// True if it sends dead letters again: see `POST /v1/dead-letters/resend`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub dead_letters: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::failure, required = false)]
    pub failure: Option<Failure>,
}

/// Destination of everything.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToAnswer {
    /// A webhook.
    WebhookId(IdText),
    /// URL that is not a registered webhook's.
    Url(String),
}

/// Progress of a replay.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ProgressAnswer {
    /// Number of deliveries that it will make.
    pub total: u64,
    /// True if that was counted; otherwise it is an estimate.
    pub total_is_exact: bool,
    /// Number of events scanned.
    pub scanned: u64,
    /// Number of deliveries made.
    pub created: u64,
    /// Deliveries not made, because their webhook or event is gone.
    pub skipped: u64,
    /// Number of those made that have not ended yet.
    pub pending: u64,
    pub delivered: u64,
    pub exhausted: u64,
    pub cancelled: u64,
}

/// Result of a dry run.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DryRunAnswer {
    /// Always true.
    pub dry_run: bool,
    /// Number of deliveries that it would make.
    pub total: u64,
    /// True if all events were scanned; otherwise the total is an estimate.
    pub total_is_exact: bool,
    /// Number of events scanned.
    pub scanned: u64,
    /// Deliveries that it could not make, because their webhook is gone.
    pub skipped: u64,
}

impl ReplayAnswer {
    pub(super) fn of(replay: &Replay, now: Timestamp, mask: Mask) -> Self {
        let reason = match &replay.state {
            ReplayState::Failed { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        Self {
            id: IdText(replay.id.0),
            state: replay.state.name(),
            reason,
            filter: FilterAnswer::of(&replay.filter, mask),
            to: match &replay.to {
                Destination::Origins => None,
                Destination::Webhook(id) => Some(ToAnswer::WebhookId(IdText(id.0))),
                Destination::Url { url, .. } => Some(ToAnswer::Url(shown_url(url).into_owned())),
            },
            rate: replay.rate,
            progress: ProgressAnswer::of(replay),
            eta: replay.expected_end(now),
            created_at: replay.created_at,
            ended_at: replay.state.ended_at(),
        }
    }
}

impl DryRunAnswer {
    pub(crate) fn of(tally: Tally) -> Self {
        let Estimate { total, is_exact } = Estimate::of(tally);
        Self {
            dry_run: true,
            total,
            total_is_exact: is_exact,
            scanned: tally.scanned,
            skipped: tally.skipped,
        }
    }
}

impl FilterAnswer {
    fn of(filter: &ReplayFilter, mask: Mask) -> Self {
        let ids = |ids: &Vec<_>| ids.iter().map(|id: &EventId| IdText(id.0)).collect();
        Self {
            ids: filter.ids.as_ref().map(ids),
            kind: filter.kind.map(|kind| kind.route().to_owned()),
            order_key: filter
                .order_key
                .as_ref()
                .map(|key| mask.id(key.as_str()).into_owned()),
            since: filter.since,
            until: filter.until,
            webhook_id: filter.webhook_id.map(|id| IdText(id.0)),
            state: filter.state.map(|state| state.as_str().to_owned()),
            not_delivered: filter.not_delivered,
            dead_letters: filter.dead_letters,
            failure: filter.failure,
        }
    }
}

impl ProgressAnswer {
    fn of(replay: &Replay) -> Self {
        let Estimate { total, is_exact } = replay.total();
        let progress = replay.progress;
        Self {
            total,
            total_is_exact: is_exact,
            scanned: progress.scanned,
            created: progress.created,
            skipped: progress.skipped,
            pending: progress.pending(),
            delivered: progress.delivered,
            exhausted: progress.exhausted,
            cancelled: progress.cancelled,
        }
    }
}
