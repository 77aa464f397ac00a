//! `cargo xtask strangers DIR`: is a receiver right? Each receiver that `DIR/receivers.toml` names is diagnosed, and then every
//! scenario in both dialects is played to it, with everything that can go wrong; what there is to play, and what an answer must
//! be, is known to `switchhook simulate`.
//!
//! Here: the list, and the verdict. `running` starts receivers and ends them, `diagnosis` examines them, `play` plays.

mod diagnosis;
mod play;
mod running;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use self::play::{Play, Wrong};
use self::running::{Running, poll};
use crate::check::{in_target_folder, now, seconds};

/// Longest time until what a receiver took is in its file.
const TO_KEEP: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    receiver: Vec<Receiver>,
}

/// A receiver, and how it must answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Receiver {
    name: String,
    /// Succeeds where the receiver can run; elsewhere it is skipped.
    needs: Option<String>,
    /// Starts it, in the folder of the list. Without one it runs already.
    command: Option<String>,
    /// `$PORT` in it is the port that it was given.
    url: String,
    secret: Option<String>,
    /// One of before a rotation, which it still knows.
    old_secret: Option<String>,
    /// What `switchhook simulate` is to expect.
    #[serde(default = "taken")]
    expect: String,
    /// True if it writes each event, once, as a line into the file `$KEPT`.
    #[serde(default)]
    keeps: bool,
}

fn taken() -> String {
    "2xx".to_owned()
}

/// Where everything lies.
struct Paths<'a> {
    /// The folder of the list.
    list: &'a Path,
    /// For what receivers print and keep.
    output: PathBuf,
    switchhook: PathBuf,
}

pub(crate) fn run(root: &Path, folder: &Path) -> Result<()> {
    let list = read(folder)?;
    build(root)?;
    let paths = Paths {
        list: folder,
        output: root.join(in_target_folder("target/strangers")),
        switchhook: root.join(in_target_folder("target/debug/switchhook")),
    };
    std::fs::create_dir_all(&paths.output)?;
    let plays = play::all(&paths.switchhook)?;
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for receiver in &list {
        let name = &receiver.name;
        if let Some(probe) = receiver.needs.as_deref().filter(|probe| !succeeds(folder, probe)) {
            println!("{name}: skipped, `{probe}` does not run here");
            continue;
        }
        let begun = now();
        let (events, faults) = judge(&paths, receiver, &plays)?;
        let verdict = if faults.is_empty() { "right" } else { "not right" };
        println!(
            "{name}: {verdict}, {events} events in {}",
            seconds(begun.elapsed())
        );
        if faults.is_empty() {
            right.push(name.as_str());
        } else {
            wrong.push((name.as_str(), faults));
        }
    }
    let is_shown = !right.is_empty() || !wrong.is_empty();
    ensure!(is_shown, "no receiver runs here, so nothing is shown");
    if wrong.is_empty() {
        println!("right in {} plays each: {}", plays.len(), right.join(", "));
        return Ok(());
    }
    print(&wrong);
    let names: Vec<_> = wrong.iter().map(|(name, _)| *name).collect();
    bail!(
        "not right: {}; what they printed is in {}",
        names.join(", "),
        paths.output.display()
    )
}

fn read(folder: &Path) -> Result<Vec<Receiver>> {
    let file = folder.join("receivers.toml");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let list: List = toml::from_str(&text).with_context(|| format!("{} is no list", file.display()))?;
    let mut names = BTreeSet::new();
    for receiver in &list.receiver {
        let name = &receiver.name;
        let is_plain = name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
        ensure!(
            is_plain && !name.is_empty(),
            "{name:?}: a name has letters, digits and `-`"
        );
        ensure!(names.insert(name), "two receivers are called {name}");
        ensure!(
            receiver.command.is_some() || !receiver.keeps,
            "{name} runs already and is not told where to keep: `keeps` needs a `command`"
        );
    }
    Ok(list.receiver)
}

/// With all features, as the check builds it, so that nothing is built twice.
fn build(root: &Path) -> Result<()> {
    let words = "build --quiet --workspace --all-features --bin switchhook";
    let built = Command::new("cargo")
        .args(words.split(' '))
        .current_dir(root)
        .status()
        .context("cargo cannot be started")?;
    ensure!(built.success(), "switchhook does not build");
    Ok(())
}

fn succeeds(folder: &Path, probe: &str) -> bool {
    let mut shell = Command::new("sh");
    shell.args(["-c", probe]).current_dir(folder);
    shell
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    shell.status().is_ok_and(|status| status.success())
}

/// Number of events that a receiver was sent, and what went wrong.
fn judge(paths: &Paths<'_>, receiver: &Receiver, plays: &[Play]) -> Result<(u64, Vec<Wrong>)> {
    let running = match Running::start(paths, receiver)? {
        Ok(running) => running,
        Err(why) => return Ok((0, vec![Wrong::before_all(why)])),
    };
    let (mut events, mut wrong) = (0, Vec::new());
    if diagnosis::is_wanted(receiver) {
        wrong.extend(diagnosis::diagnose(paths, receiver, &running.url)?);
    }
    for (seed, play) in (1_u64..).zip(plays) {
        let before = running.kept();
        let played = play.to(paths, receiver, &running.url, seed)?;
        events += played.events;
        wrong.extend(played.wrong);
        if played.is_over {
            break;
        }
        // A receiver may have begun its file anew.
        let kept = || running.kept().saturating_sub(before);
        if receiver.keeps && !poll(TO_KEEP, || kept() >= played.distinct) || kept() > played.distinct {
            let why = format!(
                "{} events are in its file, {} were taken",
                kept(),
                played.distinct
            );
            wrong.push(play.wrong("kept once", why));
        }
    }
    Ok((events, wrong))
}

/// What went wrong, by receiver and fault: in how many plays, and what happened in the first of them.
fn print(receivers: &[(&str, Vec<Wrong>)]) {
    let row = |[receiver, fault, plays, first, why]: [&str; 5]| {
        println!("{receiver:16}  {fault:18}  {plays:5}  {first:32}  {why}");
    };
    row(["RECEIVER", "FAULT", "PLAYS", "FIRST IN", "WHY"]);
    for (name, wrong) in receivers {
        let mut told = BTreeSet::new();
        for Wrong { fault, play, why } in wrong {
            if told.insert(fault) {
                let plays = wrong.iter().filter(|other| other.fault == *fault).count();
                row([name, fault, &plays.to_string(), play, why]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipes_are_a_list() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let list = read(&root.join("docs/receivers")).unwrap();
        assert!(list.len() >= 5, "{}", list.len());
    }
}
