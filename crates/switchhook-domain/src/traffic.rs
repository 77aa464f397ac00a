//! Traffic: what goes to a webhook or a websocket, and what it takes to send it there.
//!
//! Owns one rule: **whoever changes where something goes, or what it is signed with, must be cleared for everything that
//! goes there.**

use std::fmt;

use switchhook_protocol::Kind;

use crate::clearance::{Clearance, Missing};
use crate::delivery::Delivery;
use crate::id::{DeliveryId, ReplayId, SubscriptionId};
use crate::redaction::Hidden;
use crate::replay::Replay;
use crate::scope::Scope;
use crate::subscription::{Filter, Subscription};

impl Clearance {
    /// What it takes to see what a subscription lets through.
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

    /// Whether a subscription may become what `after` says. Disabling it needs no clearance. Taking it off where it leads does: what
    /// stays there, its secret and its other credentials, would be for everybody to read and to move.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn may_change(self, before: &Subscription, after: &Subscription) -> Result<(), Uncleared> {
        let passes = |one: &Subscription| (one.filter.clone(), one.payload_filter.clone());
        let sends_no_more = passes(after) == passes(before) && (!after.enabled || before.enabled);
        if after.endpoint == before.endpoint && sends_no_more {
            return Ok(());
        }
        self.sees_what_passes(before)?;
        self.sees_what_passes(after)
    }

    /// Whether a subscription may be deleted, as [`Self::may_change`] says of taking it off where it leads.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn may_delete(self, subscription: &Subscription) -> Result<(), Uncleared> {
        if subscription.endpoint.is_none() {
            return Ok(());
        }
        self.sees_what_passes(subscription)
    }

    fn sees_what_passes(self, subscription: &Subscription) -> Result<(), Uncleared> {
        let covered = self.covers(Self::for_subscription(subscription));
        covered.map_err(|missing| Uncleared {
            what: What::Subscription(subscription.filter.kind(), subscription.id),
            missing,
        })
    }

    /// Whether a delivery may be sent again, or elsewhere. `subscriptions` are those that asked for it, as far as they
    /// are still there: what one of them sends to a target needs the scope for targets only.
    ///
    /// # Errors
    /// Says what is missing.
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
            what: What::Delivery(delivery.kind, delivery.id),
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
    /// Whether `clearance` is enough to see all of it: to send it elsewhere, to sign it otherwise, to know its secret.
    ///
    /// # Errors
    /// Says what is missing, and for what of it.
    pub fn is_open_to(&self, clearance: Clearance) -> Result<(), Uncleared> {
        for subscription in &self.subscriptions {
            clearance.sees_what_passes(subscription)?;
        }
        for delivery in &self.pending {
            clearance.may_send(delivery, &self.subscriptions)?;
        }
        for replay in &self.replays {
            clearance.covers(replay.made_with).map_err(|missing| Uncleared {
                what: What::Replay(replay.id),
                missing,
            })?;
        }
        Ok(())
    }
}

/// What a key is not cleared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} needs {missing}")]
pub struct Uncleared {
    /// What goes there.
    pub what: What,
    /// What the key lacks.
    pub missing: Missing,
}

/// Something that goes to a webhook or a websocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// What a subscription lets through.
    Subscription(Kind, SubscriptionId),
    Delivery(Kind, DeliveryId),
    /// What a replay makes.
    Replay(ReplayId),
}

impl fmt::Display for What {
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
