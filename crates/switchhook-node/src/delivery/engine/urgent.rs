//! Deliveries that somebody wants to see sent now: a test event, or one that is sent again. They are claimed by name, before what
//! is due, and started whatever the breaker says.

use std::collections::BTreeSet;

use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_store::{Claim, ClaimAnswer, ClaimRequest, ExpiredLeases, StoreError};
use tracing::warn;

use super::EngineParts;
use super::tasks::Tasks;

/// Bound on the urgent claims in flight. Deliveries beyond it are sent in their order.
const MOST: usize = 64;

/// Those that are being claimed.
#[derive(Debug, Default)]
pub(super) struct Urgent {
    asked: BTreeSet<DeliveryId>,
}

impl Urgent {
    pub(super) fn claim(
        &mut self,
        webhook_id: WebhookId,
        id: DeliveryId,
        parts: &EngineParts,
        tasks: &Tasks,
    ) {
        let now = parts.clock.now();
        let destination = parts.registry.destination(webhook_id);
        let is_sent_to = destination.is_some_and(|destination| destination.may_be_sent_to(now));
        if !is_sent_to || self.asked.len() >= MOST || !self.asked.insert(id) {
            return;
        }
        let request = ClaimRequest {
            webhook_id,
            limit: 1,
            bytes: 1,
            only: Some(id),
        };
        let claim = Claim {
            requests: vec![request],
            now,
            until: now.plus(parts.lease.0),
            expired: ExpiredLeases::Leave,
        };
        tasks.claim_now(id, claim);
    }

    /// True if the claimed delivery is an urgent one, which is then no longer expected.
    pub(super) fn take(&mut self, id: DeliveryId) -> bool {
        self.asked.remove(&id)
    }

    /// Takes the store's answer. What was claimed has come before it, through the hand-over stream.
    pub(super) fn answered(&mut self, id: DeliveryId, answer: Result<Vec<ClaimAnswer>, StoreError>) {
        self.asked.remove(&id);
        if let Err(error) = answer {
            warn!(%error, delivery_id = %id, "a delivery could not be claimed to be sent at once: it goes when it is its turn");
        }
    }
}
