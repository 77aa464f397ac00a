//! Named scenarios: short scripts of what receivers have to cope with, each with a page in `docs/scenarios`.
//!
//! A scenario is played by the same state machines as the company's life, only that its script leaves nothing to
//! chance but who calls: the order of its events is always the same. One file per kind below `scenario/`.

mod agents;
mod book;
mod calls;
mod encore;
mod groups;
mod messages;
mod outline;
mod transfers;

pub use self::encore::Encore;
use switchhook_protocol::{Direction, Timestamp};

use crate::company::{Company, EntityIndex, FEWEST_USERS};
use crate::dialect::Dialect;
use crate::event::SimulatedEvent;
use crate::rng::Rng;
use crate::simulation::{Simulation, later};
use crate::story::Story;
use crate::story::call::{Call, LegIndex};
use crate::story::world::World;

/// A script with a name.
///
/// ```
/// use switchhook_protocol::Timestamp;
/// use switchhook_simulator::{Dialect, Scenario};
///
/// let scenario = Scenario::find("inbound-voicemail").expect("it is one of them");
/// let start: Timestamp = "2026-11-23T10:00:00Z".parse()?;
/// let states: Vec<_> = scenario
///     .play(7, start, Dialect::Asyncapi)
///     .iter()
///     .map(|event| event.step)
///     .collect();
/// assert_eq!(
///     states,
///     ["ringing", "missed", "voicemail", "hangup", "voicemail_uploaded", "transcription"]
/// );
/// # Ok::<(), switchhook_protocol::InvalidTimestamp>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    name: &'static str,
    summary: &'static str,
    script: fn(&mut Scene),
    /// Change to the events on the way to the receiver.
    mishap: fn(Vec<SimulatedEvent>) -> Vec<SimulatedEvent>,
}

impl Scenario {
    /// Every scenario, calls first.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        [
            calls::SCENARIOS,
            groups::SCENARIOS,
            transfers::SCENARIOS,
            messages::SCENARIOS,
            agents::SCENARIOS,
            book::SCENARIOS,
        ]
        .into_iter()
        .flatten()
    }

    /// The scenario of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        Self::all().find(|scenario| scenario.name.eq_ignore_ascii_case(name))
    }

    /// Its name, which is also that of its page.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Summary in one line.
    #[must_use]
    pub const fn summary(&self) -> &'static str {
        self.summary
    }

    /// Its events, in the order in which they reach a receiver. The seed decides who calls, and every id.
    #[must_use]
    pub fn play(&self, seed: u64, start: Timestamp, dialect: Dialect) -> Vec<SimulatedEvent> {
        let mut scene = Scene {
            simulation: Simulation::silent(
                self.mixed_into(seed),
                start,
                dialect,
                Company::found(FEWEST_USERS),
            ),
            at: start,
        };
        (self.script)(&mut scene);
        (self.mishap)(scene.simulation.collect())
    }

    /// Its events as a list for people, as its page has it: time, leg or subject, what happens, to whom. What is not in
    /// the published contract is marked.
    #[must_use]
    pub fn outline(&self) -> String {
        outline::of(self)
    }

    /// A seed of this scenario's own: two scenarios with the same seed have no id in common.
    fn mixed_into(&self, seed: u64) -> u64 {
        self.name
            .bytes()
            .fold(seed, |mixed, byte| Rng::new(mixed ^ u64::from(byte)).next())
    }

    const fn new(name: &'static str, summary: &'static str, script: fn(&mut Scene)) -> Self {
        Self {
            name,
            summary,
            script,
            mishap: |events| events,
        }
    }

    const fn with_mishap(self, mishap: fn(Vec<SimulatedEvent>) -> Vec<SimulatedEvent>) -> Self {
        Self { mishap, ..self }
    }
}

/// The company while a script is written for it.
struct Scene {
    simulation: Simulation,
    at: Timestamp,
}

impl Scene {
    fn world(&mut self) -> &mut World {
        self.simulation.world()
    }

    /// Lets something begin.
    fn begin(&mut self, story: impl Into<Story>) -> &mut Self {
        let at = self.at;
        self.simulation.begin(at, story.into());
        self
    }

    /// Delays the beginning of what comes next.
    fn wait(&mut self, millis: u64) -> &mut Self {
        self.at = later(self.at, millis);
        self
    }

    /// A call from somebody outside to somebody or something of the company.
    fn call_to(&mut self, target: EntityIndex) -> (Call, LegIndex) {
        let mut call = Call::inbound(self.world());
        let leg = call.leg(self.world(), target);
        (call, leg)
    }

    /// A call from somebody of the company to somebody outside.
    fn call_from(&mut self, user: EntityIndex) -> (Call, LegIndex) {
        let mut call = Call::outbound(self.world());
        let leg = call.leg(self.world(), user);
        (call, leg)
    }

    /// The support centre.
    fn support(&mut self) -> EntityIndex {
        self.world().company.centers[SUPPORT].entity
    }

    fn office(&mut self) -> EntityIndex {
        self.world().company.main_office
    }

    fn sales(&mut self) -> EntityIndex {
        self.world().company.departments[0]
    }

    /// An agent of the support centre, 0 to 7.
    fn agent(&mut self, number: usize) -> EntityIndex {
        self.world().company.agents[number].entity
    }

    /// Somebody who is no agent, 0 to 3.
    fn user(&mut self, number: usize) -> EntityIndex {
        self.world().company.users[8 + number]
    }

    /// Somebody outside.
    fn contact(&mut self) -> usize {
        self.world().some_contact()
    }
}

const SUPPORT: usize = 0;

/// The other way of a call that a leg needs to know.
const OUT: Direction = Direction::Outbound;
