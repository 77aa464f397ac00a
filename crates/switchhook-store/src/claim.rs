//! Claims: how deliveries pass between the store and the node that sends them.
//!
//! # Order
//! Deliveries of one webhook with the same order key go one after the other. A pending delivery *blocks* its key until
//! its `blocks_until`. One that arrives behind a blocking one
//! - is handed over if the latest pending one of the key is claimed by the same node, which then keeps the order in
//!   memory (the stream is in commit order);
//! - else *waits*: it is due when the block ends at the latest, or at once when nothing before it blocks any more.

use std::time::Duration;

use bytes::Bytes;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::Attempt;
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_domain::redaction::Hidden;
use switchhook_domain::retry::Failures;

/// What one commit changed for the node that made it, in the order it was done.
pub type HandOver = Vec<HandedOver>;

/// One thing that the node should know.
#[derive(Debug)]
pub enum HandedOver {
    /// This delivery is yours to send.
    Claimed(Box<ClaimedDelivery>),
    /// This webhook has a delivery in the store that is due then and not yours (yet).
    Due {
        webhook_id: WebhookId,
        due_at: Timestamp,
    },
    /// This delivery, which you have, was cancelled: do not send it if you have not begun. Give it back then.
    Cancelled {
        webhook_id: WebhookId,
        delivery_id: DeliveryId,
    },
    /// You may have this delivery: whether the commit that claimed it took effect is not known, because the database did
    /// not answer. Do not send it, give it back; what comes behind it must not overtake it until then.
    Doubtful(Box<ClaimedDelivery>),
    /// You no longer have this claim: its attempt is finished, or it was released, or either came too late.
    ///
    /// Each `Claimed` and `Doubtful` is followed by exactly one, when its attempt is finished or released. The attempt
    /// says which: a node that could not reach the store may have an old claim and a new one of the same delivery.
    Settled {
        webhook_id: WebhookId,
        delivery_id: DeliveryId,
        attempt_number: u32,
    },
}

/// A delivery that this node may send, until the lease ends. Its `attempt_number` is the attempt that is open; its
/// state is pending and due at the end of the lease.
#[derive(Debug, Clone)]
pub struct ClaimedDelivery {
    pub delivery: Delivery,
    /// The event's bytes as they came.
    pub body: Bytes,
    /// What of those can be hidden at all, as far as is known.
    pub concealable: Hidden,
    /// Whether those were read for this claim. Else they are the ones that the event was kept with.
    pub was_read: bool,
    /// Since when it was due before it was claimed.
    pub was_due_at: Timestamp,
}

impl ClaimedDelivery {
    /// What has to be taken out of its event's bytes.
    #[must_use]
    pub const fn hidden(&self) -> Hidden {
        self.delivery.hidden.and(self.concealable)
    }
}

/// A request for due deliveries.
#[derive(Debug, Clone)]
pub struct Claim {
    /// From which webhooks, and how many.
    pub requests: Vec<ClaimRequest>,
    /// Due by then.
    pub now: Timestamp,
    /// When the lease ends.
    pub until: Timestamp,
    /// What to do about claims whose lease is over.
    pub expired: Expired,
}

/// What a claim does about those whose lease is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// Closes them as lost and claims their deliveries anew.
    Claim,
    /// Leaves them: this node does not know well enough what time it is.
    Leave,
}

/// How many deliveries of one webhook a node can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimRequest {
    pub webhook_id: WebhookId,
    /// How many at the most.
    pub limit: u32,
    /// No further one once their events have this many bytes.
    pub bytes: usize,
    /// Only this delivery, whatever is due before it.
    pub only: Option<DeliveryId>,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimAnswer {
    pub webhook_id: WebhookId,
    /// How many were handed over.
    pub claimed: u32,
    /// When the next one that is not claimed by this node is due; may be in the past if there was no room.
    pub next_due_at: Option<Timestamp>,
}

/// An attempt that ended, and where that takes its delivery.
#[derive(Debug, Clone)]
pub struct FinishedAttempt {
    pub delivery_id: DeliveryId,
    /// Where it was sent.
    pub webhook_id: WebhookId,
    /// What happened.
    pub attempt: Attempt,
    /// Where the delivery goes, as the domain decided.
    pub state: DeliveryState,
    /// Its failures, this one included.
    pub failures: Failures,
    /// Until when it goes on blocking its order key.
    pub blocks_until: Timestamp,
    /// How long it has waited because its webhook was suspended.
    pub suspended: Duration,
}

/// A claim given back unopened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    pub delivery_id: DeliveryId,
    /// Where it was to go.
    pub webhook_id: WebhookId,
    /// The attempt that was not made.
    pub attempt_number: u32,
    /// When it is due again, if it waits for nothing else: since when it was before it was claimed, so that giving back makes
    /// nothing younger.
    pub due_at: Timestamp,
}

/// How many deliveries of a webhook are pending, as far as they were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingCount {
    pub webhook_id: WebhookId,
    /// Those that are due, or being sent.
    pub due: u64,
    /// Those that wait for a later time.
    pub later: u64,
    /// The oldest of those that were counted.
    pub oldest: Option<DeliveryId>,
}

/// A webhook that something waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingWebhook {
    pub webhook_id: WebhookId,
    /// When the first of its deliveries is due, or its lease ends.
    pub first_due_at: Timestamp,
}

/// A delivery that waits for an attempt, and since when it could have had one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    pub delivery_id: DeliveryId,
    /// Since when it is due; or since when it is there, if a node has it in memory and has not begun its first attempt.
    pub since: Timestamp,
}

impl Waiting {
    /// The one that has waited longer.
    pub(crate) fn longer(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).min_by_key(|waiting| waiting.since)
    }
}
