//! Reason for which a pending delivery waits.

use switchhook_protocol::Timestamp;

use super::{Delivery, DeliveryState};
use crate::id::DeliveryId;

/// Reason for which a pending delivery waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingFor {
    /// The receiver's answer: it is being sent.
    Answer,
    /// The time of its next attempt.
    Retry,
    /// A receiver that fails: its webhook's breaker is open.
    Receiver,
    /// Somebody who resumes its webhook.
    Resume,
    /// The end of its webhook's quiet hours.
    Quiet,
    /// A delivery of the same call, message, agent or contact, which it must not overtake.
    Delivery(DeliveryId),
    /// Its turn: it is due, and others are before it, or its webhook's rate or concurrency is used up.
    Turn,
}

impl WaitingFor {
    /// The words that name what is waited for.
    pub const WORDS: [&str; 7] = [
        "answer", "retry", "receiver", "resume", "quiet", "delivery", "turn",
    ];

    /// The word that names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Retry => "retry",
            Self::Receiver => "receiver",
            Self::Resume => "resume",
            Self::Quiet => "quiet",
            Self::Delivery(_) => "delivery",
            Self::Turn => "turn",
        }
    }
}

/// Inputs, besides a pending delivery itself, to the reason for which it waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PendingFacts {
    /// True if a node has claimed it.
    pub is_claimed: bool,
    /// The first of those that it must not overtake, if it waits for them.
    pub behind: Option<DeliveryId>,
    pub is_paused: bool,
    /// True during its webhook's quiet hours.
    pub is_quiet: bool,
    pub is_breaker_open: bool,
}

impl Delivery {
    /// Reason for waiting at `now`; `None` if it has ended.
    #[must_use]
    pub fn waiting_for(&self, facts: PendingFacts, now: Timestamp) -> Option<WaitingFor> {
        let DeliveryState::Pending { due_at } = self.state else {
            return None;
        };
        Some(if facts.is_claimed {
            WaitingFor::Answer
        } else if facts.is_paused {
            WaitingFor::Resume
        } else if facts.is_quiet {
            WaitingFor::Quiet
        } else if let Some(id) = facts.behind.filter(|id| *id != self.id) {
            WaitingFor::Delivery(id)
        } else if facts.is_breaker_open {
            WaitingFor::Receiver
        } else if due_at > now && self.failures.total() > 0 {
            WaitingFor::Retry
        } else {
            WaitingFor::Turn
        })
    }
}
