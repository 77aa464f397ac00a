//! The life of the company as a stream of events: virtual time goes from one entry of the agenda to the next.

use switchhook_protocol::Timestamp;

use crate::agenda::Agenda;
use crate::calendar::{Rate, Rhythm};
use crate::company::Company;
use crate::dialect::Dialect;
use crate::event::SimulatedEvent;
use crate::rng::Rng;
use crate::story::day;
use crate::story::world::World;
use crate::story::{Next, Story};

/// The events of a company, from a seed. Endless, unless it plays a [`Scenario`](crate::Scenario).
///
/// One call an hour or thousands of events a second: memory holds what is going on, never what has been told.
#[derive(Clone, Debug)]
pub struct Simulation {
    world: World,
    agenda: Agenda<(u64, Story)>,
    stories: u64,
}

/// Choices about a company.
///
/// ```
/// use switchhook_protocol::Timestamp;
/// use switchhook_simulator::{Dialect, Rate, Rhythm, Simulation};
///
/// let monday: Timestamp = "2026-11-23T00:00:00Z".parse()?;
/// let events = Simulation::builder(7, monday)
///     .dialect(Dialect::Asyncapi)
///     .rate(Rate::per_second(50))
///     .rhythm(Rhythm::Workweek)
///     .build();
/// let at_night = events.take(100).last().expect("it never ends");
/// assert!(at_night.at > monday);
/// # Ok::<(), switchhook_protocol::InvalidTimestamp>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Builder {
    seed: u64,
    start: Timestamp,
    dialect: Dialect,
    rate: Rate,
    rhythm: Rhythm,
}

impl Simulation {
    /// A small company from `start` on, with about one event per second around the clock, as real traffic looks.
    ///
    /// The first five things to happen are one of each kind, within three seconds.
    #[must_use]
    pub fn new(seed: u64, start: Timestamp) -> Self {
        Self::builder(seed, start).build()
    }

    /// Any other company.
    #[must_use]
    pub const fn builder(seed: u64, start: Timestamp) -> Builder {
        Builder {
            seed,
            start,
            dialect: Dialect::Observed,
            rate: Rate::per_second(1),
            rhythm: Rhythm::Steady,
        }
    }

    /// A company in which nothing happens yet.
    pub(crate) const fn silent(seed: u64, start: Timestamp, dialect: Dialect, company: Company) -> Self {
        Self {
            world: World::new(start, Rng::new(seed), company, dialect),
            agenda: Agenda::new(),
            stories: 0,
        }
    }

    /// Lets a story begin. It goes on as soon as time has come to `at`.
    pub(crate) fn begin(&mut self, at: Timestamp, story: Story) {
        self.stories += 1;
        self.agenda.enter(at, (self.stories, story));
    }

    pub(crate) const fn world(&mut self) -> &mut World {
        &mut self.world
    }

    /// Lets the next story go on; whether there was one.
    fn go_on(&mut self) -> bool {
        let Some((at, (number, mut story))) = self.agenda.next() else {
            return false;
        };
        self.world.now = at;
        self.world.story = number;
        let next = story.advance(&mut self.world);
        for begun in std::mem::take(&mut self.world.begun) {
            self.begin(at, begun);
        }
        if let Next::After(millis) = next {
            self.agenda.enter(later(at, millis), (number, story));
        }
        true
    }
}

impl Iterator for Simulation {
    type Item = SimulatedEvent;

    fn next(&mut self) -> Option<SimulatedEvent> {
        loop {
            if let Some(event) = self.world.next_told() {
                return Some(event);
            }
            if !self.go_on() {
                return None;
            }
        }
    }
}

impl Builder {
    /// Dialect of the events.
    #[must_use]
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Rate of events while the company is at work. The company grows with it: twelve people for each event a second,
    /// twelve at least. A new company reaches its rate within minutes, because calls take minutes to their last
    /// event.
    #[must_use]
    pub const fn rate(mut self, rate: Rate) -> Self {
        self.rate = rate;
        self
    }

    /// Working hours of the company.
    #[must_use]
    pub const fn rhythm(mut self, rhythm: Rhythm) -> Self {
        self.rhythm = rhythm;
        self
    }

    /// The company, from its first event on.
    #[must_use]
    pub fn build(self) -> Simulation {
        let company = Company::found(self.rate.people());
        let mut simulation = Simulation::silent(self.seed, self.start, self.dialect, company);
        for (after_ms, story) in day::first_stories(simulation.world(), self.rate, self.rhythm) {
            simulation.begin(later(self.start, after_ms), story);
        }
        simulation
    }
}

pub(crate) fn later(at: Timestamp, millis: u64) -> Timestamp {
    at.plus(std::time::Duration::from_millis(millis))
}
