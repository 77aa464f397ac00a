//! One play: a scenario in a dialect, again and again with everything that can go wrong, as `switchhook simulate` plays it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::running::poll;
use super::{Paths, Receiver};

/// Frequency of each fault, and whether it takes a secret; enough that each happens in a play.
const FAULTS: [(&str, &str, bool); 9] = [
    ("duplicate", "0.1", false),
    ("reorder", "0.1", false),
    ("delay", "0.1", false),
    ("burst", "0.05", false),
    ("late-leg", "0.3", false),
    ("bad-signature", "0.1", true),
    ("old-secret", "0.1", true),
    ("wrong-content-type", "0.1", false),
    ("truncated", "0.1", false),
];

/// Number of a play's events, beside those that come twice.
const EVENTS: &str = "100";

/// Number of requests open at once: more than receivers keep waiting that take one at a time would measure their queue.
const IN_FLIGHT: &str = "4";

/// Longest time of a play.
const LONGEST: Duration = Duration::from_secs(60);

pub(super) struct Play {
    scenario: String,
    dialect: String,
}

/// What was not as it must be.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub(super) fault: String,
    /// The scenario and the dialect.
    pub(super) play: String,
    pub(super) why: String,
}

impl Wrong {
    pub(super) fn before_all(why: String) -> Self {
        let [fault, play] = ["none", "-"].map(str::to_owned);
        Self { fault, play, why }
    }
}

#[derive(Default)]
pub(super) struct Played {
    pub(super) events: u64,
    /// Number of different events that were taken.
    pub(super) distinct: u64,
    pub(super) wrong: Vec<Wrong>,
    /// True if it makes no sense to go on.
    pub(super) is_over: bool,
}

/// Every scenario in every dialect that has words for it.
pub(super) fn all(switchhook: &Path) -> Result<Vec<Play>> {
    #[derive(Deserialize)]
    struct Scenario {
        name: String,
        dialects: Vec<String>,
    }
    let listed = Command::new(switchhook)
        .args(["simulate", "--list", "--json"])
        .output()
        .with_context(|| format!("{} cannot be started", switchhook.display()))?;
    let scenarios: Vec<Scenario> = serde_json::from_slice(&listed.stdout).context("no list of scenarios")?;
    let plays: Vec<_> = scenarios
        .into_iter()
        .flat_map(|Scenario { name, dialects }| {
            dialects.into_iter().map(move |dialect| Play {
                scenario: name.clone(),
                dialect,
            })
        })
        .collect();
    ensure!(!plays.is_empty(), "there is no scenario");
    Ok(plays)
}

impl Play {
    pub(super) fn wrong(&self, fault: &str, why: String) -> Wrong {
        Wrong {
            fault: fault.to_owned(),
            play: format!("{} {}", self.scenario, self.dialect),
            why,
        }
    }

    /// Plays to a receiver.
    pub(super) fn to(&self, paths: &Paths<'_>, receiver: &Receiver, url: &str, seed: u64) -> Result<Played> {
        let faults = FAULTS
            .iter()
            .filter(|(_, _, is_signed)| receiver.secret.is_some() || !is_signed)
            .map(|(name, share, _)| format!("{name}={share}"));
        let mut command = Command::new(&paths.switchhook);
        command
            .args(["simulate", &self.scenario, "--dialect", &self.dialect])
            .args(["--to", url, "--expect", &receiver.expect])
            .args(["--fault", &faults.collect::<Vec<_>>().join(",")])
            .args(["--seed", &seed.to_string(), "--count", EVENTS])
            .args(["--in-flight", IN_FLIGHT, "--speed", "max", "--json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(secret) = &receiver.secret {
            command.args(["--secret", secret]);
        }
        if let Some(secret) = &receiver.old_secret {
            command.args(["--old-secret", secret]);
        }
        let mut child = command.spawn().context("switchhook cannot be started")?;
        // What it says is less than a pipe holds.
        let has_ended = poll(LONGEST, || !matches!(child.try_wait(), Ok(None)));
        if !has_ended {
            child.kill().context("switchhook cannot be ended")?;
        }
        let said = child.wait_with_output()?;
        Ok(if has_ended {
            self.read(&said.stdout, &said.stderr)
        } else {
            self.over(format!("it takes longer than {} s", LONGEST.as_secs()))
        })
    }

    fn read(&self, counts: &[u8], remarks: &[u8]) -> Played {
        let Ok(counts) = serde_json::from_slice::<Counts>(counts) else {
            let remarks = String::from_utf8_lossy(remarks);
            let error = remarks.lines().find_map(|line| line.strip_prefix("error: "));
            return self.over(error.unwrap_or("switchhook did not end well").to_owned());
        };
        let wrong = counts.by_fault.iter().filter(|row| row.wrong > 0);
        Played {
            events: counts.sent,
            distinct: counts
                .by_fault
                .iter()
                .filter(|row| row.fault() != "duplicate")
                .map(|row| row.taken)
                .sum(),
            wrong: wrong.map(|row| self.wrong(row.fault(), row.in_words())).collect(),
            is_over: false,
        }
    }

    fn over(&self, why: String) -> Played {
        Played {
            wrong: vec![self.wrong("none", why + "; the rest was not played")],
            is_over: true,
            ..Played::default()
        }
    }
}

/// What `simulate --json` says.
#[derive(Deserialize)]
struct Counts {
    sent: u64,
    by_fault: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    fault: Option<String>,
    must_be: String,
    sent: u64,
    taken: u64,
    refused: u64,
    failed: u64,
    unanswered: u64,
    wrong: u64,
}

impl Row {
    fn fault(&self) -> &str {
        self.fault.as_deref().unwrap_or("none")
    }

    fn in_words(&self) -> String {
        let counts = [
            (self.taken, "taken"),
            (self.refused, "refused"),
            (self.failed, "failed (5xx)"),
            (self.unanswered, "unanswered"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> = counts.map(|(count, word)| format!("{count} {word}")).collect();
        let must_be = match self.must_be.as_str() {
            "either" => "taken or refused",
            other => other,
        };
        format!("must be {must_be}; of {}: {}", self.sent, parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_the_page_is_played() {
        let page = include_str!("../../../docs/simulate.md");
        let (_, rows) = page
            .split_once("| fault | what happens |")
            .expect("the page has a table");
        let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
        let named: Vec<_> = rows.filter_map(|row| row.split('`').nth(1)).collect();
        assert_eq!(named, FAULTS.map(|(name, ..)| name));
    }

    #[test]
    fn wrong_answers_are_told_by_fault_and_repeats_are_not_new() {
        let play = Play {
            scenario: "inbound-missed".to_owned(),
            dialect: "observed".to_owned(),
        };
        let row = |fault: &str, must_be: &str, taken: u64, failed: u64, wrong: u64| {
            format!(
                r#"{{"fault":{fault},"must_be":"{must_be}","sent":{},"taken":{taken},"refused":0,"failed":{failed},
                "unanswered":0,"wrong":{wrong}}}"#,
                taken + failed
            )
        };
        let rows = [
            row("null", "taken", 5, 0, 0),
            row("\"duplicate\"", "taken", 2, 0, 0),
            row("\"truncated\"", "refused", 1, 2, 3),
        ];
        let counts = format!(r#"{{"sent":10,"by_fault":[{}]}}"#, rows.join(","));
        let played = play.read(counts.as_bytes(), b"");
        assert_eq!((played.events, played.distinct), (10, 6));
        let [wrong] = &played.wrong[..] else {
            panic!("{:?}", played.wrong);
        };
        assert_eq!(wrong.fault, "truncated");
        assert_eq!(wrong.play, "inbound-missed observed");
        assert_eq!(wrong.why, "must be refused; of 3: 1 taken, 2 failed (5xx)");
    }
}
