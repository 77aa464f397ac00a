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

/// Changes by one commit for the node that made it, in the order they were made.
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
    /// Parts of its bytes that are known to be hideable; others are known to be absent.
    pub concealable: Hidden,
    /// True if the bytes were read for this claim. Otherwise they are those with which the event was kept.
    pub was_read: bool,
    /// Since when it was due before it was claimed.
    pub was_due_at: Timestamp,
}

impl ClaimedDelivery {
    /// Parts to remove from the event's bytes.
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
    /// Claims what is due by then.
    pub now: Timestamp,
    /// End of the lease.
    pub until: Timestamp,
    /// Treatment of claims whose lease has expired.
    pub expired: ExpiredLeases,
}

/// Treatment of claims whose lease has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiredLeases {
    /// Closes them as lost and claims their deliveries anew.
    Claim,
    /// Leaves them: this node does not know well enough what time it is.
    Leave,
}

/// Number of deliveries of one webhook that a node can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimRequest {
    pub webhook_id: WebhookId,
    /// Bound on the deliveries.
    pub limit: u32,
    /// No further one once their events have this many bytes.
    pub bytes: usize,
    /// Only this delivery, whatever is due before it.
    pub only: Option<DeliveryId>,
}

/// Result of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimAnswer {
    pub webhook_id: WebhookId,
    /// Number of deliveries handed over.
    pub claimed: u32,
    /// Due time of the first delivery that this node has not claimed; in the past if there was no room.
    pub next_due_at: Option<Timestamp>,
}

/// An attempt that ended, and where that takes its delivery.
#[derive(Debug, Clone)]
pub struct FinishedAttempt {
    pub delivery_id: DeliveryId,
    pub webhook_id: WebhookId,
    pub attempt: Attempt,
    /// New state of the delivery, as the domain decided.
    pub state: DeliveryState,
    /// Its failures, this one included.
    pub failures: Failures,
    /// Until when it goes on blocking its order key.
    pub blocks_until: Timestamp,
    /// Time that it has waited for a suspended webhook.
    pub suspended: Duration,
}

/// A claim given back unopened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    pub delivery_id: DeliveryId,
    pub webhook_id: WebhookId,
    /// The attempt that was not made.
    pub attempt_number: u32,
    /// Next due time, unless it waits for something else: the one from before the claim, so that a release does not
    /// put it behind younger ones.
    pub due_at: Timestamp,
}

/// Pending deliveries of a webhook, up to a bound.
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
    /// Due time of its first delivery, or end of that delivery's lease.
    pub first_due_at: Timestamp,
}

/// A delivery that waits for an attempt, and since when it could have had one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingDelivery {
    pub delivery_id: DeliveryId,
    /// Since when it is due; or since when it is there, if a node has it in memory and has not begun its first attempt.
    pub since: Timestamp,
}

impl WaitingDelivery {
    /// The one that has waited longer.
    pub(crate) fn longer(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).min_by_key(|waiting| waiting.since)
    }
}
