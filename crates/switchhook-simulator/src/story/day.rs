//! A day at the company: what begins when, as often as the rate and the hour ask for.

use crate::calendar::{Rate, Rhythm};
use crate::story::agent_status::{AgentDay, Session};
use crate::story::call::plots;
use crate::story::changelog::Change;
use crate::story::contact::ContactStory;
use crate::story::sms::Exchange;
use crate::story::world::World;
use crate::story::{Next, Story};

/// Stories that begin at random, at the company's rate.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    rhythm: Rhythm,
    /// The mean time between two stories in the busiest hour, in microseconds.
    gap_us: u64,
}

/// Average number of events of a story, in hundredths; a test compares it with the stories.
const EVENTS_PER_STORY: u64 = 650;

/// First stories of a company: one of each kind within three seconds, so that all of them can be seen at once; then
/// random ones, and the days of its agents.
pub(crate) fn first_stories(world: &mut World, rate: Rate, rhythm: Rhythm) -> Vec<(u64, Story)> {
    let gap_us = 3_600_000_000 * EVENTS_PER_STORY / 100 / rate.events_per_hour();
    let mut stories = vec![
        (0, Story::Call(Box::new(plots::direct(world)))),
        (600, Story::Exchange(Exchange::outbound(world))),
        (300, Story::AgentDay(AgentDay::with_a_break(0, rhythm))),
        (1_800, Story::Contact(ContactStory::lifecycle(world))),
        (2_400, Story::Change(Change::any(world))),
        (500, Story::Arrivals(Arrivals { rhythm, gap_us })),
    ];
    for agent in 1..world.company.agents.len() {
        stories.push((0, Story::AgentDay(AgentDay::of(agent, rhythm))));
    }
    stories
}

impl Arrivals {
    pub(crate) fn advance(&mut self, world: &mut World) -> Next {
        let gap_us = world.rng.pause(self.gap_us);
        // What is a fraction of a millisecond becomes one sometimes.
        let rounded_ms = (gap_us + world.rng.between(0..=999)) / 1_000;
        // Every arrival of the busiest hour is rolled for; in others fewer of them happen.
        if world.rng.between(0..=999) < self.rhythm.thousandths(world.now) {
            let story = begin(world);
            world.begun.push(story);
        }
        Next::After(rounded_ms)
    }
}

fn begin(world: &mut World) -> Story {
    match world.rng.between(1..=1000) {
        1..=520 => Story::Call(Box::new(plots::any(world))),
        521..=915 => Story::Exchange(Exchange::any(world)),
        916..=975 => Story::Contact(ContactStory::any(world)),
        976..=996 => Story::Change(Change::any(world)),
        _ => Story::Session(Session::any(world)),
    }
}
