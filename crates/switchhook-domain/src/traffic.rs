//! Traffic: what goes to a webhook or a websocket, and what it takes to send it there.
//!
//! Owns one rule: **whoever changes where something goes, or what it is signed with, must be cleared for everything that
//! goes there.**

use std::fmt;

use switchhook_protocol::Kind;

use crate::clearance::{Clearance, MissingClearance};
use crate::delivery::Delivery;
use crate::id::{DeliveryId, ReplayId, SubscriptionId};
use crate::redaction::Hidden;
use crate::replay::Replay;
use crate::scope::Scope;
use crate::subscription::{Filter, Subscription};

impl Clearance {
    /// Clearance needed to see what a subscription lets through.
    #[must_use]
    pub fn for_subscription(subscription: &Subscription) -> Self {
        let (kind, hidden) = (subscription.filter.kind(), Hidden::of(subscription));
        match &subscription.filter {
            Filter::Sms(sms) if sms.target.is_some() && !hidden.message_text => {
                Self::for_kind(kind).with(Some(Scope::MessageContentExport))
            }
            _ => Self::for_content(kind, hidden),
        }
    }

    /// Checks that a subscription may become `after`. Disabling needs no clearance. Detaching it from its endpoint
    /// does: what stays there, its secret and its other credentials, would be open to everybody.
    ///
    /// # Errors
    /// If not, with what is missing.
    pub fn may_change(self, before: &Subscription, after: &Subscription) -> Result<(), Uncleared> {
        let passes = |one: &Subscription| (one.filter.clone(), one.payload_filter.clone());
        let sends_no_more = passes(after) == passes(before) && (!after.enabled || before.enabled);
        if after.endpoint == before.endpoint && sends_no_more {
            return Ok(());
        }
        self.sees_what_passes(before)?;
        self.sees_what_passes(after)
    }

    /// Checks that a subscription may be deleted, which detaches it from its endpoint; see [`Self::may_change`].
    ///
    /// # Errors
    /// If not, with what is missing.
    pub fn may_delete(self, subscription: &Subscription) -> Result<(), Uncleared> {
        if subscription.endpoint.is_none() {
            return Ok(());
        }
        self.sees_what_passes(subscription)
    }

    fn sees_what_passes(self, subscription: &Subscription) -> Result<(), Uncleared> {
        let covered = self.covers(Self::for_subscription(subscription));
        covered.map_err(|missing| Uncleared {
            what: TrafficItem::Subscription(subscription.filter.kind(), subscription.id),
            missing,
        })
    }

    /// Checks that a delivery may be sent again, or elsewhere. `subscriptions` are those that asked for it and still
    /// exist: what one of them sends to a target needs the scope for targets only.
    ///
    /// # Errors
    /// If not, with what is missing.
    pub fn may_send(self, delivery: &Delivery, subscriptions: &[Subscription]) -> Result<(), Uncleared> {
        let is_test =
            delivery.subscription_ids.is_empty() && delivery.origin.is_none() && delivery.replay_id.is_none();
        let asked_for_it = |one: &&Subscription| {
            delivery.subscription_ids.contains(&one.id)
                && one.filter.kind() == delivery.kind
                && Hidden::of(one).or(delivery.hidden) == delivery.hidden
        };
        let mut asked = subscriptions.iter().filter(asked_for_it);
        if is_test || asked.any(|one| self.covers(Self::for_subscription(one)).is_ok()) {
            return Ok(());
        }
        let covered = self.covers(Self::for_content(delivery.kind, delivery.hidden));
        covered.map_err(|missing| Uncleared {
            what: TrafficItem::Delivery(delivery.kind, delivery.id),
            missing,
        })
    }
}

/// Everything that goes to one webhook or websocket.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// The subscriptions that lead there, those in force and the others.
    pub subscriptions: Vec<Subscription>,
    /// The deliveries that wait to be sent there.
    pub pending: Vec<Delivery>,
    /// The replays that are making deliveries for it.
    pub replays: Vec<Replay>,
}

impl Traffic {
    /// Checks that `clearance` suffices to see all of it: to redirect it, to change its signature, to know its
    /// secret.
    ///
    /// # Errors
    /// If not, with what is missing, and for which item.
    pub fn is_open_to(&self, clearance: Clearance) -> Result<(), Uncleared> {
        for subscription in &self.subscriptions {
            clearance.sees_what_passes(subscription)?;
        }
        for delivery in &self.pending {
            clearance.may_send(delivery, &self.subscriptions)?;
        }
        for replay in &self.replays {
            clearance.covers(replay.made_with).map_err(|missing| Uncleared {
                what: TrafficItem::Replay(replay.id),
                missing,
            })?;
        }
        Ok(())
    }
}

/// Item that a key is not cleared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} needs {missing}")]
pub struct Uncleared {
    pub what: TrafficItem,
    pub missing: MissingClearance,
}

/// Something that goes to a webhook or a websocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrafficItem {
    /// Events that a subscription lets through.
    Subscription(Kind, SubscriptionId),
    Delivery(Kind, DeliveryId),
    /// Deliveries that a replay makes.
    Replay(ReplayId),
}

impl fmt::Display for TrafficItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subscription(kind, id) => write!(f, "{kind} subscription {id}"),
            Self::Delivery(kind, id) => write!(f, "{kind} delivery {id}"),
            Self::Replay(id) => write!(f, "replay {id}, which is running,"),
        }
    }
}

#[cfg(test)]
mod tests;
