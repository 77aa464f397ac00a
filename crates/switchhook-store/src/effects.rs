//! Effects: what a commit brings about beyond its rows, and who is notified of it once it is certain.

use std::sync::Arc;

use switchhook_domain::Timestamp;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{DeliveryId, WebhookId};
use tokio::sync::mpsc;

use crate::claim::{ClaimedDelivery, FinishedAttempt, HandOver, HandedOver, Release};
use crate::event::NewEvent;
use crate::observer::{Commit, CommitObserver, SetAside};
use crate::order_queue::InitialState;

/// Effects of a commit: on this node, and for the operator to see.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    handed_over: HandOver,
    set_aside: Vec<SetAside>,
}

/// Numbers of effects at some time, to undo later ones.
#[derive(Clone, Copy)]
pub(crate) struct EffectCounts {
    handed_over: usize,
    set_aside: usize,
}

impl Effects {
    /// The webhook has a delivery that is due then.
    pub(crate) fn due(&mut self, webhook_id: WebhookId, due_at: Timestamp) {
        self.handed_over.push(HandedOver::Due { webhook_id, due_at });
    }

    /// A delivery is this node's to send.
    pub(crate) fn claimed(&mut self, claimed: ClaimedDelivery) {
        self.handed_over.push(HandedOver::Claimed(Box::new(claimed)));
    }

    /// A new delivery of an event is due, or claimed at once.
    pub(crate) fn made(&mut self, event: &NewEvent, delivery: Delivery, start: InitialState) {
        match start {
            InitialState::Claimed => self.claimed(ClaimedDelivery {
                delivery,
                body: event.body.clone(),
                concealable: event.concealable,
                was_read: false,
                was_due_at: event.accepted_at,
            }),
            InitialState::Free | InitialState::Waiting => self.due(delivery.webhook_id, delivery.state.at()),
        }
    }

    /// A delivery that this node has was cancelled.
    pub(crate) fn cancelled(&mut self, webhook_id: WebhookId, delivery_id: DeliveryId) {
        self.handed_over.push(HandedOver::Cancelled {
            webhook_id,
            delivery_id,
        });
    }

    /// This node no longer has the claim whose attempt ended, also if that came too late.
    pub(crate) fn finished(&mut self, one: &FinishedAttempt) {
        self.settled(one.webhook_id, one.delivery_id, one.attempt.number);
    }

    /// This node no longer has the claim that is given back, also if that came too late.
    pub(crate) fn released(&mut self, one: &Release) {
        self.settled(one.webhook_id, one.delivery_id, one.attempt_number);
    }

    fn settled(&mut self, webhook_id: WebhookId, delivery_id: DeliveryId, attempt_number: u32) {
        self.handed_over.push(HandedOver::Settled {
            webhook_id,
            delivery_id,
            attempt_number,
        });
    }

    /// A delivery was set aside, because its row is damaged.
    pub(crate) fn set_aside(&mut self, delivery_id: DeliveryId, why: String) {
        self.set_aside.push(SetAside { delivery_id, why });
    }

    pub(crate) const fn mark(&self) -> EffectCounts {
        EffectCounts {
            handed_over: self.handed_over.len(),
            set_aside: self.set_aside.len(),
        }
    }

    /// Takes back what came since: it was rolled back.
    pub(crate) fn take_back(&mut self, since: EffectCounts) {
        self.handed_over.truncate(since.handed_over);
        self.set_aside.truncate(since.set_aside);
    }

    /// Effects if the commit may have failed: the claims only, to be released if they turn out to be this node's.
    pub(crate) fn doubtful(self) -> Self {
        let doubtful = |item| match item {
            HandedOver::Claimed(claimed) => Some(HandedOver::Doubtful(claimed)),
            _ => None,
        };
        Self {
            handed_over: self.handed_over.into_iter().filter_map(doubtful).collect(),
            set_aside: Vec::new(),
        }
    }
}

/// Receivers of a commit's effects: the node gets the hand-over, the observer the report.
#[derive(Clone, Default)]
pub(crate) struct CommitListeners {
    /// Bounded by what the node asks for: nothing is claimed that it did not request. A guest claims nothing.
    pub(crate) hand_over: Option<mpsc::UnboundedSender<HandOver>>,
    pub(crate) observer: Option<Arc<dyn CommitObserver>>,
}

impl CommitListeners {
    /// To be called in the order of the commits, each before its callers are answered.
    pub(crate) fn notify(&self, effects: Effects) {
        if let Some(node) = &self.hand_over
            && !effects.handed_over.is_empty()
        {
            // Nobody takes it where nothing is sent.
            let _ = node.send(effects.handed_over);
        }
        for one in &effects.set_aside {
            let (delivery_id, why) = (one.delivery_id.0, &one.why);
            tracing::error!(delivery_id, why, "a delivery is set aside: its row is damaged");
            if let Some(observer) = &self.observer {
                observer.set_aside(one);
            }
        }
    }

    pub(crate) fn committed(&self, commit: Commit) {
        if let Some(observer) = &self.observer {
            observer.committed(commit);
        }
    }
}
