//! Clearance: what of its company's events a key may see, and so what it may send anywhere.
//!
//! Owns one rule: **whoever changes where something goes, or what it is signed with, must be cleared for everything that
//! goes there.** What each kind takes to be seen is in the table of `kind.rs`; scopes show what they show, to admins too.
//! Taking out of an event what a clearance does not show is `redaction.rs`; who has which is said by the keys (`key.rs`).

use std::fmt;
use std::str::FromStr;

use switchhook_protocol::{Kind, UnknownWord};

use crate::delivery::Delivery;
use crate::id::{DeliveryId, ReplayId, SubscriptionId};
use crate::kind::rules;
use crate::redaction::Hidden;
use crate::replay::Replay;
use crate::scope::{Scope, Scopes};
use crate::subscription::{Filter, Subscription};

/// What somebody may see of a company's events; the default is calls and messages without recordings and texts.
///
/// Its text form is a comma-separated list: `admin` and the names of scopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Clearance {
    /// Whether it is an admin's.
    pub admin: bool,
    /// Its scopes.
    pub scopes: Scopes,
}

const ADMIN: &str = "admin";

impl Clearance {
    /// Calls and messages without recordings and texts.
    pub const NONE: Self = Self {
        admin: false,
        scopes: Scopes::NONE,
    };

    /// An admin's, without any scope.
    pub const ADMIN: Self = Self {
        admin: true,
        ..Self::NONE
    };

    /// Nothing is kept from it.
    pub const FULL: Self = Self {
        admin: true,
        scopes: Scopes::ALL,
    };

    /// What it takes to see that there are events of this kind.
    #[must_use]
    pub const fn for_kind(kind: Kind) -> Self {
        rules(kind).clearance
    }

    /// What it takes to see events of this kind from which only `hidden` is taken out.
    #[must_use]
    pub fn for_content(kind: Kind, hidden: Hidden) -> Self {
        let rules = rules(kind);
        let is_shown = hidden.and(rules.hides).is_nothing();
        Self::for_kind(kind).with(rules.shown_by.filter(|_| is_shown))
    }

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

    fn with(self, scope: Option<Scope>) -> Self {
        Self {
            scopes: self.scopes.union(scope.into_iter().collect()),
            ..self
        }
    }

    fn has(self, scope: Scope) -> bool {
        let has_more =
            scope == Scope::MessageContentExport && self.scopes.has(Scope::MessageContentExportAll);
        has_more || self.scopes.has(scope)
    }

    /// Whether it is enough.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn covers(self, needed: Self) -> Result<(), Missing> {
        let missing = Self {
            admin: needed.admin && !self.admin,
            scopes: needed.scopes.iter().filter(|scope| !self.has(*scope)).collect(),
        };
        if missing == Self::default() {
            Ok(())
        } else {
            Err(Missing {
                lacking: missing,
                needed,
            })
        }
    }

    /// Whether events of this kind can be seen at all.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn sees(self, kind: Kind) -> Result<(), Missing> {
        self.covers(Self::for_kind(kind))
    }

    /// What is taken out of events of this kind for whoever looks at them.
    ///
    /// Messages are shown only with the scope for the whole company: which target an event is about is not asked.
    #[must_use]
    pub fn hidden(self, kind: Kind) -> Hidden {
        Hidden::by_scopes(self.scopes).and(rules(kind).hides)
    }

    /// What is taken out of events of this kind that come by a subscription: it may have a target, so for messages either
    /// scope shows their text.
    #[must_use]
    pub fn hidden_by_subscription(self, kind: Kind) -> Hidden {
        let hidden = self.hidden(kind);
        Hidden {
            message_text: hidden.message_text && !self.has(Scope::MessageContentExport),
            ..hidden
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

/// What a key lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Missing {
    lacking: Clearance,
    needed: Clearance,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Clearance { admin, scopes } = self.lacking;
        let names: Vec<_> = scopes.iter().map(Scope::as_str).collect();
        let scopes = match names.len() {
            0 => String::new(),
            1 => format!("the scope {}", names[0]),
            _ => format!("the scopes {}", names.join(", ")),
        };
        match (admin, scopes.as_str()) {
            (true, "") => f.write_str("an admin's key"),
            (true, scopes) => write!(f, "an admin's key and {scopes}"),
            (false, scopes) => f.write_str(scopes),
        }
    }
}

impl Missing {
    /// What a command must be told that makes a key which is enough: what is not lacking, too.
    #[must_use]
    pub fn options(self) -> String {
        let Clearance { admin, scopes } = self.needed;
        let admin = admin.then(|| "--admin".to_owned());
        let scopes = (scopes != Scopes::NONE).then(|| format!("--scopes {scopes}"));
        admin.into_iter().chain(scopes).collect::<Vec<_>>().join(" ")
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
    /// A delivery.
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

impl fmt::Display for Clearance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let admin = self.admin.then_some(ADMIN);
        let names: Vec<_> = admin
            .into_iter()
            .chain(self.scopes.iter().map(Scope::as_str))
            .collect();
        f.write_str(&names.join(","))
    }
}

impl FromStr for Clearance {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let (admin, scopes): (Vec<_>, Vec<_>) = text.split(',').partition(|name| *name == ADMIN);
        Ok(Self {
            admin: !admin.is_empty(),
            scopes: scopes.join(",").parse()?,
        })
    }
}

#[cfg(test)]
mod tests;
