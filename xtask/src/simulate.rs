//! `cargo xtask simulate`: the simulation among the tests, with as many seeds as one likes, optimised.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Number of histories unless the command says.
const SEEDS: u64 = 10_000;

pub(crate) fn run(root: &Path, options: &[&str]) -> Result<()> {
    let Selection { seeds, first } = Selection::read(options)?;
    let status = Command::new("cargo")
        .args(["test", "--release", "--package", "switchhook", "--test", "it"])
        .args(["--", "--nocapture", "simulation::the_promises_hold"])
        .env("SWITCHHOOK_SIMULATION_SEEDS", seeds.to_string())
        .env("SWITCHHOOK_SIMULATION_FIRST", first.to_string())
        .current_dir(root)
        .status()
        .context("cargo cannot be started")?;
    if !status.success() {
        bail!("a promise was broken, with the seed above; or the tests cannot be built");
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Selection {
    seeds: u64,
    first: u64,
}

impl Selection {
    fn read(options: &[&str]) -> Result<Self> {
        let mut selection = Self {
            seeds: SEEDS,
            first: 0,
        };
        for pair in options.chunks(2) {
            let [name, value] = pair else {
                bail!("{} needs a number", pair[0]);
            };
            let number = value
                .parse()
                .with_context(|| format!("{name}: {value} is no number"))?;
            match *name {
                "--seeds" => selection.seeds = number,
                "--first" => selection.first = number,
                _ => bail!("{name} is not known; use --seeds and --first"),
            }
        }
        Ok(selection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_numbers_by_name() {
        assert_eq!(
            Selection::read(&[]).unwrap(),
            Selection {
                seeds: SEEDS,
                first: 0
            }
        );
        let selection = Selection::read(&["--first", "7", "--seeds", "1"]).unwrap();
        assert_eq!(selection, Selection { seeds: 1, first: 7 });
        for wrong in [&["--seeds"][..], &["--seeds", "many"], &["--sedes", "1"]] {
            assert!(Selection::read(wrong).is_err(), "{wrong:?}");
        }
    }
}
