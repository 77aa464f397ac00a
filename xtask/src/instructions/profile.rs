//! What callgrind counted: a file for each thread, with what each function did itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// What instructions were for. All of a thread's are for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Part {
    Accept,
    Write,
    Send,
    Checkpoint,
    /// What none of these four does: readers of the store, for example.
    Others,
    /// SHA-256, wherever it is done.
    Hash,
}

impl Part {
    pub(super) const ALL: [Self; 6] = [
        Self::Accept,
        Self::Write,
        Self::Send,
        Self::Checkpoint,
        Self::Others,
        Self::Hash,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Write => "write",
            Self::Send => "send",
            Self::Checkpoint => "checkpoint",
            Self::Others => "others",
            Self::Hash => "hash",
        }
    }

    /// True if it costs outside of callgrind what it costs there.
    pub(super) const fn is_in_total(self) -> bool {
        !matches!(self, Self::Hash)
    }

    /// True if it is done for events. What is done every so many milliseconds costs an event less where more events come in that
    /// time, so that it is judged with everything else only.
    pub(super) const fn is_judged(self) -> bool {
        matches!(self, Self::Accept | Self::Write | Self::Send)
    }

    /// What stands in the name of a function that only the thread of this part calls, for every event or batch.
    const fn sign(self) -> Option<&'static str> {
        match self {
            Self::Accept => Some("switchhook_http::server::"),
            Self::Write => Some("switchhook_store::sqlite::committer::"),
            Self::Send => Some("switchhook_node::delivery::http_client::"),
            Self::Checkpoint => Some("sqlite3WalCheckpoint"),
            Self::Others | Self::Hash => None,
        }
    }

    /// The part whose sign costs most in a thread.
    fn of(thread: &Thread) -> Self {
        let cost = |part: &Self| part.sign().map_or(0, |sign| thread.cost_of(sign));
        let most = Self::ALL.into_iter().max_by_key(cost);
        most.filter(|part| cost(part) > 0).unwrap_or(Self::Others)
    }
}

/// How the functions of AWS-LC that compute SHA-256 are called.
const HASH: &str = "sha256_block_data_order";

/// What the functions of a thread did themselves.
struct Thread(BTreeMap<String, u64>);

impl Thread {
    fn cost_of(&self, sign: &str) -> u64 {
        let of_sign = self.0.iter().filter(|(function, _)| function.contains(sign));
        of_sign.map(|(_, cost)| cost).sum()
    }

    /// Reads callgrind's format, without compressed names and positions: `fn=NAME`, then lines of a position and a cost. What
    /// stands behind a line `calls=` is the callee's.
    fn read(text: &str) -> Result<Self> {
        let mut costs = BTreeMap::new();
        let (mut function, mut is_callees) = ("", false);
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                function = name;
            } else if line.starts_with("calls=") {
                is_callees = true;
            } else if line.starts_with(|first: char| first.is_ascii_digit())
                && !std::mem::take(&mut is_callees)
            {
                let (_position, cost) = line.split_once(' ').context("a cost has a position before it")?;
                *costs.entry(function.to_owned()).or_default() += cost.trim().parse::<u64>()?;
            }
        }
        Ok(Self(costs))
    }
}

/// What each part did, as the threads' files tell.
pub(super) fn read(files: &[PathBuf]) -> Result<BTreeMap<Part, u64>> {
    let mut parts = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(file)?;
        let thread = Thread::read(&text).with_context(|| format!("{} cannot be read", file.display()))?;
        let hash = thread.cost_of(HASH);
        let all: u64 = thread.0.values().sum();
        *parts.entry(Part::of(&thread)).or_default() += all - hash;
        *parts.entry(Part::Hash).or_default() += hash;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: &str = "\
# callgrind format
positions: line
events: Ir
ob=/bin/switchhook
fl=committer.rs
fn=switchhook_store::sqlite::committer::Committer::commit
0 10
cfn=sqlite3_step
calls=3 0
0 500

fn=sqlite3_step
0 480
fn=aws_lc_sha256_block_data_order_avx
0 20

totals: 510
";

    #[test]
    fn a_thread_is_what_its_functions_did_themselves() {
        let thread = Thread::read(THREAD).unwrap();
        assert_eq!(thread.0.values().sum::<u64>(), 510);
        assert_eq!(thread.cost_of("sqlite3_step"), 480);
        assert_eq!(Part::of(&thread), Part::Write);
    }

    #[test]
    fn a_thread_without_a_sign_is_one_of_the_others() {
        let thread = Thread::read("fn=sqlite3_step\n0 5\n").unwrap();
        assert_eq!(Part::of(&thread), Part::Others);
    }

    #[test]
    fn what_a_file_tells_is_of_its_part_but_for_the_hash() {
        let file = std::env::temp_dir().join(format!("switchhook-profile-{}", std::process::id()));
        std::fs::write(&file, THREAD).unwrap();
        let parts = read(std::slice::from_ref(&file)).unwrap();
        std::fs::remove_file(file).unwrap();
        assert_eq!(parts, BTreeMap::from([(Part::Write, 490), (Part::Hash, 20)]));
    }
}
