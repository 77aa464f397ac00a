//! Deliveries that were born claimed in the open transaction and have no row yet.
//!
//! Most are delivered before the transaction is committed. Then they get one row, as it is in the end, instead of one
//! that enters the indexes of what is under way and leaves them again. The others get theirs when somebody looks for it,
//! and before the commit.

use std::collections::BTreeMap;

use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_domain::order::OrderKey;

use crate::order_queue::{Queued, Start};

/// All of them are claimed by this node.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    deliveries: BTreeMap<DeliveryId, Delivery>,
    /// Those with an order key, by their order queue.
    queues: BTreeMap<(WebhookId, OrderKey), Vec<DeliveryId>>,
}

impl Deferred {
    pub(super) fn put(&mut self, delivery: Delivery) {
        if let Some(key) = &delivery.order_key {
            let queue = (delivery.webhook_id, key.clone());
            self.queues.entry(queue).or_default().push(delivery.id);
        }
        self.deliveries.insert(delivery.id, delivery);
    }

    /// Takes one out whose open attempt has this number: it gets its row now.
    pub(super) fn take(&mut self, id: DeliveryId, attempt_number: u32) -> Option<Delivery> {
        if self.deliveries.get(&id)?.attempt_number != attempt_number {
            return None;
        }
        let delivery = self.deliveries.remove(&id)?;
        if let Some(key) = &delivery.order_key {
            let queue = (delivery.webhook_id, key.clone());
            if let Some(ids) = self.queues.get_mut(&queue) {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    self.queues.remove(&queue);
                }
            }
        }
        Some(delivery)
    }

    /// Those of an order queue.
    pub(super) fn queue(&self, webhook_id: WebhookId, key: &OrderKey) -> impl Iterator<Item = Queued> {
        let ids = self.queues.get(&(webhook_id, key.clone()));
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.deliveries.get(id))
            .map(|delivery| Queued::made(delivery, Start::Claimed, delivery.id.0))
    }

    /// Takes all of them out: they get their rows now.
    pub(super) fn take_all(&mut self) -> Vec<Delivery> {
        self.queues.clear();
        std::mem::take(&mut self.deliveries).into_values().collect()
    }

    /// Forgets all: their transaction was rolled back.
    pub(super) fn clear(&mut self) {
        self.deliveries.clear();
        self.queues.clear();
    }
}
