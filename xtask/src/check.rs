//! The steps of `cargo xtask check`, in order, and what runs them.
//!
//! Each step is a command line that can be pasted into a shell.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How much of the check is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Full,
    WithoutDocs,
}

struct Step {
    name: &'static str,
    /// A command line without quotes; leading `NAME=value` words are its environment.
    command: &'static str,
    about: About,
    /// What the command needs beyond what comes with Rust.
    tool: Option<Tool>,
}

#[derive(PartialEq, Eq)]
enum About {
    Code,
    Docs,
}

struct Tool {
    name: &'static str,
    /// Succeeds where the tool can do its work.
    probe: &'static str,
    /// What is the matter where it cannot.
    lack: &'static str,
    /// Does the same work without the tool; where nothing can, the step is skipped.
    substitute: Option<&'static str>,
}

const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        command: "cargo fmt --all --check",
        about: About::Code,
        tool: None,
    },
    Step {
        name: "tidy",
        command: "cargo xtask tidy",
        about: About::Code,
        tool: None,
    },
    Step {
        name: "clippy",
        command: "cargo clippy --workspace --all-targets --all-features -- -D warnings",
        about: About::Code,
        tool: None,
    },
    Step {
        name: "doc",
        command: "RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --all-features --no-deps",
        about: About::Docs,
        tool: None,
    },
    Step {
        name: "server for tests",
        command: "cargo build --workspace --all-features --bin with_postgres",
        about: About::Code,
        tool: None,
    },
    Step {
        name: "tests",
        command: "target/debug/with_postgres cargo nextest run --workspace --all-features --no-fail-fast",
        about: About::Code,
        tool: Some(Tool {
            name: "cargo-nextest",
            probe: "cargo nextest --version",
            lack: NOT_INSTALLED,
            substitute: Some(
                "target/debug/with_postgres cargo test --workspace --all-features --all-targets --no-fail-fast",
            ),
        }),
    },
    Step {
        name: "doc tests",
        command: "cargo test --workspace --all-features --doc --no-fail-fast",
        about: About::Docs,
        tool: None,
    },
    // The program as people install it: each package made from the program of the tests, installed from its file, and delivering.
    Step {
        name: "installing",
        command: "packages/test target/debug/switchhook",
        about: About::Code,
        tool: None,
    },
    // The program of the releases that needs no C library, built as they build it, within its size, and installed from its packages.
    Step {
        name: "static program",
        command: "scripts/check-static",
        about: About::Code,
        tool: Some(Tool {
            name: "Rust for musl",
            probe: "scripts/check-static --probe",
            lack: NOT_INSTALLED,
            substitute: None,
        }),
    },
    Step {
        name: "image",
        command: "target/linters/bin/hadolint deploy/Dockerfile",
        about: About::Code,
        tool: Some(Tool {
            name: "hadolint",
            probe: "target/linters/bin/hadolint --version",
            lack: NOT_INSTALLED,
            substitute: None,
        }),
    },
    // Fails if a link between pages, or to a heading, leads nowhere.
    Step {
        name: "site",
        command: "NO_MKDOCS_2_WARNING=1 target/linters/bin/mkdocs build --strict",
        about: About::Docs,
        tool: Some(Tool {
            name: "mkdocs-material",
            probe: "target/linters/bin/mkdocs --version",
            lack: NOT_INSTALLED,
            substitute: None,
        }),
    },
    // Holds what the OpenAPI document says against what a server does. More examples find more: `scripts/check-api 100`.
    Step {
        name: "openapi",
        command: "scripts/check-api 10",
        about: About::Code,
        tool: Some(Tool {
            name: "schemathesis",
            probe: "scripts/check-api --probe",
            lack: NOT_INSTALLED,
            substitute: None,
        }),
    },
    // Prints how a server does beside one that keeps nothing, with the build that the tests made. Judges no time: it fails only
    // if something is lost on the way.
    Step {
        name: "bench",
        command: "target/debug/switchhook bench --quick --only live",
        about: About::Code,
        tool: None,
    },
    // What an event costs an optimised server, part by part, in instructions: other work on the machine does not change those.
    Step {
        name: "instructions",
        command: "cargo xtask instructions",
        about: About::Code,
        tool: Some(Tool {
            name: "valgrind",
            probe: "callgrind_control --version",
            lack: NOT_INSTALLED,
            substitute: None,
        }),
    },
    // The receivers of the docs, where their languages are installed.
    Step {
        name: "strangers",
        command: "cargo xtask strangers docs/receivers",
        about: About::Code,
        tool: None,
    },
    // The packages for other languages, built, installed from their files and run in each runtime.
    Step {
        name: "packages",
        command: "python3 packages/check.py",
        about: About::Code,
        tool: Some(Tool {
            name: "what packages/check.py runs",
            probe: "python3 packages/check.py --probe",
            lack: NOT_INSTALLED,
            substitute: None,
        }),
    },
    // Each alert fires on its trouble and where there is no server, and none fires when all is well.
    Step {
        name: "alerts",
        command: "promtool test rules deploy/prometheus/alerts_test.yml",
        about: About::Code,
        tool: Some(Tool {
            name: "promtool",
            probe: "promtool --version",
            lack: NOT_INSTALLED,
            substitute: None,
        }),
    },
    Step {
        name: "deny",
        command: "cargo deny check bans licenses sources",
        about: About::Code,
        tool: Some(Tool {
            name: "cargo-deny",
            probe: "cargo deny --version",
            lack: NOT_INSTALLED,
            substitute: None,
        }),
    },
    // Vulnerabilities, and versions that were taken back. What is known changes from day to day, so that a release asks again.
    Step {
        name: "advisories",
        command: "cargo deny check advisories",
        about: About::Code,
        tool: Some(Tool {
            name: "cargo-deny",
            probe: "cargo deny fetch db",
            lack: "cannot have the database of advisories: not installed, or no way to github.com",
            substitute: None,
        }),
    },
];

const NOT_INSTALLED: &str = "is not installed";

/// What becomes of a step on this machine.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Run(&'static str),
    Skip(String),
}

/// Runs the steps until one fails.
pub(crate) fn run(root: &Path, extent: Extent) -> Result<()> {
    let begun = now();
    let mut ran = Vec::new();
    let mut skipped = Vec::new();
    for step in STEPS {
        match plan(step, extent, |probe| is_installed(root, probe)) {
            Plan::Run(command) => {
                let took = run_step(root, step.name, command)?;
                ran.push(format!("{} {}", step.name, seconds(took)));
            }
            Plan::Skip(why) => {
                println!("==> {}: skipped, {why}", step.name);
                skipped.push(format!("{} ({why})", step.name));
            }
        }
    }
    println!("{}", summary(&ran, &skipped, begun.elapsed()));
    Ok(())
}

fn plan(step: &Step, extent: Extent, is_installed: impl Fn(&str) -> bool) -> Plan {
    if extent == Extent::WithoutDocs && step.about == About::Docs {
        return Plan::Skip("--fast was given".to_owned());
    }
    match &step.tool {
        Some(tool) if !is_installed(tool.probe) => match tool.substitute {
            Some(command) => Plan::Run(command),
            None => Plan::Skip(format!("{} {}", tool.name, tool.lack)),
        },
        _ => Plan::Run(step.command),
    }
}

fn run_step(root: &Path, name: &str, command: &str) -> Result<Duration> {
    println!("==> {name}: {command}");
    let begun = now();
    let status = execute(root, command, Stdio::inherit)?;
    let took = begun.elapsed();
    if !status.success() {
        bail!(
            "==> {name} failed after {}; to repeat this step alone:\n    {command}",
            seconds(took)
        );
    }
    println!("==> {name}: passed in {}", seconds(took));
    Ok(took)
}

fn is_installed(root: &Path, probe: &str) -> bool {
    execute(root, probe, Stdio::null).is_ok_and(|status| status.success())
}

fn execute(root: &Path, command: &str, output: fn() -> Stdio) -> Result<ExitStatus> {
    let (environment, words) = split(command);
    let (program, arguments) = words.split_first().context("a step without a command")?;
    Command::new(in_target_folder(program))
        .args(arguments)
        .envs(environment)
        .current_dir(root)
        .stdout(output())
        .stderr(output())
        .status()
        .with_context(|| format!("cannot start `{command}`"))
}

/// A program that an earlier step built may be in another folder than `target`.
pub(crate) fn in_target_folder(program: &str) -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "asks what Cargo was told")]
    let folder = std::env::var_os("CARGO_TARGET_DIR");
    match (program.strip_prefix("target/"), folder) {
        (Some(rest), Some(folder)) => Path::new(&folder).join(rest),
        _ => PathBuf::from(program),
    }
}

/// Tells the environment apart from the words of the command.
fn split(command: &str) -> (Vec<(&str, &str)>, Vec<&str>) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let environment: Vec<_> = words.iter().map_while(|word| word.split_once('=')).collect();
    let words = words[environment.len()..].to_vec();
    (environment, words)
}

fn summary(ran: &[String], skipped: &[String], took: Duration) -> String {
    let mut line = format!("check passed in {}: {}", seconds(took), ran.join(", "));
    if !skipped.is_empty() {
        line += &format!("; not run: {}", skipped.join(", "));
    }
    line
}

pub(crate) fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures how long a step takes; there is no runtime here to pause"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str) -> &'static Step {
        STEPS
            .iter()
            .find(|step| step.name == name)
            .expect("a step of this name")
    }

    #[test]
    fn the_environment_of_a_command_stands_before_it() {
        let (environment, words) = split("A=1 B=-Dx cargo doc --x=y");
        assert_eq!(environment, [("A", "1"), ("B", "-Dx")]);
        assert_eq!(words, ["cargo", "doc", "--x=y"]);
    }

    #[test]
    fn tests_run_with_or_without_nextest() {
        let with = plan(step("tests"), Extent::Full, |_| true);
        let without = plan(step("tests"), Extent::Full, |_| false);
        assert!(matches!(with, Plan::Run(command) if command.contains(" cargo nextest run ")));
        assert!(matches!(without, Plan::Run(command) if command.contains(" cargo test ")));
    }

    #[test]
    fn a_tool_that_nothing_replaces_is_skipped_by_name() {
        let plan = plan(step("deny"), Extent::Full, |_| false);
        assert_eq!(plan, Plan::Skip("cargo-deny is not installed".to_owned()));
    }

    #[test]
    fn advisories_are_left_out_where_nobody_can_know_them() {
        let offline = plan(step("advisories"), Extent::Full, |probe| !probe.contains("fetch"));
        assert!(matches!(offline, Plan::Skip(why) if why.contains("database of advisories")));
        let online = plan(step("advisories"), Extent::Full, |_| true);
        assert_eq!(online, Plan::Run("cargo deny check advisories"));
    }

    #[test]
    fn the_fast_check_leaves_out_documentation_only() {
        let skipped: Vec<_> = STEPS
            .iter()
            .filter(|step| matches!(plan(step, Extent::WithoutDocs, |_| true), Plan::Skip(_)))
            .map(|step| step.name)
            .collect();
        assert_eq!(skipped, ["doc", "doc tests", "site"]);
    }

    #[test]
    fn a_failing_step_names_the_command_that_repeats_it() {
        let error = run_step(Path::new("."), "clippy", "false").unwrap_err();
        assert!(error.to_string().ends_with("    false"), "{error}");
    }

    #[test]
    fn the_last_line_says_what_ran_and_what_did_not() {
        let ran = ["fmt 1.0 s".to_owned(), "tests 9.5 s".to_owned()];
        let skipped = ["deny (cargo-deny is not installed)".to_owned()];
        assert_eq!(
            summary(&ran, &skipped, Duration::from_millis(10_500)),
            "check passed in 10.5 s: fmt 1.0 s, tests 9.5 s; not run: deny (cargo-deny is not installed)"
        );
    }
}
