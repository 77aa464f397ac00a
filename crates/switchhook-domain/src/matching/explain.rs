//! Explaining: what became of an event at a subscription, told long after it was decided.
//!
//! What was sent is a fact that the deliveries tell. Why something was not is judged again, by the same rule and with
//! the subscription as it stood when the event was matched.

use super::{Reason, Verdict, judge};
use crate::event::EventFacts;
use crate::filter::{Content, Looks, Unmet};
use crate::redaction::Hidden;
use crate::subscription::{Revision, Standing, Subscription, SubscriptionVersion};

/// What is known of an event that was decided in the past.
#[derive(Debug, Clone)]
pub struct Decided {
    /// Which subscriptions it was matched with.
    pub revision: Revision,
    /// What it says of itself.
    pub facts: EventFacts,
    /// Its bytes, for filters on them.
    pub body: Vec<u8>,
    /// Whether its payload is still there; if not, the facts are only its kind.
    pub has_payload: bool,
    /// Whether it was a test, for one webhook and whatever is subscribed.
    pub is_test: bool,
}

impl Decided {
    /// What became of the event at a subscription. `version` is its last version until the event's revision, or, if
    /// there is none, its first; `was_sent` is whether a delivery of the event names it.
    #[must_use]
    pub fn verdict(&self, version: &SubscriptionVersion, was_sent: bool) -> Verdict {
        if was_sent {
            return Verdict::Matches;
        }
        Verdict::PassedOver(match version.standing_at(self.revision) {
            Standing::NotYet => Reason::CreatedAfterwards,
            Standing::Gone => Reason::DeletedBefore,
            Standing::Existed if self.is_test => Reason::TestEvent,
            Standing::Existed => self.reason_now(version),
        })
    }

    /// The clause of its filter on the payload that does not hold, if it has one that says no.
    #[must_use]
    pub fn unmet(&self, subscription: &Subscription) -> Option<Unmet> {
        let filter = subscription.payload_filter.as_ref()?;
        let content = Content::of(&self.body);
        filter.why_not(Looks::at(&content).without(Hidden::of(subscription))?)
    }

    fn reason_now(&self, version: &SubscriptionVersion) -> Reason {
        use Reason::{Disabled, NoWebhook, OtherKind};
        let content = Content::of(&self.body);
        match judge(&version.subscription, &self.facts, &Looks::at(&content)) {
            Verdict::PassedOver(reason) if self.has_payload => reason,
            // These do not depend on the payload.
            Verdict::PassedOver(reason @ (OtherKind | Disabled | NoWebhook)) => reason,
            _ if !self.has_payload => Reason::PayloadGone,
            _ if version.subscription.websocket_id().is_some() => Reason::Websocket,
            _ => Reason::WebhookGone,
        }
    }
}
