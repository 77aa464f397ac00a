//! Replays: stored jobs that make new deliveries of old events. History is never rewritten.
//!
//! Owns what a replay is and what it selects. What it makes of a selected event is `replay/plan.rs`, how fast it goes
//! and how long it will take is `replay/pace.rs`. Who does the work is the server's.

use serde::{Deserialize, Serialize};
use switchhook_protocol::{Kind, Timestamp, spelled_enum};

use crate::attempt::Failure;
use crate::clearance::Clearance;
use crate::delivery::StateName;
use crate::id::{CompanyId, EventId, ReplayId, WebhookId, first_id_at};
use crate::order::OrderKey;
use crate::redaction::Hidden;

mod pace;
mod plan;
mod request;

pub use pace::{Estimate, HORIZON, Pace, Tally};
pub use plan::{Candidate, PastDelivery, PlannedDelivery};
pub use request::{InvalidReplay, LOWEST_RATE, MOST_NAMED, check_rate};

/// A stored job that makes new deliveries of old events.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// Its id. Events that were accepted later have larger ids and are none of its business.
    pub id: ReplayId,
    pub company_id: CompanyId,
    pub filter: ReplayFilter,
    pub to: Destination,
    /// Events a second at the most.
    pub rate: Option<f64>,
    /// Parts removed where no earlier delivery decides it; see [`Replay::plan`].
    pub hidden: Hidden,
    /// Clearance of the key that created it, beyond which it sends nothing.
    pub made_with: Clearance,
    /// Number of deliveries, as estimated at its creation.
    pub estimate: Estimate,
    /// The last event, or dead letter, that it has looked at; 0 before the first.
    pub cursor: EventId,
    /// True if it has scanned all events.
    pub is_all_created: bool,
    /// Earliest due time of its next delivery.
    pub next_due_at: Timestamp,
    pub progress: Progress,
    pub state: ReplayState,
    pub created_at: Timestamp,
}

/// Destination of a replay's deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Each to the webhook to which the event went at first.
    Origins,
    /// All to one webhook.
    Webhook(WebhookId),
    /// All to an address that is nobody's webhook.
    Url {
        /// The webhook that exists for this replay only.
        webhook_id: WebhookId,
        url: String,
    },
}

impl Destination {
    /// The one webhook that everything goes to, if it is one.
    #[must_use]
    pub const fn webhook_id(&self) -> Option<WebhookId> {
        match self {
            Self::Origins => None,
            Self::Webhook(id) | Self::Url { webhook_id: id, .. } => Some(*id),
        }
    }
}

/// Conditions on events, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplayFilter {
    /// Only these, in ascending order and without repetitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<EventId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Only those of this call, message, agent or contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_key: Option<OrderKey>,
    /// Accepted at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Accepted before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Only those with an original delivery to this webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<WebhookId>,
    /// Only those with an original delivery in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateName>,
    /// Only those whose original delivery ended without success and that the same webhook did not get since, nor is
    /// about to.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub not_delivered: bool,
    /// Only deliveries that were given up and not dealt with since, whatever made them. Times are those of the deliveries then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dead_letters: bool,
    /// Of dead letters, only those whose last attempt failed so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl ReplayFilter {
    /// True without any condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The events to look at, as the ids between which they lie: `(after, before)`.
    #[must_use]
    pub fn span(&self, replay_id: ReplayId) -> (EventId, EventId) {
        let first = self.since.map_or(0, first_id_at);
        let end = self.until.map_or(replay_id.0, first_id_at).min(replay_id.0);
        (EventId(first - 1), EventId(end))
    }

    /// True if an event passes, as far as the event itself decides.
    #[must_use]
    pub fn lets_through(&self, kind: Kind, order_key: Option<&OrderKey>) -> bool {
        self.kind.is_none_or(|wanted| wanted == kind)
            && self
                .order_key
                .as_ref()
                .is_none_or(|wanted| Some(wanted) == order_key)
    }
}

/// Progress of a replay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Events that it has looked at.
    pub scanned: u64,
    /// Deliveries that it has made.
    pub created: u64,
    /// Deliveries that it could not make, because their webhook or event is gone.
    pub skipped: u64,
    /// Deliveries of its own that the receiver has.
    pub delivered: u64,
    /// Those that were given up.
    pub exhausted: u64,
    /// Those that somebody decided against.
    pub cancelled: u64,
    /// Those that have not been attempted yet.
    pub untried: u64,
}

impl Progress {
    /// Deliveries of its own that have reached their final state.
    #[must_use]
    pub const fn ended(self) -> u64 {
        self.delivered + self.exhausted + self.cancelled
    }

    /// Those that have not.
    #[must_use]
    pub const fn pending(self) -> u64 {
        self.created.saturating_sub(self.ended())
    }
}

/// State of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayState {
    /// It makes deliveries, or some that it made are pending.
    Running,
    /// It made all, and each has reached its final state.
    Finished { at: Timestamp },
    /// Somebody decided against the rest.
    Cancelled { at: Timestamp },
    /// It cannot go on.
    Failed { at: Timestamp, reason: String },
}

spelled_enum! {
    /// The name of a replay's state.
    pub enum ReplayStateName: "replay state" {
        /// See [`ReplayState::Running`].
        Running = "running",
        /// See [`ReplayState::Finished`].
        Finished = "finished",
        /// See [`ReplayState::Cancelled`].
        Cancelled = "cancelled",
        /// See [`ReplayState::Failed`].
        Failed = "failed",
    }
}

impl ReplayState {
    #[must_use]
    pub const fn name(&self) -> ReplayStateName {
        match self {
            Self::Running => ReplayStateName::Running,
            Self::Finished { .. } => ReplayStateName::Finished,
            Self::Cancelled { .. } => ReplayStateName::Cancelled,
            Self::Failed { .. } => ReplayStateName::Failed,
        }
    }

    /// Time of its end, if it has ended.
    #[must_use]
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::Running => None,
            Self::Finished { at } | Self::Cancelled { at } | Self::Failed { at, .. } => Some(*at),
        }
    }
}
