//! Explaining: what became of an event at a subscription, told long after it was decided.
//!
//! What was sent is a fact that the deliveries tell. Why something was not is judged again, by the same rule and with
//! the subscription as it stood when the event was matched.

use super::{Reason, Verdict, judge};
use crate::event::EventFacts;
use crate::filter::{Content, Mismatch, ParsedContent};
use crate::redaction::Hidden;
use crate::subscription::{Revision, StateAtRevision, Subscription, SubscriptionVersion};

/// Facts about an event that was matched in the past.
#[derive(Debug, Clone)]
pub struct PastDecision {
    /// Revision of the subscriptions that it was matched with.
    pub revision: Revision,
    /// Facts from its payload.
    pub facts: EventFacts,
    /// Its bytes, for filters on them.
    pub body: Vec<u8>,
    /// False if the payload was removed; then the facts are only its kind.
    pub has_payload: bool,
    /// True for a test event, which goes to one webhook whatever is subscribed.
    pub is_test: bool,
}

impl PastDecision {
    /// Verdict of a subscription on the event. `version` is its last version up to the event's revision, or, if there
    /// is none, its first; `was_sent` is true if a delivery of the event names it.
    #[must_use]
    pub fn verdict(&self, version: &SubscriptionVersion, was_sent: bool) -> Verdict {
        if was_sent {
            return Verdict::Matches;
        }
        Verdict::PassedOver(match version.standing_at(self.revision) {
            StateAtRevision::NotYet => Reason::CreatedAfterwards,
            StateAtRevision::Gone => Reason::DeletedBefore,
            StateAtRevision::Existed if self.is_test => Reason::TestEvent,
            StateAtRevision::Existed => self.reason_now(version),
        })
    }

    /// The clause of its filter on the payload that does not hold, if it has one that says no.
    #[must_use]
    pub fn unmet(&self, subscription: &Subscription) -> Option<Mismatch> {
        let filter = subscription.payload_filter.as_ref()?;
        let content = Content::of(&self.body);
        filter.why_not(ParsedContent::at(&content).without(Hidden::of(subscription))?)
    }

    fn reason_now(&self, version: &SubscriptionVersion) -> Reason {
        use Reason::{Disabled, NoWebhook, OtherKind};
        let content = Content::of(&self.body);
        match judge(&version.subscription, &self.facts, &ParsedContent::at(&content)) {
            Verdict::PassedOver(reason) if self.has_payload => reason,
            // These do not depend on the payload.
            Verdict::PassedOver(reason @ (OtherKind | Disabled | NoWebhook)) => reason,
            _ if !self.has_payload => Reason::PayloadGone,
            _ if version.subscription.websocket_id().is_some() => Reason::Websocket,
            _ => Reason::WebhookGone,
        }
    }
}
