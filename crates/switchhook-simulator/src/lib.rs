//! A phone company from a seed: believable events of all five kinds, without a phone.
//!
//! Owns what happens in the simulated company and when, in virtual time; the same seed and start give the same bytes
//! on every machine. It sees only what a customer sees (the payloads) and knows nothing of servers: who sends the
//! events where, and how fast, is the caller's. Start at [`Simulation`]; then one file per kind.
//!
//! ```
//! use switchhook_protocol::{Kind, Timestamp};
//! use switchhook_simulator::Simulation;
//!
//! let start: Timestamp = "2026-11-21T09:00:00Z".parse()?;
//! let first = Simulation::new(7, start).next().expect("a simulation never ends");
//! assert_eq!(first.kind, Kind::Call);
//! assert_eq!(first.at, start);
//! assert!(first.body.contains(r#""state":"ringing""#));
//! # Ok::<(), switchhook_protocol::InvalidTimestamp>(())
//! ```

mod agent_status;
mod body;
mod call;
mod changelog;
mod company;
mod contact;
mod rng;
mod sms;

use std::collections::BTreeMap;
use std::time::Duration;

use switchhook_protocol::{Kind, Timestamp};

use crate::company::Company;
use crate::rng::Rng;

/// Something that happened in the simulated company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedEvent {
    /// Its kind.
    pub kind: Kind,
    /// When it happened, in virtual time. Events come in this order.
    pub at: Timestamp,
    /// The event as Dialpad would send it: one JSON object, valid against the AsyncAPI document.
    pub body: String,
}

/// An endless stream of events from a seed.
///
/// The first five things to happen are one of each kind, within three seconds; after that mostly calls and messages,
/// in all about one event per second of virtual time.
#[derive(Clone, Debug)]
pub struct Simulation {
    rng: Rng,
    company: Company,
    /// When the next story begins.
    next_story_at: Timestamp,
    stories: u64,
    /// What will happen, by time and then in the order of telling. A few stories' worth: each one ends.
    ahead: BTreeMap<(Timestamp, u64), SimulatedEvent>,
    told: u64,
}

/// The events of one story in their causal order: a call with all its legs, a message with its statuses.
type Story = Vec<SimulatedEvent>;

impl Simulation {
    /// The company of this seed, from `start` on.
    #[must_use]
    pub fn new(seed: u64, start: Timestamp) -> Self {
        let mut rng = Rng::new(seed);
        let company = Company::found(&mut rng);
        Self {
            rng,
            company,
            next_story_at: start,
            stories: 0,
            ahead: BTreeMap::new(),
            told: 0,
        }
    }

    fn begin_story(&mut self) {
        let at = self.next_story_at;
        let is_opening = self.stories < OPENING.len() as u64;
        let kind = if is_opening {
            OPENING[self.stories as usize]
        } else {
            *self.rng.pick(&USUAL)
        };
        for event in tell(kind, &mut self.rng, &self.company, at) {
            self.ahead.insert((event.at, self.told), event);
            self.told += 1;
        }
        let gap = if is_opening {
            600
        } else {
            self.rng.between(1_000..=7_500)
        };
        self.next_story_at = at.plus(Duration::from_millis(gap));
        self.stories += 1;
    }
}

impl Iterator for Simulation {
    type Item = SimulatedEvent;

    fn next(&mut self) -> Option<SimulatedEvent> {
        loop {
            match self.ahead.first_entry() {
                Some(first) if first.get().at <= self.next_story_at => return Some(first.remove()),
                _ => self.begin_story(),
            }
        }
    }
}

/// How a simulation begins: whoever looks sees every kind at once.
const OPENING: [Kind; 5] = [
    Kind::Call,
    Kind::Sms,
    Kind::AgentStatus,
    Kind::Contact,
    Kind::Changelog,
];

/// What happens afterwards, each as likely.
const USUAL: [Kind; 10] = [
    Kind::Call,
    Kind::Call,
    Kind::Call,
    Kind::Call,
    Kind::Sms,
    Kind::Sms,
    Kind::Sms,
    Kind::AgentStatus,
    Kind::Contact,
    Kind::Changelog,
];

fn tell(kind: Kind, rng: &mut Rng, company: &Company, at: Timestamp) -> Story {
    match kind {
        Kind::Call => call::tell(rng, company, at),
        Kind::Sms => sms::tell(rng, company, at),
        Kind::AgentStatus => agent_status::tell(rng, company, at),
        Kind::Contact => contact::tell(rng, company, at),
        Kind::Changelog => changelog::tell(rng, company, at),
    }
}
