//! A call: its legs, and the script of what becomes of them.
//!
//! A script is a list of beats in virtual time, written with a few words (`to`, `wait`, `aside`), the same ones for the
//! company's life (`plots`, `queue`, `turns`) and for scenarios. The script can be written on while it is played: what
//! happens to a caller in a queue depends on who is free by then. What a leg may do next is `leg`'s, how it is written
//! `payload`'s.

mod leg;
mod payload;
pub(crate) mod plots;
mod queue;
mod topic;
mod turns;

use std::collections::VecDeque;

use switchhook_protocol::{CallState, Direction, Kind};

use self::leg::{Leg, Link};
use self::topic::Topic;
use crate::company::{Duty, EntityIndex};
use crate::story::Next;
use crate::story::agent_status;
use crate::story::world::World;

/// The place of a leg in its call.
pub(crate) type LegIndex = usize;

/// A call that goes on.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    direction: Direction,
    outside: Outside,
    topic: &'static Topic,
    legs: Vec<Leg>,
    /// Sorted by time.
    script: VecDeque<ScriptedAct>,
    /// Milliseconds since the beginning: how far the script has been played.
    clock: u64,
    /// Position at which it is being written.
    cursor: u64,
}

/// The other side of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    /// Somebody outside: a place in the address book.
    Contact(usize),
    /// A colleague.
    User(EntityIndex),
}

/// Something to do at a time.
#[derive(Clone, Copy, Debug)]
struct ScriptedAct {
    at: u64,
    act: Act,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// A leg comes to a state.
    Enter(LegIndex, CallState),
    /// An agent's duty changes because of the call.
    Duty(usize, Duty),
    /// Somebody who is an agent, too, talks on a line of their own, or is done.
    Busy(usize),
    NotBusy(usize),
    /// The call does not ask for the agent any more.
    Spare(usize),
    /// The caller asks a contact centre for somebody.
    Offer(queue::Offer),
}

impl Call {
    /// A call between the company and `outside`.
    pub(crate) fn new(world: &mut World, direction: Direction, outside: Outside) -> Self {
        Self {
            direction,
            outside,
            topic: topic::any(&mut world.rng),
            legs: Vec::new(),
            script: VecDeque::new(),
            clock: 0,
            cursor: 0,
        }
    }

    /// A call from somebody outside.
    pub(crate) fn inbound(world: &mut World) -> Self {
        let contact = world.some_contact();
        Self::new(world, Direction::Inbound, Outside::Contact(contact))
    }

    /// A call to somebody outside.
    pub(crate) fn outbound(world: &mut World) -> Self {
        let contact = world.some_contact();
        Self::new(world, Direction::Outbound, Outside::Contact(contact))
    }

    /// A leg that nothing links to another yet.
    pub(crate) fn leg(&mut self, world: &mut World, target: EntityIndex) -> LegIndex {
        self.add(world, target, Link::None)
    }

    /// The leg of somebody who is rung because a caller came in by the leg `entry`.
    pub(crate) fn operator(&mut self, world: &mut World, entry: LegIndex, target: EntityIndex) -> LegIndex {
        self.add(world, target, Link::Entry(entry))
    }

    /// The leg of somebody who takes over from the leg `from`.
    pub(crate) fn successor(&mut self, world: &mut World, from: LegIndex, target: EntityIndex) -> LegIndex {
        self.add(world, target, Link::Master(from))
    }

    /// A leg of `target` that belongs to the leg `from` without taking it over.
    pub(crate) fn linked(&mut self, world: &mut World, from: LegIndex, target: EntityIndex) -> LegIndex {
        let leg = self.leg(world, target);
        self.legs[leg].master_call_id = Some(self.legs[from].call_id);
        leg
    }

    /// Another line of the person with the leg `from`.
    pub(crate) fn second_line(&mut self, world: &mut World, from: LegIndex) -> LegIndex {
        self.linked(world, from, self.legs[from].target)
    }

    /// The leg of a supervisor who joins the operator's leg.
    pub(crate) fn supervisor(&mut self, world: &mut World, of: LegIndex, target: EntityIndex) -> LegIndex {
        self.add(world, target, Link::Supervision(of))
    }

    /// Person that a leg talks with, if that is not the call's other side, and the direction.
    pub(crate) fn talking_with(
        &mut self,
        leg: LegIndex,
        direction: Direction,
        outside: Outside,
    ) -> &mut Self {
        self.legs[leg].direction = direction;
        self.legs[leg].outside = outside;
        self
    }

    /// Person that the company talks with.
    pub(crate) const fn other_side(&self) -> Outside {
        self.outside
    }

    /// The call is recorded from the start of the talk.
    pub(crate) fn record(&mut self, leg: LegIndex) -> &mut Self {
        self.legs[leg].was_recorded = true;
        self
    }

    /// The caller would like to be called back.
    pub(crate) fn ask_for_callback(&mut self, leg: LegIndex) -> &mut Self {
        self.legs[leg].callback_requested = true;
        self
    }

    /// The leg comes to a state.
    pub(crate) fn to(&mut self, leg: LegIndex, state: CallState) -> &mut Self {
        self.act(Act::Enter(leg, state))
    }

    /// Time passes.
    pub(crate) const fn wait(&mut self, millis: u64) -> &mut Self {
        self.cursor += millis;
        self
    }

    /// The leg comes to a state that much later, while other things go on.
    pub(crate) fn aside(&mut self, millis: u64, leg: LegIndex, state: CallState) -> &mut Self {
        self.insert(self.cursor + millis, Act::Enter(leg, state));
        self
    }

    /// Plays what is due, and says when it goes on.
    pub(crate) fn advance(&mut self, world: &mut World) -> Next {
        while let Some(beat) = self.script.front().copied() {
            if beat.at > self.clock {
                let wait = beat.at - self.clock;
                self.clock = beat.at;
                return Next::After(wait);
            }
            self.script.pop_front();
            self.cursor = self.clock;
            self.play(beat.act, world);
        }
        Next::Ended
    }

    fn play(&mut self, act: Act, world: &mut World) {
        match act {
            Act::Enter(leg, state) => self.enter(leg, state, world),
            Act::Duty(agent, duty) => agent_status::change(world, agent, duty),
            Act::Busy(agent) => {
                let agent_now = &world.company.agents[agent];
                if agent_now.duty == Duty::Available && !agent_now.is_rung {
                    agent_status::change(world, agent, Duty::Busy);
                }
            }
            Act::NotBusy(agent) => {
                if world.company.agents[agent].duty == Duty::Busy {
                    agent_status::change(world, agent, Duty::Available);
                }
            }
            Act::Spare(agent) => world.company.agents[agent].is_rung = false,
            Act::Offer(offer) => self.offer(offer, world),
        }
    }

    fn enter(&mut self, index: LegIndex, state: CallState, world: &mut World) {
        let leg = &mut self.legs[index];
        leg.enter(state, world.now, &mut world.rng);
        let (call_id, entry) = (leg.call_id, leg.entry);
        let is_told = leg.is_told_in(world.dialect);
        if matches!(state, CallState::Connected | CallState::Takeover)
            && let Some(entry) = entry
        {
            self.legs[entry].operator_call_id = Some(call_id);
        }
        if is_told && world.dialect.has_state(state) {
            world.tell(Kind::Call, call_id, state.as_str(), |json, world| {
                self.write(index, state, json, world);
            });
        }
    }

    fn add(&mut self, world: &mut World, target: EntityIndex, link: Link) -> LegIndex {
        let mut leg = Leg::new(&mut world.rng, self.direction, target, self.outside);
        match link {
            Link::None => {}
            Link::Entry(entry) => leg.entry = Some(entry),
            Link::Master(from) => {
                leg.master_call_id = Some(self.legs[from].call_id);
                leg.transferred_from = Some(self.legs[from].target);
                leg.entry = self.legs[from].entry;
            }
            Link::Supervision(of) => {
                leg.master_call_id = Some(self.legs[of].call_id);
                leg.entry = self.legs[of].entry;
            }
        }
        self.legs.push(leg);
        self.legs.len() - 1
    }

    fn act(&mut self, act: Act) -> &mut Self {
        self.insert(self.cursor, act);
        self
    }

    fn act_later(&mut self, millis: u64, act: Act) -> &mut Self {
        self.insert(self.cursor + millis, act);
        self
    }

    /// Keeps the script ordered; what is written later comes later at the same time.
    fn insert(&mut self, at: u64, act: Act) {
        let place = self.script.partition_point(|beat| beat.at <= at);
        self.script.insert(place, ScriptedAct { at, act });
    }
}
