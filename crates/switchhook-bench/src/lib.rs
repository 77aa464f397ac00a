//! Measuring: starts servers, senders and a receiver on loopback, and finds how much a server carries and how fast.
//!
//! `topic` has the questions and `variant` what is compared; `trial` measures one of them once: `subject` is the process
//! under test, `load` the senders, `receiver` where it delivers to. Here is how often and in which order, and `report` is what
//! is told. Readers of the figures have `docs/measuring.md`.

mod drain;
pub mod floor;
mod latency;
mod load;
mod machine;
mod payload;
mod postgres;
mod prepared;
mod receiver;
pub mod report;
mod row;
mod subject;
mod test_bed;
mod topic;
mod trial;
mod variant;
mod watch;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

pub use self::topic::Topic;

use self::load::Pace;
use self::machine::Machine;
use self::report::Report;
use self::row::Row;
use self::test_bed::TestBed;
use self::topic::Scale;
use self::trial::{Sample, Times};
use self::variant::Variant;

/// At which parts of the maximum latencies are measured, in per cent.
const LOADS: [u32; 4] = [25, 50, 75, 100];

/// The same where one receiver hangs: neither idle nor full, so that a difference is the receiver's.
const LOADS_BESIDE_HANGING: [u32; 1] = [50];

/// Events a second of a server to which little happens.
const QUIET_PER_SECOND: f64 = 200.0;

/// Options of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Questions to measure, in order.
    pub topics: Vec<Topic>,
    /// Measured time of each trial.
    pub seconds: u64,
    /// Time of each trial before measuring.
    pub warm_up: Duration,
    /// Number of trials of each variant.
    pub runs: u32,
    /// Numbers of senders; everything but the live rows uses the first.
    pub senders: Vec<u32>,
    /// Backlogs to drain, in deliveries.
    pub backlogs: Vec<u64>,
    /// Uses smaller numbers of subscriptions.
    pub is_quick: bool,
    /// The URL of a database of a PostgreSQL server on which databases may be made; without it one is started.
    pub postgres: Option<String>,
    /// Folder for stores.
    pub dir: Option<PathBuf>,
}

/// Measures, unless `stop` comes first; `tell` hears what goes on. Whatever was started or made is removed in the end.
///
/// # Errors
/// If a process under test cannot be started, fails, or loses something, and if it was stopped.
pub async fn run(options: &Options, stop: impl Future<Output = ()>, tell: impl Fn(String)) -> Result<Report> {
    let folder = test_bed::make_folder(options.dir.as_deref())?;
    let measured = tokio::select! {
        report = measure_all(options, folder.path(), tell) => report,
        () = stop => Err(Stopped.into()),
    };
    // Processes under test are gone by now: what waited for them was dropped.
    test_bed::remove_folder(folder).await?;
    measured
}

/// Somebody broke the measurement off.
#[derive(Debug, thiserror::Error)]
#[error("the measurement was broken off; nothing of it is left")]
struct Stopped;

async fn measure_all(options: &Options, folder: &Path, tell: impl Fn(String)) -> Result<Report> {
    let machine = Machine::this(folder);
    let mut bench = Bench {
        options,
        test_bed: TestBed::in_folder(folder),
        tell,
        rows: Vec::new(),
        notes: Vec::new(),
    };
    if options.postgres.is_some() {
        // Whoever names a server learns at once that it cannot be reached.
        bench.test_bed.start_postgres(options.postgres.as_deref()).await?;
    }
    for topic in &options.topics {
        bench
            .answer(*topic)
            .await
            .with_context(|| format!("{} could not be measured", topic.name()))?;
    }
    let mut report = Report {
        machine,
        runs: options.runs,
        seconds: options.seconds,
        event_bytes: payload::BODY_BYTES,
        rows: bench.rows,
        notes: bench.notes,
    };
    report.judge();
    Ok(report)
}

/// A variant under a load. Those under the same load are held against the first of them.
struct Entry {
    variant: Variant,
    pace: Pace,
    /// Share of the maximal load, for a load on a schedule.
    percent: Option<u32>,
}

struct Bench<'a, Tell> {
    options: &'a Options,
    test_bed: TestBed<'a>,
    tell: Tell,
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl<Tell: Fn(String)> Bench<'_, Tell> {
    async fn answer(&mut self, topic: Topic) -> Result<()> {
        match topic {
            Topic::Live => self.live().await,
            Topic::Drain => self.drain().await,
            Topic::Hanging => self.hanging().await,
            Topic::Quiet => {
                let pace = Pace::PerSecond(QUIET_PER_SECOND);
                self.compare(topic, 1, pace).await
            }
            _ => {
                let senders = self.first_senders()?;
                self.compare(topic, senders, Pace::AsFastAsAnswered).await
            }
        }
    }

    /// The floor and a server with each number of senders, then latencies with the one that carried most.
    async fn live(&mut self) -> Result<()> {
        let mut best: Option<(u32, f64)> = None;
        for senders in &self.options.senders {
            self.compare(Topic::Live, *senders, Pace::AsFastAsAnswered)
                .await?;
            let found = self.rows.last().and_then(|row| row.per_second);
            let found = found.context("nothing was delivered")?.median;
            if best.is_none_or(|(_, most)| found > most) {
                best = Some((*senders, found));
            }
        }
        let (senders, most) = best.context("name a number of senders")?;
        self.latencies(Topic::Live, &LOADS, senders, most).await
    }

    /// Webhooks with and without one among them that hangs: what the others carry, then their latencies at the same load.
    async fn hanging(&mut self) -> Result<()> {
        let senders = self.first_senders()?;
        let before = self.rows.len();
        self.compare(Topic::Hanging, senders, Pace::AsFastAsAnswered)
            .await?;
        let healthy = self.rows.get(before).and_then(|row| row.accepted_per_second);
        let most = healthy.context("nothing was accepted")?.median;
        self.latencies(Topic::Hanging, &LOADS_BESIDE_HANGING, senders, most)
            .await
    }

    fn variants(&self, topic: Topic) -> Vec<Variant> {
        topic.variants(Scale {
            is_quick: self.options.is_quick,
        })
    }

    /// Measures the variants of a topic at one pace.
    async fn compare(&mut self, topic: Topic, senders: u32, pace: Pace) -> Result<()> {
        let mut variants = self.variants(topic);
        if variants.iter().any(Variant::is_on_postgres) {
            let url = self.options.postgres.as_deref();
            if let Err(why) = self.test_bed.start_postgres(url).await {
                self.notes
                    .push(format!("{} without PostgreSQL: {why:#}", topic.name()));
                variants.retain(|variant| !variant.is_on_postgres());
            }
        }
        for variant in &variants {
            if variant.bystanders > 0 {
                let count = drain::short(variant.bystanders.into());
                (self.tell)(format!("filling a store with {count} subscriptions"));
            }
            self.test_bed.prepare(variant.bystanders).await?;
        }
        let entry = |variant| Entry {
            variant,
            pace,
            percent: None,
        };
        let entries: Vec<_> = variants.into_iter().map(entry).collect();
        self.in_turns(topic, &entries, senders).await
    }

    /// Latencies of a topic's variants at parts of the most that was accepted, in events a second. A floor has the same
    /// schedule, so that what the machine itself takes its time for can be told from what the server adds.
    async fn latencies(&mut self, topic: Topic, loads: &[u32], senders: u32, most: f64) -> Result<()> {
        let variants = self.variants(topic);
        let at = |percent: u32| {
            variants.iter().map(move |variant| Entry {
                variant: variant.clone(),
                pace: Pace::PerSecond(most * f64::from(percent) / 100.0),
                percent: Some(percent),
            })
        };
        let entries: Vec<_> = loads.iter().copied().flat_map(at).collect();
        self.in_turns(topic, &entries, senders).await
    }

    /// Measures in turns, A B A B, so that what slows the machine down slows all of them.
    async fn in_turns(&mut self, topic: Topic, entries: &[Entry], senders: u32) -> Result<()> {
        let mut samples = vec![Vec::new(); entries.len()];
        for run in 1..=self.options.runs {
            for (entry, samples) in entries.iter().zip(&mut samples) {
                samples.push(self.measure(&entry.variant, senders, entry.pace, run).await?);
            }
        }
        let name = topic.name();
        for (number, (entry, ours)) in entries.iter().zip(&samples).enumerate() {
            let mut before = entries.iter().zip(&samples).take(number);
            let baseline = before
                .find(|(other, _)| other.percent == entry.percent)
                .map(|(other, theirs)| (other.variant.name.as_str(), theirs.as_slice()));
            self.rows.push(Row {
                senders: Some(senders),
                load_percent: entry.percent,
                ..Row::of(&name, &entry.variant.name, ours, baseline)
            });
        }
        Ok(())
    }

    async fn measure(&self, variant: &Variant, senders: u32, pace: Pace, run: u32) -> Result<Sample> {
        let times = Times {
            warm_up: self.options.warm_up,
            window: Duration::from_secs(self.options.seconds),
        };
        let sample = trial::measure(variant, variant.load(senders, pace), times, &self.test_bed)
            .await
            .with_context(|| format!("{} with {senders} senders", variant.name))?;
        (self.tell)(format!(
            "run {run} of {}: {}, {senders} senders: {:.0} deliveries/s",
            self.options.runs, variant.name, sample.delivered_per_second
        ));
        Ok(sample)
    }

    async fn drain(&mut self) -> Result<()> {
        for count in &self.options.backlogs {
            (self.tell)(format!(
                "filling a store with {} deliveries",
                drain::short(*count)
            ));
            let rows = drain::measure(*count, &self.test_bed).await?;
            self.rows.extend(rows);
        }
        Ok(())
    }

    fn first_senders(&self) -> Result<u32> {
        let first = self.options.senders.first();
        Ok(*first.context("name a number of senders")?)
    }
}
