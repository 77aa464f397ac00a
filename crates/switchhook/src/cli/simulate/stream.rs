//! Events to send: of a company or a scenario, in a range of time, with faults.

use std::time::Duration;

use anyhow::bail;
use switchhook_domain::Timestamp;
use switchhook_domain::clock::Clock;
use switchhook_simulator::{FaultyStream, Rate, Scenario, Sending, SimulatedEvent, Simulation};

use super::{Simulate, UsageError};
use switchhook_node::clock::SystemClock;
use switchhook_node::pace::Speed;
use switchhook_node::randomness;

/// Events with their start and speed.
pub(super) struct Stream {
    pub(super) events: Box<dyn Iterator<Item = Sending> + Send>,
    pub(super) start: Timestamp,
    pub(super) speed: Speed,
    /// Description, with the options that repeat it.
    pub(super) in_words: String,
}

type Events = Box<dyn Iterator<Item = SimulatedEvent> + Send>;

impl Stream {
    pub(super) fn choose(options: &Simulate) -> anyhow::Result<Self> {
        let seed = options.seed.unwrap_or_else(random_seed);
        let scenario = options.scenario.as_deref().map(find).transpose()?;
        let default_speed = if scenario.is_some() {
            Speed::Times(10)
        } else {
            Speed::Times(1)
        };
        let speed = options.speed.unwrap_or(default_speed);
        let (what, events, start) = match scenario {
            Some(scenario) => {
                let length = length(scenario, options)?;
                let span = options.duration.or((!options.repeats()).then_some(length));
                let start = options.start.unwrap_or_else(|| start_for(span, speed));
                (
                    scenario.name().to_owned(),
                    repeated(scenario, options, seed, start, length),
                    start,
                )
            }
            None => {
                let start = options
                    .start
                    .unwrap_or_else(|| start_for(options.duration, speed));
                (
                    "a simulated company".to_owned(),
                    company_events(options, seed, start),
                    start,
                )
            }
        };
        let events = within(events, start, options);
        let events = FaultyStream::new(events, options.fault, seed);
        Ok(Self {
            events: Box::new(events),
            start,
            speed,
            in_words: format!("{what}, --seed {seed} --start {}", start.as_millis()),
        })
    }
}

impl Simulate {
    /// True if a scenario is played more than once.
    const fn repeats(&self) -> bool {
        self.count.is_some() || self.duration.is_some() || self.rate.is_some()
    }
}

fn find(name: &str) -> anyhow::Result<&'static Scenario> {
    Scenario::find(name).ok_or_else(|| {
        UsageError(format!(
            "there is no scenario {name:?}; `switchhook simulate --list` shows them"
        ))
        .into()
    })
}

/// Length of a scenario in the company's time.
fn length(scenario: &Scenario, options: &Simulate) -> anyhow::Result<Duration> {
    let beginning = Timestamp::default();
    match scenario.play(0, beginning, options.dialect).last() {
        Some(last) => Ok(last.at.since(beginning)),
        None => bail!(
            "{} has no event that the published contract describes; try --dialect observed",
            scenario.name()
        ),
    }
}

fn repeated(
    scenario: &'static Scenario,
    options: &Simulate,
    seed: u64,
    start: Timestamp,
    length: Duration,
) -> Events {
    let events = scenario.play(seed, start, options.dialect);
    if !options.repeats() {
        return Box::new(events.into_iter());
    }
    let gap = match options.rate {
        Some(rate) => Duration::from_millis(events.len() as u64 * 3_600_000 / rate.events_per_hour()),
        None => length + Duration::from_secs(1),
    };
    Box::new(scenario.encore(seed, start, options.dialect, gap))
}

fn company_events(options: &Simulate, seed: u64, start: Timestamp) -> Events {
    let company = Simulation::builder(seed, start)
        .dialect(options.dialect)
        .rate(options.rate.unwrap_or(Rate::per_second(1)))
        .rhythm(options.rhythm)
        .build();
    Box::new(company)
}

/// Limits the events to `--count` and `--duration`.
fn within(events: Events, start: Timestamp, options: &Simulate) -> Events {
    let count = usize::try_from(options.count.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let events = events.take(count);
    match options.duration {
        Some(duration) => {
            let end = start.plus(duration);
            Box::new(events.take_while(move |event| event.at < end))
        }
        None => Box::new(events),
    }
}

/// Start of the company's time, so that it ends now if its length is known.
fn start_for(span: Option<Duration>, speed: Speed) -> Timestamp {
    let span = span.unwrap_or_default();
    SystemClock.now().minus(span.saturating_sub(speed.real(span)))
}

/// A random seed, short enough to be typed again.
fn random_seed() -> u64 {
    let mut bytes = [0; 4];
    randomness::fill_secret(&mut bytes);
    u32::from_le_bytes(bytes).into()
}
