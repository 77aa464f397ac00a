//! What was kept and has no row yet.
//!
//! Most deliveries that were born claimed are delivered within a few commits. Then they get one row, as it is in the end, instead of
//! one that enters the indexes of what is under way and leaves them again. The others get theirs when somebody looks for it, and
//! before the journal begins anew (`write_connection.rs`).
//!
//! Events, and deliveries that have ended, are gathered over several batches, so that their rows are written many at a time.

use std::collections::{BTreeMap, HashSet};

use rusqlite::Connection;
use switchhook_domain::attempt::Attempt;
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::{DeliveryId, EventId, IdHash, WebhookId};
use switchhook_domain::order::OrderKey;

use super::event_row::EventRow;
use super::queues_with_rows::QueuesWithRows;
use super::row::first;
use crate::error::StoreError;
use crate::order_queue::{Queued, Start};

/// How many rows of a sort are gathered, and how many bytes: to write them takes about a millisecond, for which events wait.
const MOST_GATHERED: usize = 64;
const MOST_GATHERED_BYTES: usize = 256 * 1024;

#[derive(Default)]
pub(super) struct Deferred {
    /// What is claimed by this node.
    deliveries: BTreeMap<DeliveryId, Delivery>,
    /// Those with an order key, by their order queue.
    queues: BTreeMap<(WebhookId, OrderKey), Vec<DeliveryId>>,
    gathered: Gathered,
    pub(super) queues_with_rows: QueuesWithRows,
    /// The largest id of an event when the transaction began, and those of its own events.
    largest_before: Option<EventId>,
    own: HashSet<EventId, IdHash>,
}

/// What is known of the id of an event that is being kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdOf {
    /// No other event has it.
    New,
    /// One has it that may be among those that are gathered.
    Gathered,
    /// Only its row will tell.
    Unknown,
}

/// What nobody looks for any more, or not yet.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) events: Vec<EventRow>,
    /// Deliveries that ended with their first attempt, and that.
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

    pub(super) fn note_event(&mut self, id: EventId) -> IdOf {
        match (self.own.insert(id), self.largest_before) {
            (false, _) => IdOf::Gathered,
            (true, Some(largest)) if largest < id => IdOf::New,
            (true, _) => IdOf::Unknown,
        }
    }

    pub(super) fn put_event(&mut self, event: EventRow) {
        self.gathered.bytes += event.size();
        self.gathered.events.push(event);
    }

    pub(super) fn put_ended(&mut self, delivery: Delivery, attempt: Attempt) {
        let answer = attempt.answer.as_ref();
        self.gathered.bytes += answer.map_or(0, |answer| answer.body_head.len());
        self.gathered.ended.push((delivery, attempt));
    }

    /// Whether what is gathered should be written.
    pub(super) fn is_full(&self) -> bool {
        let Gathered { events, ended, bytes } = &self.gathered;
        events.len().max(ended.len()) >= MOST_GATHERED || *bytes >= MOST_GATHERED_BYTES
    }

    pub(super) fn take_gathered(&mut self) -> Gathered {
        std::mem::take(&mut self.gathered)
    }

    /// Whether there are claimed deliveries among it.
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

    /// Takes all that are claimed out: they get their rows now.
    pub(super) fn take_all(&mut self) -> Vec<Delivery> {
        self.queues.clear();
        std::mem::take(&mut self.deliveries).into_values().collect()
    }

    /// Forgets all: their transaction was rolled back.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

pub(super) const LARGEST: &str = "SELECT max(id) FROM events";
