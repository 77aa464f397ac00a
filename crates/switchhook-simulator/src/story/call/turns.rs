//! Turns that a conversation can take, and the work after it.

use switchhook_protocol::{CallState, Direction};

use super::{Act, Call, LegIndex, Outside};
use crate::company::Duty;
use crate::rng::Rng;
use crate::story::world::World;

/// Person who talks for the company.
#[derive(Clone, Copy, Debug)]
pub(super) struct Party {
    pub(super) leg: LegIndex,
    /// The leg by which the caller came in, if it is another.
    pub(super) entry: Option<LegIndex>,
    /// The agent who is kept by the talk.
    pub(super) agent: Option<usize>,
    /// True for the agent's own line, as opposed to a call of a centre.
    pub(super) on_own_line: bool,
}

impl Party {
    /// Somebody on their own line, who may be an agent, too.
    pub(super) const fn on_their_own(leg: LegIndex, agent: Option<usize>) -> Self {
        Self {
            leg,
            entry: None,
            agent,
            on_own_line: true,
        }
    }
}

impl Call {
    /// People talk, from now on until the end and beyond it.
    pub(super) fn talk(&mut self, world: &mut World, party: Party) {
        self.wait(world.rng.pause(12_000) + 2_000);
        let party = match world.rng.between(1..=100) {
            1..=18 => self.held(world, party),
            19..=21 => self.parked(world, party),
            22..=26 => self.cold_transfer(world, party),
            27..=30 => self.warm_transfer(world, party),
            31..=32 => self.merged(world, party),
            33..=36 => self.listened_to(world, party),
            37 => self.taken_over(world, party),
            _ => party,
        };
        self.finish(world, party);
    }

    /// The talk goes on to its end, and is worked up.
    pub(super) fn finish(&mut self, world: &mut World, party: Party) {
        let is_recorded = world.rng.chance(55);
        if is_recorded {
            self.record(party.leg);
        }
        self.wait(world.rng.pause(28_000) + 3_000)
            .to(party.leg, CallState::Hangup);
        self.let_go(world, party);
        if let Some(entry) = party.entry {
            self.wait(world.rng.between(10..=150))
                .to(entry, CallState::Hangup);
        }
        if is_recorded {
            self.work_up(world, party.leg);
        }
        self.ask_people(party, &mut world.rng);
    }

    fn held(&mut self, world: &mut World, party: Party) -> Party {
        for _ in 0..world.rng.between(1..=2) {
            self.to(party.leg, CallState::Hold)
                .wait(world.rng.pause(15_000) + 1_000)
                .to(party.leg, CallState::Connected)
                .wait(world.rng.pause(8_000) + 1_000);
        }
        party
    }

    /// One parks the call, another one picks it up.
    fn parked(&mut self, world: &mut World, party: Party) -> Party {
        let next = self.someone_else(world, party);
        self.to(party.leg, CallState::Parked)
            .wait(world.rng.between(5_000..=40_000))
            .to(next, CallState::Ringing)
            .wait(world.rng.between(100..=500))
            .to(next, CallState::Connected)
            .to(party.leg, CallState::Hangup);
        self.handed_over(world, party, next)
    }

    /// The next one is rung without having been asked.
    fn cold_transfer(&mut self, world: &mut World, party: Party) -> Party {
        let next = self.someone_else(world, party);
        self.to(party.leg, CallState::Hangup)
            .wait(world.rng.between(100..=600))
            .to(next, CallState::Ringing)
            .wait(world.rng.between(2_000..=10_000))
            .to(next, CallState::Connected);
        self.handed_over(world, party, next)
    }

    /// The caller waits while the next one is asked; then all three talk for a moment.
    fn warm_transfer(&mut self, world: &mut World, party: Party) -> Party {
        let next = self.someone_else(world, party);
        self.to(party.leg, CallState::Hold)
            .wait(world.rng.between(800..=2_500))
            .to(next, CallState::Ringing)
            .wait(world.rng.between(2_000..=9_000))
            .to(next, CallState::Connected)
            .wait(world.rng.between(5_000..=25_000))
            .to(party.leg, CallState::Merged)
            .wait(world.rng.between(2_000..=8_000))
            .to(party.leg, CallState::Hangup);
        self.handed_over(world, party, next)
    }

    /// A third person is called and joins.
    fn merged(&mut self, world: &mut World, party: Party) -> Party {
        let third = world.some_contact();
        let second = self.second_line(world, party.leg);
        self.talking_with(second, Direction::Outbound, Outside::Contact(third));
        self.to(party.leg, CallState::Hold)
            .wait(world.rng.between(1_000..=4_000))
            .to(second, CallState::Calling)
            .wait(world.rng.between(500..=2_000))
            .to(second, CallState::Ringing)
            .wait(world.rng.between(3_000..=12_000))
            .to(second, CallState::Connected)
            .wait(world.rng.between(4_000..=15_000))
            .to(party.leg, CallState::Merged)
            .to(second, CallState::Merged)
            .wait(world.rng.pause(20_000) + 3_000)
            .to(second, CallState::Hangup);
        party
    }

    /// A supervisor listens, and perhaps speaks.
    fn listened_to(&mut self, world: &mut World, party: Party) -> Party {
        let supervisor = world.some_user();
        let ear = self.supervisor(world, party.leg, supervisor);
        let listens = if world.rng.chance(80) {
            CallState::Monitor
        } else {
            CallState::Eavesdrop
        };
        self.to(ear, listens).wait(world.rng.between(5_000..=25_000));
        if world.rng.chance(40) {
            self.to(ear, CallState::Barge)
                .wait(world.rng.between(4_000..=15_000));
        }
        self.to(ear, CallState::Hangup);
        party
    }

    /// A supervisor listens, and takes the call over.
    fn taken_over(&mut self, world: &mut World, party: Party) -> Party {
        let supervisor = world.some_user();
        let next = self.supervisor(world, party.leg, supervisor);
        self.to(next, CallState::Monitor)
            .wait(world.rng.between(4_000..=15_000))
            .to(next, CallState::Takeover)
            .wait(world.rng.between(50..=300))
            .to(party.leg, CallState::Hangup);
        self.handed_over(world, party, next)
    }

    fn someone_else(&mut self, world: &mut World, party: Party) -> LegIndex {
        let before = self.legs[party.leg].target;
        let (first, second) = world.two_users();
        let target = if first == before { second } else { first };
        self.successor(world, party.leg, target)
    }

    /// Another one talks from now on.
    fn handed_over(&mut self, world: &mut World, party: Party, next: LegIndex) -> Party {
        self.let_go(world, party);
        Party {
            leg: next,
            agent: None,
            ..party
        }
    }

    /// The talk is over for whoever it kept.
    fn let_go(&mut self, world: &mut World, party: Party) {
        match party.agent {
            Some(agent) if party.on_own_line => _ = self.act(Act::NotBusy(agent)),
            Some(agent) => {
                self.act(Act::Duty(agent, Duty::Wrapup)).act_later(
                    world.rng.between(3_000..=25_000),
                    Act::Duty(agent, Duty::Available),
                );
            }
            None => {}
        }
    }

    /// Recording, transcript and recap, each when it is ready.
    fn work_up(&mut self, world: &mut World, leg: LegIndex) {
        let rng = &mut world.rng;
        let recording = if rng.chance(80) {
            CallState::Recording
        } else {
            CallState::AdminRecording
        };
        self.aside(rng.between(2_000..=25_000), leg, recording);
        if !rng.chance(75) {
            return;
        }
        let mut after = rng.between(60_000..=210_000);
        self.aside(after, leg, CallState::CallTranscription);
        for (state, percent) in [
            (CallState::RecapSummary, 90),
            (CallState::RecapPurposes, 70),
            (CallState::RecapOutcome, 70),
            (CallState::RecapActionItems, 60),
            (CallState::AiPlaybook, 15),
            (CallState::Pcsat, 30),
        ] {
            if rng.chance(percent) {
                after += rng.between(400..=20_000);
                self.aside(after, leg, state);
            }
        }
    }

    /// Answers of the agent and the caller to surveys.
    fn ask_people(&mut self, party: Party, rng: &mut Rng) {
        if rng.chance(35) && party.agent.is_some() && !party.on_own_line {
            self.aside(rng.between(4_000..=40_000), party.leg, CallState::Dispositions);
        }
        if rng.chance(12)
            && let Some(entry) = party.entry
        {
            self.aside(rng.between(45_000..=600_000), entry, CallState::Csat);
        }
        if rng.chance(8) {
            self.aside(rng.between(500..=5_000), party.leg, CallState::Postcall);
        }
    }
}
