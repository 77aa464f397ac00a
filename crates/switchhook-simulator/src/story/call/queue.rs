//! A caller at a contact centre: offered to whoever is free, in the order of coming; who waits may lose patience.

use switchhook_protocol::CallState;

use super::turns::Party;
use super::{Act, Call, LegIndex};
use crate::company::Duty;
use crate::story::world::World;

/// Number of agents rung at once.
const MOST_RUNG: usize = 3;

/// A caller who asks for somebody.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) entry: LegIndex,
    pub(super) center: usize,
    /// Since when, on the call's clock.
    pub(super) since: u64,
}

impl Call {
    /// Rings those who are free, or lets the caller wait, or go.
    pub(super) fn offer(&mut self, offer: Offer, world: &mut World) {
        let caller = self.legs[offer.entry].call_id;
        let queue = &world.company.centers[offer.center].queue;
        let is_next = queue.front().is_none_or(|first| *first == caller);
        let mut free: Vec<usize> = world.company.free_agents(offer.center).collect();
        if is_next && !free.is_empty() {
            leave(world, offer.center, caller);
            let first = world.rng.between(0..=free.len() as u64 - 1) as usize;
            free.rotate_left(first);
            free.truncate(MOST_RUNG);
            return self.ring(offer, &free, world);
        }
        let waited = self.clock - offer.since;
        if waited == 0 {
            world.company.centers[offer.center].queue.push_back(caller);
            self.to(offer.entry, CallState::Queued);
        } else if waited > world.rng.between(25_000..=240_000) {
            leave(world, offer.center, caller);
            return self.give_up(offer, world);
        }
        self.wait(world.rng.between(1_000..=4_000)).act(Act::Offer(offer));
    }

    /// All of them ring; one answers, or none.
    fn ring(&mut self, offer: Offer, agents: &[usize], world: &mut World) {
        let entry = offer.entry;
        let mut legs = Vec::with_capacity(agents.len());
        for agent in agents {
            world.company.agents[*agent].is_rung = true;
            let target = world.company.agents[*agent].entity;
            let leg = self.operator(world, entry, target);
            self.to(leg, CallState::Ringing).wait(world.rng.between(30..=300));
            legs.push((leg, *agent));
        }
        if world.rng.chance(90) {
            let winner = world.rng.between(0..=legs.len() as u64 - 1) as usize;
            let (leg, agent) = legs.swap_remove(winner);
            self.wait(world.rng.between(1_500..=9_000))
                .act(Act::Duty(agent, Duty::Occupied))
                .act(Act::Spare(agent))
                .to(leg, CallState::Connected)
                .to(entry, CallState::Connected);
            for (leg, agent) in legs {
                let after = world.rng.between(40..=260);
                self.aside(after, leg, CallState::Hangup)
                    .act_later(after, Act::Spare(agent));
            }
            self.talk(
                world,
                Party {
                    leg,
                    entry: Some(entry),
                    agent: Some(agent),
                    on_own_line: false,
                },
            );
        } else {
            self.wait(world.rng.between(15_000..=22_000));
            for (leg, agent) in legs {
                self.to(leg, CallState::Missed)
                    .wait(world.rng.between(20..=120))
                    .to(leg, CallState::Hangup)
                    .act(Act::Spare(agent));
            }
            self.give_up(offer, world);
        }
    }

    /// Nobody came: a voicemail, a wish to be called back, or nothing.
    fn give_up(&mut self, offer: Offer, world: &mut World) {
        let entry = offer.entry;
        self.to(entry, CallState::Missed);
        match world.rng.between(1..=100) {
            1..=35 => self.leave_voicemail(entry, &mut world.rng),
            36..=50 => {
                self.legs[entry].callback_requested = true;
                self.wait(world.rng.between(2_000..=6_000))
                    .to(entry, CallState::Hangup);
            }
            _ => {
                self.wait(world.rng.between(50..=500))
                    .to(entry, CallState::Hangup);
            }
        }
    }
}

fn leave(world: &mut World, center: usize, caller: i64) {
    world.company.centers[center]
        .queue
        .retain(|waiting| *waiting != caller);
}
