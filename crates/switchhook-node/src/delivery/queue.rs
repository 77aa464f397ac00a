//! One webhook's part of the engine: what this node has claimed of its deliveries, what waits in the store, and how much may
//! be under way at once.
//!
//! No IO and no clock: the engine says what happened and does what is answered.
//!
//! # What is claimed is started
//! Claiming what then only goes back would go on for ever, so a queue asks the store for nothing
//! - while anything is on its way back: what comes behind it would have to go back too;
//! - while the lease of anything that it has is over: the store would open a second claim of the same delivery;
//! - before its rate or its breaker lets one start, nor for more than can start while the lease lasts.
//!
//! What is claimed then has nothing before it but attempts, each of which ends.

mod backlog;
mod claims;
mod limits;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{HealthSignal, OutcomeClass};
use switchhook_domain::breaker::Breaker;
use switchhook_domain::id::DeliveryId;
use switchhook_domain::order::OrderKey;
use switchhook_domain::outage::LastFailure;
use switchhook_protocol::LARGEST_EVENT;
use switchhook_store::{ClaimedDelivery, Release};

use self::backlog::{Backlog, earlier};
use self::claims::Claims;
use self::limits::Limits;
use super::body::size_of_body;
use super::memory::{Memory, Purpose, Reservation};
use crate::destination::{Destination, Health, HealthChange, Load};

/// Queue of one webhook.
pub(super) struct WebhookQueue {
    claims: Claims,
    backlog: Backlog,
    limits: Limits,
    /// Number of attempts in flight.
    in_flight: u32,
    /// The claimed deliveries that somebody wants to see sent now, whatever the breaker says.
    urgent: BTreeSet<DeliveryId>,
    /// State shared with those who accept events, and the receiver's health.
    load: Arc<Load>,
    memory: Arc<Memory>,
}

/// A delivery whose attempt begins.
pub(super) struct StartedDelivery {
    pub(super) claimed: Box<ClaimedDelivery>,
    /// The room for what is made of its event, if anything is.
    pub(super) room: Option<Reservation>,
}

/// There is no room in memory now for what is made of an event.
#[derive(Debug)]
pub(super) struct NoRoom;

/// End of an attempt, as far as it concerns the webhook's queue.
pub(super) struct AttemptEnd<'a> {
    pub(super) order_key: Option<&'a OrderKey>,
    /// True if the delivery blocks its order key, because it failed and is tried again.
    pub(super) is_blocking: bool,
    pub(super) class: OutcomeClass,
    /// This node's cap on attempts in flight.
    pub(super) max_in_flight: u32,
}

impl WebhookQueue {
    pub(super) fn new(load: Arc<Load>, max_in_flight: u32, memory: Arc<Memory>) -> Self {
        let queue = Self {
            claims: Claims::default(),
            backlog: Backlog::default(),
            limits: Limits::new(max_in_flight),
            in_flight: 0,
            urgent: BTreeSet::new(),
            load,
            memory,
        };
        queue.publish();
        queue
    }

    // --- What comes in, and what goes back ------------------------------------------------------------------------

    /// Takes a claimed delivery in. Gives it back if something that it must not overtake went back or failed.
    pub(super) fn take(&mut self, claimed: Box<ClaimedDelivery>) -> Option<Release> {
        let back = self.claims.take(claimed);
        self.publish();
        back
    }

    /// Gives a delivery back of which it is not known whether it is this node's. What comes behind it waits for that.
    pub(super) fn take_doubtful(&mut self, claimed: &ClaimedDelivery) -> Release {
        let back = self.claims.take_doubtful(claimed);
        self.publish();
        back
    }

    /// The store says that a claim is no longer this node's; answers whether it was.
    pub(super) fn settled(&mut self, id: DeliveryId, attempt_number: u32) -> bool {
        let was_here = self.claims.settled(id, attempt_number);
        if was_here {
            self.urgent.remove(&id);
            self.publish();
        }
        was_here
    }

    /// A delivery was cancelled: unless it is under way it goes back, and what is behind it goes on.
    pub(super) fn cancelled(&mut self, id: DeliveryId) -> Option<Release> {
        self.claims.cancelled(id)
    }

    /// Gives back everything that is not under way.
    pub(super) fn give_back_all(&mut self) -> Vec<Release> {
        self.claims.give_back_all()
    }

    /// Gives back what is ready beyond what may now be in memory.
    fn give_back_surplus(&mut self) -> Vec<Release> {
        let share = self.share();
        let mut bytes = 0;
        let ready = self.claims.ready().take(self.limits.allowance() as usize);
        let fit = ready.take_while(|claimed| {
            let is_first = bytes == 0;
            bytes += claimed.body.len();
            is_first || bytes <= share
        });
        let keep = fit.count();
        self.claims.give_back_ready(keep)
    }

    /// True if the lease of any claim has expired.
    pub(super) fn has_overdue(&self, now: Timestamp) -> bool {
        self.claims.has_overdue(now)
    }

    // --- Attempts -------------------------------------------------------------------------------------------------

    /// True if [`WebhookQueue::start`] would return a delivery.
    pub(super) fn can_start(&self, now: Timestamp) -> bool {
        self.next_place(now).is_some()
    }

    /// Index of the ready delivery to start next: an urgent one, else the first.
    fn next_place(&self, now: Timestamp) -> Option<usize> {
        let is_due = |at: Option<Timestamp>| at.is_none_or(|at| at <= now);
        if let Some(place) = self.urgent_place()
            && self.in_flight <= self.limits.cap()
            && is_due(self.limits.next_start_at())
        {
            return Some(place);
        }
        let breaker = self.breaker();
        let may_start = self.has_free_attempt(breaker) && is_due(self.start_at(breaker));
        may_start.then_some(0)
    }

    fn urgent_place(&self) -> Option<usize> {
        if self.urgent.is_empty() {
            return None;
        }
        let mut ready = self.claims.ready();
        ready.position(|claimed| self.urgent.contains(&claimed.delivery.id))
    }

    /// A claimed delivery is to be sent now, whatever the breaker says.
    pub(super) fn make_urgent(&mut self, id: DeliveryId) {
        self.urgent.insert(id);
    }

    /// True if only time keeps a delivery from starting.
    fn has_free_attempt(&self, breaker: Breaker) -> bool {
        let cap = if breaker.is_open() { 1 } else { self.limits.cap() };
        self.in_flight < cap && self.claims.ready().len() > 0
    }

    /// Earliest start that breaker and rate allow; `None` if at once.
    fn start_at(&self, breaker: Breaker) -> Option<Timestamp> {
        breaker.not_before().max(self.limits.next_start_at())
    }

    fn breaker(&self) -> Breaker {
        self.load.health.read().breaker
    }

    /// The next delivery to attempt, if there is one and another attempt may start now. It counts as under way until it
    /// is [`WebhookQueue::ended`] or [`WebhookQueue::not_attempted`].
    pub(super) fn start(
        &mut self,
        destination: Option<&Destination>,
        now: Timestamp,
    ) -> Result<Option<StartedDelivery>, NoRoom> {
        let Some(place) = self.next_place(now) else {
            return Ok(None);
        };
        let room = self.room_for_body(place, destination)?;
        let Some(claimed) = self.claims.start(place) else {
            return Ok(None);
        };
        self.urgent.remove(&claimed.delivery.id);
        self.in_flight += 1;
        Ok(Some(StartedDelivery { claimed, room }))
    }

    /// The room for what is made of a delivery that is ready for its receiver, if anything is.
    fn room_for_body(
        &self,
        place: usize,
        destination: Option<&Destination>,
    ) -> Result<Option<Reservation>, NoRoom> {
        let (Some(destination), Some(next)) = (destination, self.claims.ready().nth(place)) else {
            return Ok(None);
        };
        let size = size_of_body(next, destination);
        if size == 0 {
            return Ok(None);
        }
        let purpose = if self.in_flight > 0 {
            Purpose::Body
        } else {
            Purpose::FirstBody
        };
        self.memory.reserve(size, purpose).map(Some).ok_or(NoRoom)
    }

    /// Counts a started attempt against `rate`, in attempts per second.
    pub(super) fn attempted(&mut self, now: Timestamp, rate: Option<f64>) {
        self.limits.started(now, rate);
    }

    /// A delivery that was started is not attempted after all: it goes back, and what is behind it too.
    pub(super) fn not_attempted(&mut self, claimed: &ClaimedDelivery) -> Vec<Release> {
        self.in_flight -= 1;
        self.claims.not_attempted(claimed)
    }

    /// An attempt that was started is over. If it blocks its order key, what was behind it is given back; if the receiver
    /// was silent or broken, what it may no longer have in memory too.
    pub(super) fn ended(&mut self, end: &AttemptEnd<'_>) -> Vec<Release> {
        self.in_flight -= 1;
        let mut back = self.claims.ended(end.order_key, end.is_blocking);
        match end.class.consequences().cap {
            HealthSignal::Good => {
                self.limits.raise(end.max_in_flight);
                self.publish();
            }
            HealthSignal::Bad => {
                self.limits.halve();
                self.publish();
                back.extend(self.give_back_surplus());
            }
            HealthSignal::Neither => {}
        }
        back
    }

    /// Takes note of how an attempt ended; answers what that did, and how the breaker is.
    pub(super) fn note(
        &self,
        class: OutcomeClass,
        last: LastFailure,
        has_breaker: bool,
        now: Timestamp,
    ) -> (HealthChange, Breaker) {
        let mut health = self.load.health.write();
        let noted = Health::note(&mut health, class, last, has_breaker, now);
        (noted, health.breaker)
    }

    // --- Limits ---------------------------------------------------------------------------------------------------

    /// Allows in memory what can start at `rate` (attempts a second) within `time`, which is what a lease leaves for it.
    pub(super) fn keep_to(&mut self, rate: Option<f64>, time: Duration) {
        if self.limits.keep_to(rate, time) {
            self.publish();
        }
    }

    /// No more than `max_in_flight` attempts may be under way from now on.
    pub(super) fn lower_to(&mut self, max_in_flight: u32) {
        self.limits.lower_to(max_in_flight);
        self.publish();
    }

    /// Bound on the events in memory, in bytes.
    fn share(&self) -> usize {
        self.memory.share(self.limits.allowance())
    }

    // --- Claiming -------------------------------------------------------------------------------------------------

    pub(super) const fn backlog(&mut self) -> &mut Backlog {
        &mut self.backlog
    }

    /// Time of the next claim, if something is due in the store and there is room.
    pub(super) fn next_claim_at(&self) -> Option<Timestamp> {
        let due_at = self.backlog.next_claim_at()?;
        if self.claims.is_returning() || self.room() == 0 {
            return None;
        }
        let start_at = self.start_at(self.breaker());
        Some(start_at.map_or(due_at, |start_at| start_at.max(due_at)))
    }

    /// Time of the next claim or start.
    pub(super) fn next_step_at(&self, now: Timestamp) -> Option<Timestamp> {
        let breaker = self.breaker();
        let start_at = self
            .start_at(breaker)
            .filter(|at| *at > now && self.has_free_attempt(breaker));
        earlier(self.next_claim_at(), start_at)
    }

    /// Number of deliveries to claim. Zero until half of the room is free, so that claims are few and large.
    pub(super) fn room(&self) -> u32 {
        let (claimed, allowance) = (self.claims.count(), self.limits.allowance());
        if self.breaker().is_open() {
            return 1_u32.saturating_sub(claimed);
        }
        if claimed * 2 > allowance || self.claims.bytes() > self.share() / 2 {
            0
        } else {
            allowance - claimed
        }
    }

    /// After how many bytes a claim is to stop that has so many webhooks, and the room for what that may come to.
    pub(super) fn room_for_claim(&self, webhooks: usize) -> Option<(usize, Reservation)> {
        let has = self.claims.bytes();
        let purpose = Purpose::event(has, LARGEST_EVENT);
        let bytes = self
            .share()
            .saturating_sub(has)
            .min(self.memory.room(purpose) / webhooks)
            .max(1);
        // The last event of a claim begins below the bytes and may end beyond them.
        [bytes, 1].into_iter().find_map(|bytes| {
            let room = self.memory.reserve(bytes - 1 + LARGEST_EVENT, purpose)?;
            Some((bytes, room))
        })
    }

    // --- What others see ------------------------------------------------------------------------------------------

    /// True if the queue can be dropped.
    pub(super) fn is_idle(&self) -> bool {
        self.claims.count() == 0 && self.backlog.is_empty()
    }

    /// Deliveries that this node has claimed and not settled.
    pub(super) fn claimed(&self) -> u32 {
        self.claims.count()
    }

    /// Since when the oldest delivery that could start has existed.
    pub(super) fn oldest_ready(&self) -> Option<Timestamp> {
        self.claims
            .ready()
            .next()
            .map(|claimed| claimed.delivery.created_at)
    }

    fn publish(&self) {
        self.load
            .handed_over
            .store(self.claims.count(), Ordering::Relaxed);
        self.load.bytes.store(self.claims.bytes(), Ordering::Relaxed);
        self.load
            .allowance
            .store(self.limits.allowance(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
