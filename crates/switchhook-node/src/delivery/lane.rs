//! One webhook's part of the engine: what waits for it in memory, in which order, and how much it may have at once.
//!
//! No IO and no clock: the engine tells it what happened and does what it answers.
//!
//! # What is claimed is started
//! Claiming what then only goes back would go on for ever, so a lane asks the store for nothing
//! - while anything is on its way back: what comes behind it would have to go back too;
//! - while the lease of anything that it has is over: the store would open a second claim of the same delivery;
//! - before its rate or its breaker lets one start, nor for more than can start while the lease lasts.
//!
//! What is claimed then has nothing before it but attempts, each of which ends.

mod pace;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use switchhook_domain::Timestamp;
use switchhook_domain::attempt::OutcomeClass;
use switchhook_domain::breaker::{Breaker, Transition};
use switchhook_domain::id::DeliveryId;
use switchhook_domain::order::OrderKey;
use switchhook_store::{ClaimedDelivery, Release};

use self::pace::Pace;
use super::memory::Memory;
use crate::destination::{Health, Load};

/// How many deliveries may be in memory for each attempt that may be under way.
const HANDED_OVER_PER_ATTEMPT: u32 = 16;

/// How long a lane waits after a claim that brought nothing although something was due; twice as long after each further one,
/// up to two seconds.
const FRUITLESS_WAIT: Duration = Duration::from_millis(60);

/// How many successes in a row it takes to allow one more attempt at once, after failures had lowered it.
const SUCCESSES_TO_GROW: u32 = 1;

/// One webhook's turn.
pub(super) struct Lane {
    /// What may start now.
    ready: VecDeque<Box<ClaimedDelivery>>,
    /// What goes one after the other.
    chains: HashMap<OrderKey, Chain>,
    /// Attempts under way.
    in_flight: u32,
    /// What this node has claimed and not settled. By the attempt too: while the store does not answer, an old claim of a
    /// delivery may not be settled when a new one comes.
    handed_over: HashMap<ClaimId, Held>,
    /// How many of those are on their way back.
    returning: u32,
    /// How many can start while a lease lasts, if there is a rate.
    paced: u32,
    /// How many bytes their events have.
    bytes: usize,
    /// How many attempts may be under way; falls with failures, grows with successes.
    limit: u32,
    /// When the store has something due for this webhook that is not claimed.
    due_in_store: Option<Timestamp>,
    /// Set while a claim is under way: what became due in the store meanwhile.
    claiming: Option<Option<Timestamp>>,
    /// How many claims in a row brought nothing although something was due: others are busy with it.
    fruitless: u32,
    pace: Pace,
    load: Arc<Load>,
    memory: Arc<Memory>,
}

/// Which claim: of which delivery, at which attempt.
type ClaimId = (DeliveryId, u32);

fn id_of(claimed: &ClaimedDelivery) -> ClaimId {
    (claimed.delivery.id, claimed.delivery.attempt_number)
}

/// A claim that this node has.
struct Held {
    order_key: Option<OrderKey>,
    lease_end: Timestamp,
    bytes: usize,
    is_returning: bool,
}

/// Deliveries with one order key that this node has claimed.
#[derive(Default)]
struct Chain {
    /// The one that is started or ready.
    current: Option<ClaimId>,
    /// Those behind it.
    waiting: VecDeque<Box<ClaimedDelivery>>,
    /// How many of the lane's claims have this key. With the last of them the chain goes.
    members: u32,
    /// Whether one failed and blocks: what is behind it goes back to the store.
    is_broken: bool,
}

impl Chain {
    /// Takes out what waits, which goes back: what comes behind it must not overtake it.
    fn break_off(&mut self) -> VecDeque<Box<ClaimedDelivery>> {
        self.is_broken |= !self.waiting.is_empty();
        std::mem::take(&mut self.waiting)
    }
}

impl Lane {
    pub(super) fn new(load: Arc<Load>, max_in_flight: u32, memory: Arc<Memory>) -> Self {
        let lane = Self {
            ready: VecDeque::new(),
            chains: HashMap::new(),
            in_flight: 0,
            handed_over: HashMap::new(),
            bytes: 0,
            returning: 0,
            paced: u32::MAX,
            limit: max_in_flight,
            due_in_store: None,
            claiming: None,
            fruitless: 0,
            pace: Pace::default(),
            load,
            memory,
        };
        lane.publish();
        lane
    }

    /// Takes a claimed delivery. Gives it back if one that it must not overtake has failed.
    pub(super) fn take(&mut self, claimed: Box<ClaimedDelivery>) -> Option<Release> {
        self.hold(&claimed);
        let Some(key) = claimed.delivery.order_key.clone() else {
            self.ready.push_back(claimed);
            return None;
        };
        let chain = self.chains.entry(key).or_default();
        if chain.is_broken {
            return Some(self.give_back(&claimed));
        }
        if chain.current.is_some() {
            chain.waiting.push_back(claimed);
        } else {
            chain.current = Some(id_of(&claimed));
            self.ready.push_back(claimed);
        }
        None
    }

    /// Gives a delivery back at once of which it is not known whether it is this node's. What comes behind it waits for that.
    pub(super) fn take_doubtful(&mut self, claimed: &ClaimedDelivery) -> Release {
        self.hold(claimed);
        if let Some(key) = &claimed.delivery.order_key {
            self.chains.entry(key.clone()).or_default().is_broken = true;
        }
        self.give_back(claimed)
    }

    fn hold(&mut self, claimed: &ClaimedDelivery) {
        let order_key = claimed.delivery.order_key.clone();
        let held = Held {
            order_key: order_key.clone(),
            lease_end: claimed.delivery.state.at(),
            bytes: claimed.body.len(),
            is_returning: false,
        };
        self.bytes += held.bytes;
        let before = self.handed_over.insert(id_of(claimed), held);
        if let Some(before) = &before {
            self.bytes -= before.bytes;
            self.returning -= u32::from(before.is_returning);
        }
        if let Some(key) = order_key.filter(|_| before.is_none()) {
            self.chains.entry(key).or_default().members += 1;
        }
        self.publish();
    }

    fn give_back(&mut self, claimed: &ClaimedDelivery) -> Release {
        if let Some(held) = self.handed_over.get_mut(&id_of(claimed))
            && !std::mem::replace(&mut held.is_returning, true)
        {
            self.returning += 1;
        }
        let delivery = &claimed.delivery;
        Release {
            delivery_id: delivery.id,
            webhook_id: delivery.webhook_id,
            attempt_number: delivery.attempt_number,
            due_at: claimed.was_due_at,
        }
    }

    /// The next delivery to attempt, if there is one and another attempt may start now. It counts as under way until it
    /// is [`Lane::ended`] or [`Lane::not_attempted`].
    pub(super) fn start(&mut self, now: Timestamp) -> Option<Box<ClaimedDelivery>> {
        if !self.can_start(now) {
            return None;
        }
        let claimed = self.ready.pop_front()?;
        self.in_flight += 1;
        Some(claimed)
    }

    /// The delivery that [`Lane::start`] would answer with, if another attempt may start now.
    pub(super) fn next(&self) -> Option<&ClaimedDelivery> {
        self.ready.front().map(|claimed| &**claimed)
    }

    /// Whether an attempt is under way.
    pub(super) const fn is_attempting(&self) -> bool {
        self.in_flight > 0
    }

    /// What was started is attempted indeed. `rate`: how many may be in a second.
    pub(super) fn attempted(&mut self, now: Timestamp, rate: Option<f64>) {
        self.pace.started(now, rate);
    }

    /// Keeps to as many as can start at `rate` within `time`, which is what a lease leaves for it.
    pub(super) fn keep_to(&mut self, rate: Option<f64>, time: Duration) {
        let paced = rate.map_or(u32::MAX, |rate| (rate * time.as_secs_f64()).max(1.0) as u32);
        if std::mem::replace(&mut self.paced, paced) != paced {
            self.publish();
        }
    }

    /// Whether [`Lane::start`] would answer with a delivery.
    pub(super) fn can_start(&self, now: Timestamp) -> bool {
        self.in_flight < self.at_once()
            && !self.ready.is_empty()
            && self.not_before(now).is_none_or(|at| at <= now)
    }

    /// When an attempt may start at the earliest; `None`: at any time.
    fn not_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.load
            .health
            .read()
            .breaker
            .not_before()
            .max(self.pace.not_before(now))
    }

    /// How many attempts may be under way: through an open breaker, one.
    fn at_once(&self) -> u32 {
        if self.is_open() { 1 } else { self.limit }
    }

    fn is_open(&self) -> bool {
        self.load.health.read().breaker.is_open()
    }

    /// Notes how an attempt ended; answers what that did to the breaker.
    pub(super) fn note(&self, class: OutcomeClass, now: Timestamp) -> (Transition, Breaker) {
        let mut health = self.load.health.write();
        let transition = Health::note(&mut health, class, now);
        (transition, health.breaker)
    }

    /// An attempt that was started is over. If it blocks its order key, what was behind it is given back.
    pub(super) fn ended(&mut self, key: Option<&OrderKey>, blocks: bool) -> Vec<Release> {
        self.in_flight -= 1;
        self.move_on(key, blocks)
    }

    /// A delivery that was started is not attempted after all: it goes back, and what is behind it too.
    pub(super) fn not_attempted(&mut self, claimed: &ClaimedDelivery) -> Vec<Release> {
        self.in_flight -= 1;
        let mut back = vec![self.give_back(claimed)];
        back.extend(self.move_on(claimed.delivery.order_key.as_ref(), true));
        back
    }

    fn move_on(&mut self, key: Option<&OrderKey>, blocks: bool) -> Vec<Release> {
        let Some(chain) = key.and_then(|key| self.chains.get_mut(key)) else {
            return Vec::new();
        };
        chain.current = None;
        if blocks {
            chain.is_broken = true;
            let waiting = std::mem::take(&mut chain.waiting);
            return waiting.iter().map(|claimed| self.give_back(claimed)).collect();
        }
        if let Some(next) = chain.waiting.pop_front() {
            chain.current = Some(id_of(&next));
            self.ready.push_back(next);
        }
        Vec::new()
    }

    /// A delivery was cancelled: if it is not started, it goes back, and what is behind it goes on.
    pub(super) fn cancelled(&mut self, id: DeliveryId) -> Option<Release> {
        let place_in =
            |line: &VecDeque<Box<ClaimedDelivery>>| line.iter().position(|claimed| claimed.delivery.id == id);
        if let Some(place) = place_in(&self.ready) {
            let claimed = self.ready.remove(place)?;
            let back = self.give_back(&claimed);
            self.move_on(claimed.delivery.order_key.as_ref(), false);
            return Some(back);
        }
        let key_of_it = |((held_id, _), held): (&ClaimId, &Held)| {
            let key = held
                .order_key
                .as_ref()
                .filter(|_| *held_id == id && !held.is_returning);
            key.cloned()
        };
        let key = self.handed_over.iter().find_map(key_of_it)?;
        let waiting = &mut self.chains.get_mut(&key)?.waiting;
        let place = place_in(waiting)?;
        let claimed = waiting.remove(place)?;
        Some(self.give_back(&claimed))
    }

    /// Gives back everything that is not started.
    pub(super) fn give_back_all(&mut self) -> Vec<Release> {
        let mut back = self.give_back_ready(0);
        let waiting: Vec<_> = self.chains.values_mut().flat_map(Chain::break_off).collect();
        back.extend(waiting.iter().map(|claimed| self.give_back(claimed)));
        back.sort_unstable_by_key(|release| release.delivery_id);
        back
    }

    /// Gives back what is ready beyond what the lane may now have.
    pub(super) fn give_back_surplus(&mut self) -> Vec<Release> {
        let share = self.share();
        let mut bytes = 0;
        let fit = self
            .ready
            .iter()
            .take(self.allowance() as usize)
            .take_while(|claimed| {
                let is_first = bytes == 0;
                bytes += claimed.body.len();
                is_first || bytes <= share
            })
            .count();
        self.give_back_ready(fit)
    }

    fn give_back_ready(&mut self, keep: usize) -> Vec<Release> {
        let mut back = Vec::new();
        while self.ready.len() > keep {
            let claimed = self.ready.pop_back().expect("it is longer than something");
            back.push(self.give_back(&claimed));
            // Until the store has taken it back, what comes behind it must not overtake it.
            back.extend(self.move_on(claimed.delivery.order_key.as_ref(), true));
        }
        back
    }

    /// The store says that a claim is no longer this node's; answers whether it was.
    pub(super) fn settled(&mut self, id: DeliveryId, attempt_number: u32) -> bool {
        let Some(held) = self.handed_over.remove(&(id, attempt_number)) else {
            return false;
        };
        self.bytes -= held.bytes;
        self.returning -= u32::from(held.is_returning);
        self.publish();
        if let Some(key) = held.order_key
            && let Some(chain) = self.chains.get_mut(&key)
        {
            chain.members -= 1;
            if chain.members == 0 {
                self.chains.remove(&key);
            }
        }
        true
    }

    /// Whether the lease of anything that it has is over.
    pub(super) fn has_overdue(&self, now: Timestamp) -> bool {
        self.handed_over.values().any(|held| held.lease_end <= now)
    }

    /// The receiver took a delivery: it may get more at once, up to `max_in_flight`.
    pub(super) fn went_well(&mut self, max_in_flight: u32) {
        self.limit = (self.limit + SUCCESSES_TO_GROW).min(max_in_flight);
        self.publish();
    }

    /// The receiver was silent or broken: it gets half as much at once, so that it does not fill the node with waiting.
    pub(super) fn went_badly(&mut self) {
        self.limit = (self.limit / 2).max(1);
        self.publish();
    }

    /// It may have no more at once than `max_in_flight` from now on.
    pub(super) fn lower_to(&mut self, max_in_flight: u32) {
        self.limit = self.limit.min(max_in_flight);
        self.publish();
    }

    /// The store has something for this lane at `due_at`.
    pub(super) fn due_in_store(&mut self, due_at: Timestamp) {
        self.due_in_store = earlier(self.due_in_store, Some(due_at));
        if let Some(meanwhile) = &mut self.claiming {
            *meanwhile = earlier(*meanwhile, Some(due_at));
        }
    }

    /// When to look into the store next, if not already looking.
    pub(super) fn next_claim_at(&self) -> Option<Timestamp> {
        if self.claiming.is_some() || self.returning > 0 || self.room() == 0 {
            return None;
        }
        let probe_at = self.load.health.read().breaker.not_before();
        let start_at = probe_at.max(self.pace.next());
        self.due_in_store
            .map(|due_at| start_at.map_or(due_at, |start_at| start_at.max(due_at)))
    }

    /// When there is something to do next: to claim, or to start what is ready and had to wait.
    pub(super) fn next_step_at(&self, now: Timestamp) -> Option<Timestamp> {
        let waits = !self.ready.is_empty() && self.in_flight < self.at_once();
        let start_at = self.not_before(now).filter(|at| waits && *at > now);
        earlier(self.next_claim_at(), start_at)
    }

    /// How many more it can take. Waits until half is free, so that claims are few and large.
    pub(super) fn room(&self) -> u32 {
        let allowance = self.allowance();
        if self.is_open() {
            return 1_u32.saturating_sub(self.handed_over());
        }
        if self.handed_over() * 2 > allowance || self.bytes > self.share() / 2 {
            0
        } else {
            allowance - self.handed_over()
        }
    }

    /// How many bytes the events of its deliveries have.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many more bytes it can take.
    pub(super) fn bytes_room(&self) -> usize {
        self.share().saturating_sub(self.bytes)
    }

    /// How many bytes it may have.
    fn share(&self) -> usize {
        self.memory.share(self.allowance())
    }

    /// A claim for this lane is under way.
    pub(super) fn claim_began(&mut self) {
        self.claiming = Some(None);
    }

    /// The claim was answered: so many were `claimed`, and the next delivery in the store is due at `next_due_at`.
    pub(super) fn claim_ended(&mut self, claimed: u32, next_due_at: Option<Timestamp>, now: Timestamp) {
        let meanwhile = self.claiming.take().flatten();
        let is_fruitless = claimed == 0 && next_due_at.is_some_and(|due_at| due_at <= now);
        self.fruitless = if is_fruitless { self.fruitless + 1 } else { 0 };
        let patience = FRUITLESS_WAIT * (1 << self.fruitless.min(6)) / 2;
        let not_before = now.plus(patience);
        let next_due_at = next_due_at.map(|due_at| match self.fruitless {
            0 => due_at,
            _ => due_at.max(not_before),
        });
        self.due_in_store = earlier(next_due_at, meanwhile);
    }

    /// The node has no room for this lane now: it asks again at `at`.
    pub(super) fn postpone(&mut self, at: Timestamp) {
        self.due_in_store = Some(at);
    }

    /// The claim could not be made: what was due still is.
    pub(super) fn claim_failed(&mut self) {
        self.claiming = None;
    }

    /// Whether there is nothing left to remember.
    pub(super) fn is_idle(&self) -> bool {
        self.handed_over.is_empty()
            && self.due_in_store.is_none()
            && self.claiming.is_none()
            && self.chains.is_empty()
    }

    /// How many deliveries this node has claimed and not settled.
    pub(super) fn handed_over(&self) -> u32 {
        u32::try_from(self.handed_over.len()).unwrap_or(u32::MAX)
    }

    /// Since when the oldest delivery that could start has existed.
    pub(super) fn oldest_ready(&self) -> Option<Timestamp> {
        self.ready.front().map(|claimed| claimed.delivery.created_at)
    }

    fn allowance(&self) -> u32 {
        self.limit.saturating_mul(HANDED_OVER_PER_ATTEMPT).min(self.paced)
    }

    fn publish(&self) {
        self.load.handed_over.store(self.handed_over(), Ordering::Relaxed);
        self.load.bytes.store(self.bytes, Ordering::Relaxed);
        self.load.allowance.store(self.allowance(), Ordering::Relaxed);
    }
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
