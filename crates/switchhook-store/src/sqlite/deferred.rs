//! Deliveries and events without a row yet.
//!
//! Most deliveries that were born claimed are delivered within a few commits. Then they get one row, in its final
//! form, instead of one that enters the indexes of pending ones and leaves them again. The others get theirs when
//! somebody needs it, and before the journal restarts (`write_connection.rs`).
//!
//! Events, and deliveries that have ended, gather over several batches, so that their rows are written many at a
//! time.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use rusqlite::Connection;
use switchhook_domain::attempt::Attempt;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{DeliveryId, EventId, IdHash, IdMap, WebhookId};
use switchhook_domain::order::OrderKey;

use super::delivery_row;
use super::event_row::EventRow;
use super::queues_with_rows::QueuesWithRows;
use super::row::first;
use crate::error::StoreError;
use crate::order_queue::{InitialState, QueuedDelivery};

/// Bounds on the rows of a sort that gather, and on their bytes: writing them takes about a millisecond, for which
/// events wait.
const MOST_GATHERED: usize = 64;
const MOST_GATHERED_BYTES: usize = 256 * 1024;

#[derive(Default)]
pub(super) struct Deferred {
    /// Deliveries claimed by this node.
    deliveries: IdMap<DeliveryId, Delivery>,
    /// Those with an order key, by their order queue.
    queues: HashMap<(WebhookId, OrderKey), Vec<DeliveryId>, IdHash>,
    gathered: WriteBuffer,
    pub(super) queues_with_rows: QueuesWithRows,
    /// The largest id of an event when the transaction began, and those of its own events.
    largest_before: Option<EventId>,
    own: HashSet<EventId, IdHash>,
}

/// Knowledge about the id of an event that is being kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdState {
    /// No other event has it.
    New,
    /// One has it that may be among those that are gathered.
    Gathered,
    /// Only its row will tell.
    Unknown,
}

/// Rows that nobody needs yet, to be written in bulk.
#[derive(Default)]
pub(super) struct WriteBuffer {
    pub(super) events: Vec<EventRow>,
    /// Deliveries that ended with their first attempt, and that: those whose row can hold both, and the others.
    pub(super) delivered: Vec<(Delivery, Attempt)>,
    pub(super) ended: Vec<(Delivery, Attempt)>,
    bytes: usize,
}

impl Deferred {
    pub(super) fn put(&mut self, delivery: Delivery) {
        if let Some(key) = &delivery.order_key {
            let queue = (delivery.webhook_id, key.clone());
            self.queues.entry(queue).or_default().push(delivery.id);
        }
        self.deliveries.insert(delivery.id, delivery);
    }

    /// A transaction begins, of which nothing has been seen.
    pub(super) fn begin(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.queues_with_rows.read(connection)?;
        self.largest_before = match first(connection, LARGEST, &[], |row| row.get::<Option<i64>>(0)) {
            Ok(largest) => largest.map(|id| EventId(id.unwrap_or(0))),
            Err(StoreError::Corrupt(_)) => None,
            Err(error) => return Err(error),
        };
        self.own.clear();
        Ok(())
    }

    pub(super) fn note_event(&mut self, id: EventId) -> IdState {
        match (self.own.insert(id), self.largest_before) {
            (false, _) => IdState::Gathered,
            (true, Some(largest)) if largest < id => IdState::New,
            (true, _) => IdState::Unknown,
        }
    }

    pub(super) fn put_event(&mut self, event: EventRow) {
        self.gathered.bytes += event.size();
        self.gathered.events.push(event);
    }

    pub(super) fn put_ended(&mut self, delivery: Delivery, attempt: Attempt) {
        let answer = attempt.answer.as_ref();
        self.gathered.bytes += answer.map_or(0, |answer| answer.body_head.len());
        let alike = if delivery_row::holds_attempt(&delivery, &attempt) {
            &mut self.gathered.delivered
        } else {
            &mut self.gathered.ended
        };
        alike.push((delivery, attempt));
    }

    /// True if the buffer should be written.
    pub(super) fn is_full(&self) -> bool {
        let WriteBuffer {
            events,
            delivered,
            ended,
            bytes,
        } = &self.gathered;
        let most = events.len().max(delivered.len()).max(ended.len());
        most >= MOST_GATHERED || *bytes >= MOST_GATHERED_BYTES
    }

    pub(super) fn take_gathered(&mut self) -> WriteBuffer {
        std::mem::take(&mut self.gathered)
    }

    /// True if it holds claimed deliveries.
    pub(super) fn has_claimed(&self) -> bool {
        !self.deliveries.is_empty()
    }

    /// Takes one out whose open attempt has this number: it gets its row when it is known how it ended.
    pub(super) fn take(&mut self, id: DeliveryId, attempt_number: u32) -> Option<Delivery> {
        if self.deliveries.get(&id)?.attempt_number != attempt_number {
            return None;
        }
        let delivery = self.deliveries.remove(&id)?;
        if let Some(key) = &delivery.order_key {
            let queue = (delivery.webhook_id, key.clone());
            if let Entry::Occupied(mut ids) = self.queues.entry(queue) {
                ids.get_mut().retain(|other| *other != id);
                if ids.get().is_empty() {
                    ids.remove();
                }
            }
        }
        Some(delivery)
    }

    /// Those of an order queue.
    pub(super) fn queue(
        &self,
        webhook_id: WebhookId,
        key: &OrderKey,
    ) -> impl Iterator<Item = QueuedDelivery> {
        let ids = self.queues.get(&(webhook_id, key.clone()));
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.deliveries.get(id))
            .map(|delivery| QueuedDelivery::made(delivery, InitialState::Claimed, delivery.id.0))
    }

    /// Takes all that are claimed out: they get their rows now.
    pub(super) fn take_all(&mut self) -> Vec<Delivery> {
        self.queues.clear();
        let mut all: Vec<_> = std::mem::take(&mut self.deliveries).into_values().collect();
        all.sort_unstable_by_key(|delivery| delivery.id);
        all
    }

    /// Forgets all: their transaction was rolled back.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

pub(super) const LARGEST: &str = "SELECT max(id) FROM events";
