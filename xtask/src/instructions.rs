//! `cargo xtask instructions`: how many instructions a server executes for an event, counted by callgrind.
//!
//! An optimised server runs under callgrind and gets events from 64 senders, each of which it stores (SQLite), signs and
//! delivers to one webhook. Counted is what the threads that accept, write, send and checkpoint do meanwhile, in their own
//! code: not in the kernel. `profile` reads what callgrind counted, `server` is what it counts, `load` the rest.
//!
//! Other work on the machine must not change the count, so that a baseline can be kept in the repository and whatever costs more
//! be found. What goes by the clock would: the more often the server commits while deliveries are under way, the more of them get
//! a row that is changed later. So events come in rounds that end before the server commits by itself, and the round counts in
//! which least else happened.

mod load;
mod profile;
mod server;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use self::load::{Receiver, Senders};
use self::profile::Part;
use self::server::{Server, pause};
use crate::check::in_target_folder;

/// Number of events sent before anything is counted.
const WARM_UP: u64 = 1_000;

/// Number of rounds that are counted, and of the events in each: two of each sender, and then two by themselves. The store is told
/// with the next event how a delivery ended, so that what is last here is one and not many.
const ROUNDS: u32 = 30;
const ROUND: [u64; 3] = [128, 1, 1];

/// Time for the server to note how the last deliveries ended, once they have arrived.
const TO_END: Duration = Duration::from_millis(100);

/// How much more than the baseline a part may cost, in per cent.
const TOLERANCE: u64 = 5;

/// What the baseline was counted on. Other processors have other instructions.
const ARCHITECTURE: &str = "x86_64";

const BASELINE: &str = "xtask/instructions.toml";

const BUILD: [&str; 5] = ["build", "--release", "--package", "switchhook", "--locked"];

/// Instructions for each event, by part.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Counts(BTreeMap<Part, u64>);

pub(crate) fn run(root: &Path, options: &[&str]) -> Result<()> {
    let (is_new_baseline, program) = match options {
        [] => (false, build(root)?),
        ["--write"] => (true, build(root)?),
        ["--program", file] => (false, PathBuf::from(file)),
        _ => bail!(
            "--write makes what is counted now the baseline, --program FILE counts a server that was built before"
        ),
    };
    let found = count(root, &program)?;
    let file = root.join(BASELINE);
    if is_new_baseline {
        std::fs::write(&file, found.as_file()?).with_context(|| format!("{BASELINE} cannot be written"))?;
    }
    let baseline = std::fs::read_to_string(&file).with_context(|| format!("{BASELINE} cannot be read"))?;
    let baseline = toml::from_str(&baseline).with_context(|| format!("{BASELINE} is not as it should be"))?;
    println!("{}", found.table(&baseline));
    if std::env::consts::ARCH != ARCHITECTURE {
        println!("the baseline was counted on {ARCHITECTURE}, so nothing is judged here");
        return Ok(());
    }
    let grown = found.grown_beyond(&baseline);
    ensure!(
        grown.is_empty(),
        "an event costs more than {TOLERANCE} % over {BASELINE} in {}: find out why, or accept it with `cargo xtask instructions \
         --write`",
        grown.join(" and in ")
    );
    Ok(())
}

/// Builds a server; answers where it is.
fn build(root: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    let built = cargo.args(BUILD).current_dir(root).status();
    ensure!(
        built.context("cargo cannot be started")?.success(),
        "the server cannot be built"
    );
    Ok(root.join(in_target_folder("target/release/switchhook")))
}

/// Counts what a server does.
fn count(root: &Path, program: &Path) -> Result<Counts> {
    let folder = root.join(in_target_folder("target/instructions"));
    // What an earlier count left.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let receiver = Receiver::start()?;
    let mut server = Server::start(program, &folder)?;
    server.subscribe(receiver.address)?;
    let mut senders = Senders::connect(server.address, &server.key)?;
    let mut counted = |bunches: &[u64]| {
        for events in bunches {
            let before = receiver.received();
            senders.send(*events)?;
            receiver.wait_for(before + events)?;
            pause(TO_END);
        }
        server.commit()?;
        server.counted()
    };
    counted(&[WARM_UP])?;
    let rounds = (0..ROUNDS).map(|_| profile::read(&counted(&ROUND)?));
    let rounds = rounds.collect::<Result<Vec<_>>>()?;
    Counts::of_rounds(&rounds)
}

impl Counts {
    /// For each event, as counted in rounds: the least of what is done for events, because only other things add to
    /// it, and the mean of the rest.
    fn of_rounds(rounds: &[BTreeMap<Part, u64>]) -> Result<Self> {
        let counts = |part: Part| rounds.iter().filter_map(move |round| round.get(&part).copied());
        let idle = Part::ALL.into_iter().filter(|part| *part != Part::Others);
        let idle: Vec<_> = idle
            .filter(|part| counts(*part).next().is_none())
            .map(Part::name)
            .collect();
        ensure!(
            idle.is_empty(),
            "no thread is found that does this: {}",
            idle.join(", ")
        );
        let number = u64::try_from(rounds.len())?;
        let of_a_round = |part: Part| match part.is_judged() {
            true => counts(part).min().unwrap_or_default(),
            false => counts(part).sum::<u64>() / number,
        };
        let events: u64 = ROUND.into_iter().sum();
        Ok(Self(
            Part::ALL.map(|part| (part, of_a_round(part) / events)).into(),
        ))
    }

    fn of(&self, part: Part) -> u64 {
        self.0.get(&part).copied().unwrap_or_default()
    }

    /// Of everything but the hash, which costs a fraction of it outside of callgrind.
    fn total(&self) -> u64 {
        Part::ALL
            .into_iter()
            .filter(|part| part.is_in_total())
            .map(|part| self.of(part))
            .sum()
    }

    /// The parts that cost too much, each with how much more.
    fn grown_beyond(&self, baseline: &Self) -> Vec<String> {
        let parts = Part::ALL.into_iter().filter(|part| part.is_judged());
        let parts = parts.map(|part| (part.name(), self.of(part), baseline.of(part)));
        parts
            .chain([("total", self.total(), baseline.total())])
            .filter(|(_, now, before)| now * 100 > before * (100 + TOLERANCE))
            .map(|(name, now, before)| format!("{name} ({:+.1} %)", change(now, before)))
            .collect()
    }

    fn table(&self, baseline: &Self) -> String {
        let mut text = format!("{:12} {:>12} {:>12}\n", "part", "an event", "baseline");
        let mut line = |name: &str, now: u64, before: u64| {
            let change = change(now, before);
            writeln!(text, "{name:12} {now:>12} {before:>12} {change:>+6.1} %")
                .expect("a String takes every text");
        };
        for part in Part::ALL.into_iter().filter(|part| part.is_in_total()) {
            line(part.name(), self.of(part), baseline.of(part));
        }
        line("total", self.total(), baseline.total());
        writeln!(
            text,
            "Not in it: {} instructions of SHA-256, to sign it. Callgrind knows no processor that has instructions for that; \
             with them it takes about a sixth.",
            self.of(Part::Hash)
        )
        .expect("a String takes every text");
        text
    }

    fn as_file(&self) -> Result<String> {
        let figures = toml::to_string(self)?;
        Ok(format!(
            "# Instructions for each event, by part, counted on {ARCHITECTURE} by `cargo xtask instructions --write`.\n{figures}"
        ))
    }
}

/// How much more `now` is than `before`, in per cent.
#[expect(clippy::cast_precision_loss, reason = "some hundred thousand instructions")]
fn change(now: u64, before: u64) -> f64 {
    (now as f64 / before.max(1) as f64 - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(accept: u64, send: u64, hash: u64) -> Counts {
        Counts(BTreeMap::from([
            (Part::Accept, accept),
            (Part::Write, 100_000),
            (Part::Send, send),
            (Part::Checkpoint, 20_000),
            (Part::Others, 1_000),
            (Part::Hash, hash),
        ]))
    }

    #[test]
    fn a_part_that_grew_by_more_than_a_twentieth_is_named() {
        let baseline = counts(100_000, 100_000, 50_000);
        assert_eq!(counts(105_000, 90_000, 99_000).grown_beyond(&baseline), [""; 0]);
        assert_eq!(
            counts(106_000, 90_000, 50_000).grown_beyond(&baseline),
            ["accept (+6.0 %)"]
        );
        assert_eq!(
            counts(120_000, 120_000, 50_000).grown_beyond(&baseline),
            ["accept (+20.0 %)", "send (+20.0 %)", "total (+12.5 %)"]
        );
    }

    #[test]
    fn a_part_that_the_baseline_does_not_know_is_too_much() {
        let grown = counts(1, 1, 1).grown_beyond(&Counts::default());
        assert!(grown.iter().any(|part| part.starts_with("write")), "{grown:?}");
    }

    fn round(write: u64, checkpoint: u64) -> BTreeMap<Part, u64> {
        let Counts(mut parts) = counts(70, 50, 50);
        parts.extend([(Part::Write, write), (Part::Checkpoint, checkpoint)]);
        parts
            .values_mut()
            .for_each(|count| *count *= ROUND.iter().sum::<u64>());
        parts
    }

    #[test]
    fn what_else_happens_in_some_rounds_changes_nothing() {
        let counts = Counts::of_rounds(&[round(900, 1), round(57, 2), round(60, 0)]).unwrap();
        assert_eq!((counts.of(Part::Write), counts.of(Part::Checkpoint)), (57, 1));
    }

    #[test]
    fn a_part_that_nobody_does_is_named() {
        let round = BTreeMap::from([(Part::Write, 510), (Part::Hash, 20)]);
        let error = Counts::of_rounds(&[round]).unwrap_err().to_string();
        assert_eq!(
            error,
            "no thread is found that does this: accept, send, checkpoint"
        );
    }

    #[test]
    fn the_baseline_reads_back_what_was_written() {
        let counts = counts(1, 2, 3);
        assert_eq!(
            toml::from_str::<Counts>(&counts.as_file().unwrap()).unwrap(),
            counts
        );
    }
}
