//! What `switchhook simulate --diagnose` says of a receiver that has been played to.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::play::Wrong;
use super::{Paths, Receiver};

#[derive(Deserialize)]
struct Diagnosis {
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    finding: String,
    says: String,
}

/// True if a receiver is one to be diagnosed: one that refuses everything is meant to have findings.
pub(super) fn is_wanted(receiver: &Receiver) -> bool {
    receiver.expect == "2xx"
}

/// Every finding, as something that was not as it must be.
pub(super) fn diagnose(paths: &Paths<'_>, receiver: &Receiver, url: &str) -> Result<Vec<Wrong>> {
    let mut command = Command::new(&paths.switchhook);
    command
        .args(["simulate", "--to", url, "--diagnose", "--json"])
        .stdin(Stdio::null());
    if let Some(secret) = &receiver.secret {
        command.args(["--secret", secret]);
    }
    let said = command.output().context("switchhook cannot be started")?;
    read(&said.stdout).with_context(|| String::from_utf8_lossy(&said.stderr).into_owned())
}

fn read(said: &[u8]) -> Result<Vec<Wrong>> {
    let diagnosis: Diagnosis = serde_json::from_slice(said).context("no diagnosis")?;
    let wrong = diagnosis.findings.into_iter().map(|found| Wrong {
        fault: found.finding,
        play: "diagnosis".to_owned(),
        why: found.says,
    });
    Ok(wrong.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_something_wrong() {
        assert!(read(br#"{"findings": []}"#).unwrap().is_empty());
        let said = br#"{"findings": [{"finding": "refuses-nulls", "says": "It refuses null.", "seen": [], "page": "x"}]}"#;
        let wrong = read(said).unwrap();
        let [one] = &wrong[..] else {
            panic!("{wrong:?}");
        };
        assert_eq!(
            (one.fault.as_str(), one.why.as_str()),
            ("refuses-nulls", "It refuses null.")
        );
        assert!(read(b"").is_err());
    }
}
