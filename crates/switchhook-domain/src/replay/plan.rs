//! Plan of a replay for one event: the new deliveries, their webhooks, and what they show.

use switchhook_protocol::Kind;

use super::{Destination, Replay, ReplayFilter};
use crate::delivery::StateName;
use crate::id::{DeliveryId, EventId, SubscriptionId, WebhookId};
use crate::order::OrderKey;
use crate::redaction::Hidden;

/// An event that a replay may select.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub event_id: EventId,
    pub kind: Kind,
    /// Key shared with the deliveries that it must not overtake.
    pub order_key: Option<OrderKey>,
    /// Every delivery of it, by id; for a replay of dead letters, the one that is meant.
    pub deliveries: Vec<PastDelivery>,
}

/// Earlier delivery, as far as a replay needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastDelivery {
    pub id: DeliveryId,
    pub webhook_id: WebhookId,
    pub state: StateName,
    /// Parts that were removed.
    pub hidden: Hidden,
    /// The subscriptions that asked for it.
    pub subscription_ids: Vec<SubscriptionId>,
    /// True if it was made with the event, as opposed to a redelivery or a replay.
    pub is_original: bool,
}

/// A delivery that a replay wants made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedDelivery {
    pub event_id: EventId,
    pub kind: Kind,
    pub webhook_id: WebhookId,
    /// The earlier delivery that it repeats, if the event had any.
    pub origin: Option<DeliveryId>,
    /// The subscriptions that had asked for that one, if it went to the same webhook.
    pub subscription_ids: Vec<SubscriptionId>,
    /// Parts to remove.
    pub hidden: Hidden,
    /// True if it shows all that the repeated one showed, so that it resolves that one.
    pub settles: bool,
    /// Key shared with the deliveries that it must not overtake; specific to this replay.
    pub order_key: Option<OrderKey>,
}

impl ReplayFilter {
    /// True if earlier deliveries decide, and not the event alone.
    const fn asks_for_deliveries(&self) -> bool {
        self.webhook_id.is_some() || self.state.is_some() || self.not_delivered || self.dead_letters
    }

    /// The original deliveries that it means; of dead letters, which the store finds as such, all.
    fn meant<'a>(&'a self, all: &'a [PastDelivery]) -> impl Iterator<Item = &'a PastDelivery> {
        all.iter().filter(|one| {
            (one.is_original || self.dead_letters)
                && self.webhook_id.is_none_or(|wanted| wanted == one.webhook_id)
                && self.state.is_none_or(|wanted| wanted == one.state)
                && (!self.not_delivered || never_arrived(one, all))
        })
    }
}

/// True if it ended without success, and no later delivery has brought the event to that webhook or is about to.
fn never_arrived(original: &PastDelivery, all: &[PastDelivery]) -> bool {
    let mut same = all.iter().filter(|one| one.webhook_id == original.webhook_id);
    same.all(|one| matches!(one.state, StateName::Exhausted | StateName::Cancelled))
}

impl Replay {
    /// The deliveries that it makes of an event: none if it does not select it, one for each webhook otherwise.
    ///
    /// # What they show
    /// A webhook that had an original delivery sees what that one showed. For another webhook the replay's `hidden`
    /// says it. An address sees no more than the replayed delivery showed, and no more than `hidden` allows. Nothing
    /// shows more than the key may see that the replay was made with, and kinds that it may not see are left out. So are dead
    /// letters of which it would show less: somebody who may see all of them is to deal with those.
    #[must_use]
    pub fn plan(&self, candidate: &Candidate) -> Vec<PlannedDelivery> {
        let (kind, order_key) = (candidate.kind, candidate.order_key.as_ref());
        if !self.filter.lets_through(kind, order_key) || self.made_with.sees(kind).is_err() {
            return Vec::new();
        }
        let mut meant = self.filter.meant(&candidate.deliveries);
        match &self.to {
            Destination::Origins => meant
                .map(|origin| self.planned(candidate, origin.webhook_id, Some(origin), origin.hidden))
                .filter(|planned| planned.settles || !self.filter.dead_letters)
                .collect(),
            Destination::Webhook(id) => {
                let first = meant.next();
                if first.is_none() && self.filter.asks_for_deliveries() {
                    return Vec::new();
                }
                let own = candidate.original_to(*id);
                let hidden = own.map_or(self.hidden, |own| own.hidden);
                vec![self.planned(candidate, *id, own.or(first), hidden)]
            }
            Destination::Url { webhook_id, .. } => {
                let first = meant.next();
                if first.is_none() && self.filter.asks_for_deliveries() {
                    return Vec::new();
                }
                let hidden = first.map_or(self.hidden, |first| first.hidden.or(self.hidden));
                vec![self.planned(candidate, *webhook_id, first, hidden)]
            }
        }
    }

    fn planned(
        &self,
        candidate: &Candidate,
        webhook_id: WebhookId,
        origin: Option<&PastDelivery>,
        hidden: Hidden,
    ) -> PlannedDelivery {
        let same_webhook = origin.filter(|origin| origin.webhook_id == webhook_id);
        let kept_from_maker = match same_webhook {
            Some(_) => self.made_with.hidden_by_subscription(candidate.kind),
            None => self.made_with.hidden(candidate.kind),
        };
        let hidden = hidden.or(kept_from_maker);
        PlannedDelivery {
            event_id: candidate.event_id,
            kind: candidate.kind,
            webhook_id,
            origin: origin.map(|origin| origin.id),
            subscription_ids: same_webhook
                .map(|origin| origin.subscription_ids.clone())
                .unwrap_or_default(),
            hidden,
            settles: same_webhook.is_none_or(|origin| origin.hidden == hidden),
            order_key: candidate.order_key.as_ref().map(|key| key.in_replay(self.id)),
        }
    }
}

impl Candidate {
    fn original_to(&self, webhook_id: WebhookId) -> Option<&PastDelivery> {
        self.deliveries
            .iter()
            .find(|one| one.is_original && one.webhook_id == webhook_id)
    }
}

#[cfg(test)]
mod tests;
