//! Which events are sent: a company's life or a scenario, from where to where, with what goes wrong.

use std::time::Duration;

use anyhow::bail;
use switchhook_domain::Timestamp;
use switchhook_domain::clock::Clock;
use switchhook_simulator::{FaultyStream, Rate, Scenario, Sending, SimulatedEvent, Simulation};

use super::{Misuse, Simulate};
use switchhook_node::clock::SystemClock;
use switchhook_node::pace::Speed;
use switchhook_node::randomness;

/// Events, and how they are to come.
pub(super) struct Stream {
    pub(super) events: Box<dyn Iterator<Item = Sending> + Send>,
    pub(super) start: Timestamp,
    pub(super) speed: Speed,
    /// What it is, so that it can be had again.
    pub(super) in_words: String,
}

type Events = Box<dyn Iterator<Item = SimulatedEvent> + Send>;

impl Stream {
    pub(super) fn choose(chosen: &Simulate) -> anyhow::Result<Self> {
        let seed = chosen.seed.unwrap_or_else(short_seed);
        let scenario = chosen.scenario.as_deref().map(find).transpose()?;
        let usual = if scenario.is_some() {
            Speed::Times(10)
        } else {
            Speed::Times(1)
        };
        let speed = chosen.speed.unwrap_or(usual);
        let (what, events, start) = match scenario {
            Some(scenario) => {
                let length = length(scenario, chosen)?;
                let span = chosen.duration.or((!chosen.repeats()).then_some(length));
                let start = chosen.start.unwrap_or_else(|| start_for(span, speed));
                (
                    scenario.name().to_owned(),
                    plays(scenario, chosen, seed, start, length),
                    start,
                )
            }
            None => {
                let start = chosen.start.unwrap_or_else(|| start_for(chosen.duration, speed));
                ("a made-up company".to_owned(), life(chosen, seed, start), start)
            }
        };
        let events = within(events, start, chosen);
        let events = FaultyStream::new(events, chosen.fault, seed);
        Ok(Self {
            events: Box::new(events),
            start,
            speed,
            in_words: format!("{what}, --seed {seed} --start {}", start.as_millis()),
        })
    }
}

impl Simulate {
    /// Whether a scenario is played more than once.
    const fn repeats(&self) -> bool {
        self.count.is_some() || self.duration.is_some() || self.rate.is_some()
    }
}

fn find(name: &str) -> anyhow::Result<&'static Scenario> {
    Scenario::find(name).ok_or_else(|| {
        Misuse(format!(
            "there is no scenario {name:?}; `switchhook simulate --list` shows them"
        ))
        .into()
    })
}

/// How long a scenario takes, of the company's time.
fn length(scenario: &Scenario, chosen: &Simulate) -> anyhow::Result<Duration> {
    let beginning = Timestamp::default();
    match scenario.play(0, beginning, chosen.dialect).last() {
        Some(last) => Ok(last.at.since(beginning)),
        None => bail!(
            "{} has no event that the published contract has a word for; try --dialect observed",
            scenario.name()
        ),
    }
}

fn plays(
    scenario: &'static Scenario,
    chosen: &Simulate,
    seed: u64,
    start: Timestamp,
    length: Duration,
) -> Events {
    let events = scenario.play(seed, start, chosen.dialect);
    if !chosen.repeats() {
        return Box::new(events.into_iter());
    }
    let gap = match chosen.rate {
        Some(rate) => Duration::from_millis(events.len() as u64 * 3_600_000 / rate.events_per_hour()),
        None => length + Duration::from_secs(1),
    };
    Box::new(scenario.encore(seed, start, chosen.dialect, gap))
}

fn life(chosen: &Simulate, seed: u64, start: Timestamp) -> Events {
    let company = Simulation::builder(seed, start)
        .dialect(chosen.dialect)
        .rate(chosen.rate.unwrap_or(Rate::per_second(1)))
        .rhythm(chosen.rhythm)
        .build();
    Box::new(company)
}

/// As far as the events go.
fn within(events: Events, start: Timestamp, chosen: &Simulate) -> Events {
    let count = usize::try_from(chosen.count.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let events = events.take(count);
    match chosen.duration {
        Some(duration) => {
            let end = start.plus(duration);
            Box::new(events.take_while(move |event| event.at < end))
        }
        None => Box::new(events),
    }
}

/// When the company's time begins so that it has come to now when all is sent, if one can know.
fn start_for(span: Option<Duration>, speed: Speed) -> Timestamp {
    let span = span.unwrap_or_default();
    SystemClock.now().minus(span.saturating_sub(speed.real(span)))
}

/// A seed that nobody has chosen, short enough to be typed again.
fn short_seed() -> u64 {
    let mut bytes = [0; 4];
    randomness::fill_secret(&mut bytes);
    u32::from_le_bytes(bytes).into()
}
