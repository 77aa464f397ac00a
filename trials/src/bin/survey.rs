//! Counts what a stream of the simulator contains: events of each kind and step, deviations from the schemas, its digest and
//! its speed.
//!
//! `cargo trial survey [EVENTS] [DIALECT] [SEED] [EVENTS_PER_SECOND] [RHYTHM]`

#![expect(clippy::print_stdout, reason = "a report for a person")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use switchhook_protocol::{ASYNCAPI_YAML, Kind, Timestamp};
use switchhook_simulator::{Dialect, Rate, SimulatedEvent, Simulation};

/// Monday, 23 November 2026, eight o'clock.
const START: Timestamp = Timestamp::from_millis(1_795_420_800_000);

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let count: usize = words.next().map_or(Ok(1_000_000), |word| word.parse())?;
    let dialect: Dialect = words.next().map_or(Ok(Dialect::default()), |word| word.parse())?;
    let seed: u64 = words.next().map_or(Ok(1), |word| word.parse())?;
    let rate: u64 = words.next().map_or(Ok(1), |word| word.parse())?;
    let rhythm = words.next().unwrap_or_default().parse().unwrap_or_default();
    let stream = || {
        Simulation::builder(seed, START)
            .dialect(dialect)
            .rate(Rate::per_second(rate))
            .rhythm(rhythm)
            .build()
            .take(count)
    };
    time_the_stream(stream());
    let mut survey = Survey::default();
    for event in stream() {
        survey.add(&event)?;
    }
    survey.print();
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a measurement needs the time")]
fn time_the_stream(stream: impl Iterator<Item = SimulatedEvent>) {
    let begun = Instant::now();
    let (mut events, mut bytes) = (0_u64, 0);
    for event in stream {
        events += 1;
        bytes += event.body.len();
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{events} events, {bytes} bytes in {seconds:.2} s: {:.0} events/s",
        events as f64 / seconds
    );
}

struct Survey {
    validators: Vec<Validator>,
    deviations: BTreeMap<String, u64>,
    steps: BTreeMap<(Kind, &'static str), u64>,
    /// The legs of each call.
    legs: BTreeMap<u64, Vec<i64>>,
    digest: u64,
    first_at: Option<Timestamp>,
    last_at: Timestamp,
}

impl Default for Survey {
    fn default() -> Self {
        Self {
            validators: Kind::ALL.map(validator).into(),
            deviations: BTreeMap::new(),
            steps: BTreeMap::new(),
            legs: BTreeMap::new(),
            digest: 0xcbf2_9ce4_8422_2325,
            first_at: None,
            last_at: START,
        }
    }
}

impl Survey {
    fn add(&mut self, event: &SimulatedEvent) -> Result<(), Box<dyn Error>> {
        let value: Value = serde_json::from_str(&event.body)?;
        for error in self.validators[event.kind as usize].iter_errors(&value) {
            let what = format!("{} {}: {error}", event.kind, error.instance_path());
            *self.deviations.entry(what).or_default() += 1;
        }
        *self.steps.entry((event.kind, event.step)).or_default() += 1;
        if event.kind == Kind::Call {
            let legs = self.legs.entry(event.story).or_default();
            if !legs.contains(&event.subject) {
                legs.push(event.subject);
            }
        }
        // FNV-1a: good enough to tell two streams apart, and written out.
        self.digest = event.body.bytes().fold(self.digest, |digest, byte| {
            (digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        self.first_at.get_or_insert(event.at);
        self.last_at = event.at;
        Ok(())
    }

    fn print(&self) {
        let seconds = self.last_at.since(self.first_at.unwrap_or(START)).as_secs();
        let deviations: u64 = self.deviations.values().sum();
        println!("{seconds} s of the company's time, digest {:#018x}", self.digest);
        println!("{deviations} deviations from the schemas");
        for (what, count) in self.deviations.iter().take(20) {
            println!("  {count:>8}  {what}");
        }
        for kind in Kind::ALL {
            let of_kind = self.steps.iter().filter(|((of, _), _)| *of == kind);
            let total: u64 = of_kind.clone().map(|(_, count)| count).sum();
            println!("{kind} {total}");
            for ((_, step), count) in of_kind {
                println!("  {count:>8}  {step}");
            }
        }
        let mut calls: BTreeMap<usize, u64> = BTreeMap::new();
        for legs in self.legs.values() {
            *calls.entry(legs.len()).or_default() += 1;
        }
        println!("calls by their legs: {calls:?}");
    }
}

fn validator(kind: Kind) -> Validator {
    let document: Value = serde_norway::from_str(ASYNCAPI_YAML).expect("the document is YAML");
    let reference = format!("#/components/schemas/{}", kind.schema());
    let schema = json!({ "allOf": [{ "$ref": reference }], "components": document["components"] });
    jsonschema::options()
        .with_draft(Draft::Draft7)
        .build(&schema)
        .expect("the document holds the schema")
}
