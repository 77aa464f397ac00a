//! `cargo xtask`: the project's checks.
//!
//! Reads the command line. `check` runs every step that CI runs, `tidy` checks rules about the repository, `simulate` runs
//! random histories, `scale` computes what a number of events needs, `instructions` counts what one costs, `strangers` tests the
//! receivers of a list.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a developer's tool talks to its terminal"
)]

mod check;
mod instructions;
mod scale;
mod simulate;
mod strangers;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use check::Extent;

const USAGE: &str = "\
usage: cargo xtask check [--fast]   everything that CI checks; --fast leaves the documentation out
       cargo xtask tidy             rules that no compiler or linter checks
       cargo xtask simulate [--seeds N] [--first SEED]
                                    random histories of a whole node with crashes, the promises checked after each
       cargo xtask scale [EVENTS/S …]
                                    what it takes to carry so many events a second (docs/scaling.md)
       cargo xtask instructions [--write | --program FILE]
                                    what an event costs in instructions, against the baseline (docs/performance.md)
       cargo xtask strangers DIR    whether the receivers that DIR/receivers.toml names are right (docs/receiving.md)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["check"] => check::run(root(), Extent::Full),
        ["check", "--fast"] => check::run(root(), Extent::WithoutDocs),
        ["tidy"] => tidy::run(root()),
        ["simulate", ref options @ ..] => simulate::run(root(), options),
        ["scale", ref rates @ ..] => scale::run(rates),
        ["instructions", ref options @ ..] => instructions::run(root(), options),
        ["strangers", folder] => strangers::run(root(), Path::new(folder)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository, wherever the command was given.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this package is a folder of the repository")
}
