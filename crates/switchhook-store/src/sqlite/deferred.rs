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

use super::event_row::{self, EventRow};
use super::queues_with_rows::QueuesWithRows;
use super::row::first;
use super::statements::Statements;
use super::{attempt_row, bulk, delivery_row};
use crate::error::StoreError;
use crate::order_queue::{InitialState, QueuedDelivery};

/// Bounds on the rows of a sort that gather, and on the bytes of all: writing them takes about a millisecond, for which events
/// wait.
const MOST_GATHERED: usize = bulk::MOST;
const MOST_GATHERED_BYTES: usize = 256 * 1024;

#[derive(Default)]
pub(super) struct Deferred {
    /// Deliveries claimed by this node.
    deliveries: IdMap<DeliveryId, Delivery>,
    /// Those with an order key, by their order queue.
    queues: HashMap<(WebhookId, OrderKey), Vec<DeliveryId>, IdHash>,
    pub(super) gathered: WriteBuffer,
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
    events: Vec<EventRow>,
    /// Deliveries that ended with their first attempt, and that: those whose row can hold both, and the others.
    delivered: Vec<(Delivery, Attempt)>,
    ended: Vec<(Delivery, Attempt)>,
    bytes: usize,
}

/// Part of the buffer that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    All,
    /// What fills the largest statements.
    Full,
}

impl WriteBuffer {
    /// What of it should be written now, if anything.
    pub(super) fn full(&self) -> Option<Extent> {
        if self.bytes >= MOST_GATHERED_BYTES {
            return Some(Extent::All);
        }
        let most = self.events.len().max(self.delivered.len()).max(self.ended.len());
        (most >= MOST_GATHERED).then_some(Extent::Full)
    }

    pub(super) fn write(
        &mut self,
        statements: &mut Statements<'_>,
        extent: Extent,
    ) -> Result<(), StoreError> {
        let count = |rows: usize| match extent {
            Extent::All => rows,
            Extent::Full => rows - rows % MOST_GATHERED,
        };
        let (events, delivered) = (count(self.events.len()), count(self.delivered.len()));
        let ended = count(self.ended.len());
        event_row::insert(statements, &self.events[..events])?;
        delivery_row::insert_delivered(statements, &self.delivered[..delivered])?;
        delivery_row::insert_ended(statements, &self.ended[..ended])?;
        attempt_row::insert_only(statements, &self.ended[..ended])?;
        self.events.drain(..events);
        self.delivered.drain(..delivered);
        self.ended.drain(..ended);
        let of_attempts = self.delivered.iter().chain(&self.ended).map(size_of_ended);
        self.bytes = self.events.iter().map(EventRow::size).chain(of_attempts).sum();
        Ok(())
    }
}

fn size_of_ended((_, attempt): &(Delivery, Attempt)) -> usize {
    let answer = attempt.answer.as_ref();
    answer.map_or(0, |answer| answer.body_head.len())
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
        let ended = (delivery, attempt);
        self.gathered.bytes += size_of_ended(&ended);
        let alike = if delivery_row::holds_attempt(&ended.0, &ended.1) {
            &mut self.gathered.delivered
        } else {
            &mut self.gathered.ended
        };
        alike.push(ended);
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
