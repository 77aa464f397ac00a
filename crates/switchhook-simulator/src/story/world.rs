//! State that all stories share: the time, the random numbers, the company, and the events so far.

use std::collections::VecDeque;

use switchhook_protocol::{Kind, Timestamp};

use crate::company::{Company, EntityIndex};
use crate::dialect::Dialect;
use crate::event::SimulatedEvent;
use crate::json::Json;
use crate::rng::Rng;
use crate::story::Story;

/// The company in its time.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) rng: Rng,
    pub(crate) company: Company,
    pub(crate) dialect: Dialect,
    /// The number of the story that is being told.
    pub(crate) story: u64,
    /// Stories that begin now.
    pub(crate) begun: Vec<Story>,
    told: VecDeque<SimulatedEvent>,
}

impl World {
    pub(crate) const fn new(now: Timestamp, rng: Rng, company: Company, dialect: Dialect) -> Self {
        Self {
            now,
            rng,
            company,
            dialect,
            story: 0,
            begun: Vec::new(),
            told: VecDeque::new(),
        }
    }

    /// Tells that something happened, now.
    pub(crate) fn tell(
        &mut self,
        kind: Kind,
        subject: i64,
        step: &'static str,
        write: impl FnOnce(&mut Json, &Self),
    ) {
        let body = Json::object_of(self.dialect, |json| write(json, self));
        self.told.push_back(SimulatedEvent {
            kind,
            at: self.now,
            story: self.story,
            subject,
            step,
            body,
        });
    }

    /// Somebody of the company.
    pub(crate) fn some_user(&mut self) -> EntityIndex {
        *self.rng.pick(&self.company.users)
    }

    /// Two different people of the company.
    pub(crate) fn two_users(&mut self) -> (EntityIndex, EntityIndex) {
        let count = self.company.users.len() as u64;
        let first = self.rng.between(0..=count - 1);
        let second = (first + self.rng.between(1..=count - 1)) % count;
        (
            self.company.users[first as usize],
            self.company.users[second as usize],
        )
    }

    /// Somebody outside: a place in the address book.
    pub(crate) fn some_contact(&mut self) -> usize {
        self.rng.between(0..=self.company.contacts.len() as u64 - 1) as usize
    }

    /// A contact centre.
    pub(crate) fn some_center(&mut self) -> usize {
        self.rng.between(0..=self.company.centers.len() as u64 - 1) as usize
    }

    /// A group with a number of its own.
    pub(crate) fn some_group(&mut self) -> EntityIndex {
        if self.rng.chance(50) {
            *self.rng.pick(&self.company.departments)
        } else {
            let center = self.some_center();
            self.company.centers[center].entity
        }
    }

    pub(crate) fn next_told(&mut self) -> Option<SimulatedEvent> {
        self.told.pop_front()
    }
}
