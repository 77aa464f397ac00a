//! The order queue: the deliveries of one webhook that share an order key, and which of them may go.
//!
//! Pure: the drivers read queues and write what is decided here. The rules in words are at the top of `claim.rs`.

use switchhook_domain::Timestamp;
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::id::DeliveryId;
use switchhook_domain::order::{LONGEST_BLOCK, OrderKey};

/// Bound on the deliveries passed over on the way to the one that waits, because they no longer block.
pub(crate) const LONGEST_WALK: u32 = 16;

/// Node that has claimed a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimHolder {
    /// No node.
    No,
    /// This node's, which keeps the order of what it has in memory.
    Here,
    /// Another node.
    Elsewhere,
}

/// A pending delivery in its order queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueuedDelivery {
    pub(crate) id: DeliveryId,
    /// Its place: grows along the queue.
    pub(crate) position: i64,
    pub(crate) due_at: Timestamp,
    /// True if it waits for those before it.
    pub(crate) is_waiting: bool,
    pub(crate) claimed: ClaimHolder,
    pub(crate) blocks_until: Timestamp,
    pub(crate) created_at: Timestamp,
    /// True if it goes before earlier ones, as its note says.
    pub(crate) is_overtaking: bool,
}

impl QueuedDelivery {
    /// A delivery that is being made, at the end of its queue.
    pub(crate) fn made(delivery: &Delivery, start: InitialState, position: i64) -> Self {
        Self {
            id: delivery.id,
            position,
            due_at: delivery.state.at(),
            is_waiting: start == InitialState::Waiting,
            claimed: match start {
                InitialState::Claimed => ClaimHolder::Here,
                InitialState::Free | InitialState::Waiting => ClaimHolder::No,
            },
            blocks_until: delivery.blocks_until,
            created_at: delivery.created_at,
            is_overtaking: delivery.note.is_some(),
        }
    }

    /// True if those behind it must wait, unless this node sends it.
    fn blocks(&self, now: Timestamp) -> bool {
        self.is_waiting || self.blocks_until > now
    }

    /// Until when they must wait at the longest.
    fn until(&self) -> Timestamp {
        if self.is_waiting {
            self.due_at
        } else {
            self.blocks_until
        }
    }

    /// True if this node has it, so that what follows in the hand-over is sent after it.
    fn is_being_sent(&self, now: Timestamp) -> bool {
        self.claimed == ClaimHolder::Here && self.due_at > now
    }

    /// The note of one that goes behind this one, which is being sent.
    fn following_note(&self, key: &OrderKey) -> Option<String> {
        self.is_overtaking
            .then(|| format!("sent behind an event that went before earlier events of {key}"))
    }

    /// The note of one that goes before this one.
    fn overtaking_note(&self, key: &OrderKey, now: Timestamp) -> String {
        if now >= self.created_at.plus(LONGEST_BLOCK) {
            let minutes = LONGEST_BLOCK.as_secs() / 60;
            format!("sent before earlier events of {key}, which were not accepted within {minutes} minutes")
        } else {
            format!("sent before earlier events of {key}, which the receiver refuses; their retries go on")
        }
    }
}

/// State of a new delivery: waiting for those before it, or free to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InitialState {
    /// Due at its `due_at`.
    Free,
    /// Waits for those before it.
    Waiting,
    /// Claimed by this node; its first attempt is open.
    Claimed,
}

/// Decides how a new delivery starts behind the last one in its queue, and says so in it.
pub(crate) fn start_of(
    delivery: &mut Delivery,
    last: Option<&QueuedDelivery>,
    claim_until: Option<Timestamp>,
) -> InitialState {
    let now = delivery.created_at;
    if let (Some(ahead), Some(key)) = (last, &delivery.order_key) {
        let is_claimed_here = ahead.claimed == ClaimHolder::Here;
        let follows_at_once = is_claimed_here && claim_until.is_some();
        if !follows_at_once && ahead.blocks(now) {
            delivery.state = DeliveryState::Pending {
                due_at: ahead.until(),
            };
            return InitialState::Waiting;
        }
        delivery.note = if is_claimed_here {
            ahead.following_note(key)
        } else {
            Some(ahead.overtaking_note(key, now))
        };
    }
    let Some(lease_end) = claim_until else {
        return InitialState::Free;
    };
    delivery.state = DeliveryState::Pending { due_at: lease_end };
    delivery.attempt_number = 1;
    InitialState::Claimed
}

/// Decision whether a due delivery may go.
pub(crate) enum DueDecision {
    /// It may; if it overtakes one, the note says so.
    Go { note: Option<String> },
    /// The one ahead of it goes first.
    Wait { until: Timestamp },
}

/// Decides whether a due delivery may go before the one directly ahead of it in the queue.
pub(crate) fn verdict(delivery: &Delivery, ahead: Option<&QueuedDelivery>, now: Timestamp) -> DueDecision {
    let (Some(ahead), Some(key)) = (ahead, &delivery.order_key) else {
        return DueDecision::Go { note: None };
    };
    if ahead.is_being_sent(now) {
        return DueDecision::Go {
            note: ahead.following_note(key),
        };
    }
    let until = ahead.until().min(delivery.blocks_until);
    if ahead.blocks(now) && until > now {
        return DueDecision::Wait { until };
    }
    DueDecision::Go {
        note: Some(ahead.overtaking_note(key, now)),
    }
}

/// Until when a delivery that is given back waits for the one directly ahead; it itself blocks until `blocks_until`.
pub(crate) fn waits_until(
    ahead: Option<&QueuedDelivery>,
    blocks_until: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    ahead
        .filter(|ahead| ahead.claimed != ClaimHolder::No || ahead.blocks(now))
        .map(|ahead| ahead.until().min(blocks_until))
        .filter(|until| *until > now)
}

/// One that waited and may go now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnblockedDelivery {
    pub(crate) id: DeliveryId,
    /// Note about the deliveries that it passes.
    pub(crate) note: Option<String>,
}

/// The delivery that may go now that something happened in a queue, of which this is the beginning: the first one that
/// waits, unless one before it still blocks.
pub(crate) fn freed(queue: &[QueuedDelivery], key: &OrderKey, now: Timestamp) -> Option<UnblockedDelivery> {
    let place = queue
        .iter()
        .position(|one| one.is_waiting || one.claimed != ClaimHolder::No || one.blocks(now))?;
    let one = queue[place];
    let passed = place.checked_sub(1).map(|before| queue[before]);
    one.is_waiting.then(|| UnblockedDelivery {
        id: one.id,
        note: passed.map(|passed| passed.overtaking_note(key, now)),
    })
}
