//! Deliveries: one event for one webhook, its states, and the one rule by which an attempt changes them.
//!
//! `pending → delivered | exhausted | cancelled`; a final state is never left. There is no state "running": a claim is
//! a pending delivery that is due again when its lease ends, so a crash needs no rescuer.

mod waiting;

use std::time::Duration;

use switchhook_protocol::{Kind, Timestamp, spelled_enum};

use crate::attempt::{AttemptOutcome, Blocks, Failure, OutcomeClass};
use crate::dead_letter::Resolved;
use crate::id::{CompanyId, DeliveryId, EventId, ReplayId, SubscriptionId, WebhookId};
use crate::order::{ATTEMPTS_THAT_BLOCK, OrderKey};
use crate::redaction::Hidden;
use crate::retry::{Failures, Jitter, RetryContext, RetryPolicy};

pub use self::waiting::{PendingFacts, WaitingFor};

/// One event for one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    /// The event it carries.
    pub event_id: EventId,
    /// Index among the event's deliveries, from 0.
    pub ordinal: u32,
    pub company_id: CompanyId,
    pub webhook_id: WebhookId,
    /// Kind of the event.
    pub kind: Kind,
    /// The subscriptions that asked for it.
    pub subscription_ids: Vec<SubscriptionId>,
    /// Parts to remove from the event's bytes before sending.
    pub hidden: Hidden,
    /// Key shared with the deliveries that it must not overtake.
    pub order_key: Option<OrderKey>,
    pub state: DeliveryState,
    /// The number of its last opened attempt; 0 before the first.
    pub attempt_number: u32,
    /// The failures so far.
    pub failures: Failures,
    /// Failure of the last attempt.
    pub last_failure: Option<Failure>,
    /// Until when it holds up its followers.
    pub blocks_until: Timestamp,
    /// Something a person should know of it.
    pub note: Option<String>,
    /// The delivery that it repeats.
    pub origin: Option<DeliveryId>,
    /// The replay that made it.
    pub replay_id: Option<ReplayId>,
    pub created_at: Timestamp,
    /// Time that it was due but waited for a suspended webhook, which does not count towards its age.
    pub suspended: Duration,
    /// If it was given up: what somebody did about it since.
    pub resolved: Option<Resolved>,
}

/// State of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// An attempt will be made when it is due.
    Pending {
        /// Due time; for a claimed delivery, the end of the claim's lease.
        due_at: Timestamp,
    },
    /// The receiver has it.
    Delivered {
        /// Time of the state's beginning.
        at: Timestamp,
    },
    /// Given up.
    Exhausted { at: Timestamp },
    /// Somebody decided against it.
    Cancelled { at: Timestamp },
}

spelled_enum! {
    /// The name of a state, to filter and to count by.
    pub enum StateName: "delivery state" {
        /// See [`DeliveryState::Pending`].
        Pending = "pending",
        /// See [`DeliveryState::Delivered`].
        Delivered = "delivered",
        /// See [`DeliveryState::Exhausted`].
        Exhausted = "exhausted",
        /// See [`DeliveryState::Cancelled`].
        Cancelled = "cancelled",
    }
}

impl DeliveryState {
    #[must_use]
    pub const fn name(self) -> StateName {
        match self {
            Self::Pending { .. } => StateName::Pending,
            Self::Delivered { .. } => StateName::Delivered,
            Self::Exhausted { .. } => StateName::Exhausted,
            Self::Cancelled { .. } => StateName::Cancelled,
        }
    }

    /// Time of the state: when it is due, or was reached.
    #[must_use]
    pub const fn at(self) -> Timestamp {
        match self {
            Self::Pending { due_at: at }
            | Self::Delivered { at }
            | Self::Exhausted { at }
            | Self::Cancelled { at } => at,
        }
    }

    /// True if it will never change again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending { .. })
    }
}

/// Decides where a delivery goes after an attempt.
///
/// This is the only place where a delivery changes state because of an attempt.
#[must_use]
pub fn state_after_attempt(
    outcome: &AttemptOutcome,
    context: RetryContext,
    policy: RetryPolicy<'_>,
    now: Timestamp,
    jitter: Jitter,
) -> DeliveryState {
    let class = outcome.class();
    if class.is_success() {
        return DeliveryState::Delivered { at: now };
    }
    if context.is_opted_out {
        return DeliveryState::Exhausted { at: now };
    }
    match policy.delay_after(class, context, jitter) {
        Some(delay) => DeliveryState::Pending {
            due_at: now.plus(policy.at_least(delay, outcome, now)),
        },
        None => DeliveryState::Exhausted { at: now },
    }
}

/// True if an attempt with this outcome still holds up the deliveries behind it.
///
/// A receiver that refuses a request as wrong will refuse it tomorrow: its followers do not wait for that.
#[must_use]
pub const fn still_blocks(class: OutcomeClass, failures: Failures) -> bool {
    match class.consequences().blocks {
        Blocks::Never => false,
        Blocks::Briefly => failures.answered < ATTEMPTS_THAT_BLOCK,
        Blocks::WhileTried => true,
    }
}

#[cfg(test)]
mod tests;
