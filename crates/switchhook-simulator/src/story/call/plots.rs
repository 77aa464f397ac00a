//! The calls of the company's life: who calls whom, and how it begins. Callers of a contact centre go on in `queue`,
//! whoever talks goes on in `turns`.

use switchhook_protocol::{CallState, Direction};

use super::queue::Offer;
use super::turns::Party;
use super::{Act, Call, LegIndex, Outside};
use crate::company::Duty;
use crate::rng::Rng;
use crate::story::world::World;

/// Any of the usual ones.
pub(crate) fn any(world: &mut World) -> Call {
    match world.rng.between(1..=100) {
        1..=36 => to_a_center(world),
        37..=54 => direct(world),
        55..=66 => by_the_menu(world),
        67..=92 => outbound(world),
        93..=98 => between_colleagues(world),
        _ => blocked(world),
    }
}

/// Somebody calls a person's own number.
pub(crate) fn direct(world: &mut World) -> Call {
    let user = world.some_user();
    let mut call = Call::inbound(world);
    let leg = call.leg(world, user);
    call.to(leg, CallState::Ringing);
    match world.rng.between(1..=100) {
        1..=62 => {
            call.wait(world.rng.between(1_500..=14_000));
            let agent = world.company.entity(user).agent;
            call.busy(agent).to(leg, CallState::Connected);
            call.talk(world, Party::on_their_own(leg, agent));
        }
        63..=85 => {
            call.wait(world.rng.between(14_000..=25_000))
                .to(leg, CallState::Missed);
            call.leave_voicemail(leg, &mut world.rng);
        }
        _ => {
            call.wait(world.rng.between(4_000..=30_000))
                .to(leg, CallState::Missed);
            call.wait(world.rng.between(50..=400)).to(leg, CallState::Hangup);
        }
    }
    call
}

/// Somebody calls a contact centre; now and then they hear a greeting first.
fn to_a_center(world: &mut World) -> Call {
    let center = world.some_center();
    let target = world.company.centers[center].entity;
    let mut call = Call::inbound(world);
    let entry = call.leg(world, target);
    if world.rng.chance(40) {
        call.to(entry, CallState::Preanswer)
            .wait(world.rng.between(2_000..=9_000));
    } else {
        call.to(entry, CallState::Ringing)
            .wait(world.rng.between(100..=900));
    }
    call.ask_the_center(entry, center)
}

/// Somebody calls the office and is led by a menu.
fn by_the_menu(world: &mut World) -> Call {
    let office = world.company.main_office;
    let mut call = Call::inbound(world);
    let entry = call.leg(world, office);
    call.to(entry, CallState::Preanswer)
        .wait(world.rng.between(3_000..=15_000));
    match world.rng.between(1..=100) {
        1..=45 => to_a_department(call, entry, world),
        46..=80 => {
            let center = world.some_center();
            call.ask_the_center(entry, center)
        }
        _ => {
            // They heard enough.
            call.to(entry, CallState::Hangup);
            call
        }
    }
}

/// Two people of a department are rung; the first one answers, or nobody.
fn to_a_department(mut call: Call, entry: LegIndex, world: &mut World) -> Call {
    let (first, second) = world.two_users();
    let first_leg = call.operator(world, entry, first);
    let second_leg = call.operator(world, entry, second);
    call.to(entry, CallState::Ringing)
        .wait(world.rng.between(100..=600))
        .to(first_leg, CallState::Ringing)
        .wait(world.rng.between(20..=200))
        .to(second_leg, CallState::Ringing);
    if world.rng.chance(75) {
        let agent = world.company.entity(first).agent;
        call.wait(world.rng.between(2_000..=12_000))
            .busy(agent)
            .to(first_leg, CallState::Connected)
            .to(entry, CallState::Connected)
            .aside(world.rng.between(40..=250), second_leg, CallState::Hangup);
        call.talk(
            world,
            Party {
                entry: Some(entry),
                ..Party::on_their_own(first_leg, agent)
            },
        );
    } else {
        call.wait(world.rng.between(15_000..=25_000));
        for leg in [first_leg, second_leg] {
            call.to(leg, CallState::Missed)
                .wait(world.rng.between(10..=90))
                .to(leg, CallState::Hangup);
        }
        call.to(entry, CallState::Missed);
        call.leave_voicemail(entry, &mut world.rng);
    }
    call
}

/// Somebody of the company calls somebody outside.
fn outbound(world: &mut World) -> Call {
    let user = world.some_user();
    let mut call = Call::outbound(world);
    let leg = call.leg(world, user);
    let agent = world.company.entity(user).agent;
    call.to(leg, CallState::Calling)
        .wait(world.rng.between(400..=2_500))
        .to(leg, CallState::Ringing);
    if world.rng.chance(68) {
        call.wait(world.rng.between(2_000..=18_000))
            .busy(agent)
            .to(leg, CallState::Connected);
        call.talk(world, Party::on_their_own(leg, agent));
    } else {
        call.wait(world.rng.between(12_000..=30_000))
            .to(leg, CallState::Hangup);
    }
    call
}

/// The power dialler calls the next number for an agent.
pub(crate) fn powerdialed(world: &mut World, agent: usize) -> Call {
    let target = world.company.agents[agent].entity;
    let mut call = Call::outbound(world);
    let leg = call.leg(world, target);
    call.to(leg, CallState::Calling)
        .act(Act::Duty(agent, Duty::Occupied))
        .wait(world.rng.between(300..=1_200))
        .to(leg, CallState::Ringing);
    if world.rng.chance(45) {
        call.wait(world.rng.between(2_000..=12_000))
            .to(leg, CallState::Connected);
        let party = Party {
            leg,
            entry: None,
            agent: Some(agent),
            on_own_line: false,
        };
        call.finish(world, party);
    } else {
        call.wait(world.rng.between(8_000..=22_000))
            .to(leg, CallState::Hangup)
            .act(Act::Duty(agent, Duty::Wrapup))
            .act_later(
                world.rng.between(2_000..=6_000),
                Act::Duty(agent, Duty::Available),
            );
    }
    call
}

/// One user calls another: a leg at each.
fn between_colleagues(world: &mut World) -> Call {
    let (from, to) = world.two_users();
    let mut call = Call::new(world, Direction::Outbound, Outside::User(to));
    let calling = call.leg(world, from);
    let called = call.colleague(world, calling, from, to);
    call.to(calling, CallState::Calling)
        .wait(world.rng.between(100..=500))
        .to(calling, CallState::Ringing)
        .to(called, CallState::Ringing);
    if world.rng.chance(70) {
        call.wait(world.rng.between(1_500..=12_000))
            .to(called, CallState::Connected)
            .to(calling, CallState::Connected)
            .wait(world.rng.pause(60_000) + 3_000)
            .to(calling, CallState::Hangup)
            .wait(world.rng.between(10..=120))
            .to(called, CallState::Hangup);
    } else {
        call.wait(world.rng.between(8_000..=25_000))
            .to(called, CallState::Missed)
            .to(called, CallState::Hangup)
            .to(calling, CallState::Hangup);
    }
    call
}

/// Somebody calls whom nobody wants to hear.
fn blocked(world: &mut World) -> Call {
    let user = world.some_user();
    let mut call = Call::inbound(world);
    let leg = call.leg(world, user);
    call.to(leg, CallState::Blocked)
        .wait(world.rng.between(20..=200))
        .to(leg, CallState::Hangup);
    call
}

impl Call {
    /// The leg of a colleague who is called by another; the calls of both belong together.
    pub(crate) fn colleague(
        &mut self,
        world: &mut World,
        calling: LegIndex,
        from: usize,
        to: usize,
    ) -> LegIndex {
        let called = self.linked(world, calling, to);
        self.talking_with(called, Direction::Inbound, Outside::User(from));
        called
    }

    /// The caller is offered to the centre's agents, from now on.
    pub(super) fn ask_the_center(mut self, entry: LegIndex, center: usize) -> Self {
        let since = self.cursor;
        self.act(Act::Offer(Offer { entry, center, since }));
        self
    }

    /// Somebody who is an agent, too, is busy with a call of their own.
    pub(super) fn busy(&mut self, agent: Option<usize>) -> &mut Self {
        if let Some(agent) = agent {
            self.act(Act::Busy(agent));
        }
        self
    }

    /// The caller speaks to a machine; the sound is ready soon after, its text a little later.
    pub(super) fn leave_voicemail(&mut self, leg: LegIndex, rng: &mut Rng) {
        self.wait(rng.between(300..=1_500))
            .to(leg, CallState::Voicemail)
            .wait(rng.between(4_000..=50_000))
            .to(leg, CallState::Hangup)
            .wait(rng.between(2_000..=12_000))
            .to(leg, CallState::VoicemailUploaded)
            .wait(rng.between(2_000..=30_000))
            .to(leg, CallState::Transcription);
    }
}
