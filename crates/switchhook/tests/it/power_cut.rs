//! Power cuts, full disks and failing ones: a store keeps everything that was acknowledged, once, and whole.
//!
//! A server runs with a small library in front of the system's that records what it does to its files (`shim.c`).
//! From the record a disk is computed that forgets what was not synced (`disk.rs`), the store on it is opened, and
//! the next server continues from there. `SWITCHHOOK_TEST_SEED` sets the first seed, `SWITCHHOOK_TEST_POWER_CUTS`
//! their number.

mod dice;
mod disk;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use axum::http::StatusCode;
use serde_json::json;
use switchhook_domain::Timestamp;
use switchhook_domain::id::CompanyId;
use switchhook_store::sqlite::{Existing, SqliteStore};
use switchhook_store::{DeliveryFilter, EventFilter, PageRequest, Store, StoreError, StoreOptions};
use tempfile::TempDir;

use self::dice::Dice;
use self::disk::{Disk, Files, Ignores};
use self::record::Deed;
use crate::crash::seed;
use crate::support::http::{Caller, RecordingReceiver};
use crate::support::process::ServerProcess;

/// Default number of seeds.
const SEEDS: u64 = 3;

/// Number of power cuts after which a server continues with what is left.
const ROUNDS: usize = 2;

/// At how many other moments of each round it is looked what would be left.
const CUTS: usize = 6;

const SENDERS: usize = 8;
const EVENTS: usize = 30;

const COMPANY: CompanyId = CompanyId(1);

const DATABASE: &str = "switchhook.db";

/// The same on every Linux.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Calls that fail: so many, from one on.
#[derive(Debug, Clone, Copy)]
struct Fault {
    errno: i32,
    from: usize,
    count: usize,
}

/// Folder of a server, and its store when it last stopped.
struct Rig {
    scratch: TempDir,
    shim: PathBuf,
    key: String,
    files: Files,
    /// Events acknowledged until then.
    acknowledged: BTreeSet<i64>,
    receiver: RecordingReceiver,
    dice: Dice,
}

/// Findings in stores after power cuts.
#[derive(Debug, Default)]
struct Findings {
    cuts: usize,
    acknowledged: usize,
    fault: Option<Fault>,
    faults: usize,
    /// Problems of one, in words.
    wrong: Vec<String>,
}

impl Rig {
    /// A store with a webhook that wants everything.
    async fn new(seed: u64) -> Self {
        let scratch = tempfile::tempdir().expect("a temporary directory can be made");
        let first = scratch.path().join("first");
        std::fs::create_dir(&first).expect("the folder is ours");
        let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
        let mut server = ServerProcess::start(&first).await;
        let webhook = json!({"hook_url": receiver.url()}).to_string();
        let webhook = server.caller().ask("POST", "/api/v2/webhooks", &webhook).await;
        let subscription = json!({"endpoint_id": webhook["id"]}).to_string();
        server
            .caller()
            .ask("POST", "/api/v2/subscriptions/call", &subscription)
            .await;
        server.stop().await;
        let mut files = disk::read_folder(&first);
        files.remove("log");
        Self {
            shim: build_shim(scratch.path()),
            key: server.key.clone(),
            scratch,
            files,
            acknowledged: BTreeSet::new(),
            receiver,
            dice: Dice::new(seed),
        }
    }

    /// Lets a server run under load, and looks what power cuts at some moments would leave. The next round begins with what
    /// the last of these leaves.
    async fn play(&mut self, round: usize, ignores: Ignores, fault: Option<Fault>) -> Findings {
        let deeds = self.run_server(round, fault).await;
        let mut moments: Vec<_> = (0..CUTS).map(|_| self.moment(&deeds)).collect();
        moments.push(deeds.len());
        moments.sort_unstable();
        let mut findings = Findings {
            fault,
            faults: deeds.iter().filter(|deed| **deed == Deed::Fault).count(),
            ..Findings::default()
        };
        let mut disk = Disk::with(&self.files, ignores);
        let mut done = 0;
        for (number, moment) in moments.into_iter().enumerate() {
            for deed in &deeds[done..moment] {
                disk.apply(deed, &mut self.dice);
                if let Deed::Acknowledge { event } = deed {
                    self.acknowledged.insert(*event);
                }
            }
            done = moment;
            self.files = disk.after_power_cut(&mut self.dice);
            let folder = self.scratch.path().join(format!("cut-{round}-{number}"));
            findings.cuts += 1;
            if let Err(wrong) = look(&folder, &self.files, &self.acknowledged).await {
                let place = format!("round {round}, after {moment} of {} deeds", deeds.len());
                findings.wrong.push(format!("{place}: {wrong}"));
            }
            // An error would leave it until the end of the test.
            let _ = std::fs::remove_dir_all(folder);
        }
        findings.acknowledged = self.acknowledged.len();
        findings
    }

    /// Any moment, or one at which an event was just acknowledged: any event, or the first one after something failed.
    fn moment(&mut self, deeds: &[Deed]) -> usize {
        let all_of = |wanted: fn(&Deed) -> bool| {
            let found = deeds.iter().enumerate().filter(move |(_, deed)| wanted(deed));
            found.map(|(number, _)| number + 1).collect::<Vec<_>>()
        };
        let answers = all_of(|deed| matches!(deed, Deed::Acknowledge { .. }));
        let faults = all_of(|deed| *deed == Deed::Fault);
        let anywhere = self.dice.below(deeds.len() + 1);
        let from = match faults.len() {
            0 => 0,
            count => faults[self.dice.below(count)],
        };
        match self.dice.below(3) {
            0 => anywhere,
            1 if !answers.is_empty() => answers[self.dice.below(answers.len())],
            _ => answers
                .into_iter()
                .find(|answer| *answer > from)
                .unwrap_or(anywhere),
        }
    }

    async fn run_server(&mut self, round: usize, fault: Option<Fault>) -> Vec<Deed> {
        let folder = self.scratch.path().join(format!("round-{round}"));
        disk::write_folder(&folder, &self.files);
        let folder = folder.canonicalize().expect("it was just made");
        let record = self.scratch.path().join(format!("record-{round}"));
        let fault = fault.map_or_else(String::new, |fault| {
            format!("{} {} {}", fault.errno, fault.from, fault.count)
        });
        let mut variables = vec![
            ("LD_PRELOAD", self.shim.to_str().expect("a text")),
            ("SHIM_FOLDER", folder.to_str().expect("a text")),
            ("SHIM_RECORD", record.to_str().expect("a text")),
        ];
        if !fault.is_empty() {
            variables.push(("SHIM_FAULT", &fault));
        }
        let store = format!("sqlite:{}", folder.join(DATABASE).display());
        let log = self.scratch.path().join("log");
        let mut server = ServerProcess::start_on(&store, &self.key, &variables, log).await;
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| tokio::spawn(send(server.caller(), round, sender)))
            .collect();
        for sender in senders {
            sender.await.expect("senders do not panic");
        }
        if self.dice.one_in(3) {
            server.stop().await;
        } else {
            server.kill();
        }
        std::fs::remove_dir_all(folder).expect("the folder is ours");
        record::read(&record)
    }
}

/// Sends events, each once, whatever the answers are.
async fn send(caller: Caller, round: usize, sender: usize) {
    for number in 0..EVENTS {
        let name = (round * SENDERS + sender) * EVENTS + number;
        let event = json!({"call_id": name, "state": "hangup", "n": "x".repeat(37 * number)}).to_string();
        caller.send("POST", "/v1/events/call", &event).await.ok();
    }
}

/// Opens what is left and looks for what was acknowledged.
async fn look(folder: &Path, files: &Files, acknowledged: &BTreeSet<i64>) -> Result<(), String> {
    disk::write_folder(folder, files);
    let (path, copy) = (folder.join(DATABASE), folder.join("copy.db"));
    let options = StoreOptions::owner(Timestamp::from_millis(1_795_000_000_000));
    let store = SqliteStore::open(&path, options).map_err(|error| format!("it does not open: {error}"))?;
    let found = contents(&*store).await.map_err(|error| error.to_string());
    store.close().await;
    drop(store);
    let found = found?;
    // What is restored is looked through, every page and every index.
    SqliteStore::restore(&path, &copy, Existing::Keep).map_err(|error| error.to_string())?;
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|id| !found.events.contains(id))
        .collect();
    if !lost.is_empty() {
        return Err(format!(
            "{} of {} events are lost: {lost:?}",
            lost.len(),
            acknowledged.len()
        ));
    }
    let doubled = found.calls.values().filter(|count| **count > 1).count();
    if doubled > 0 {
        return Err(format!("{doubled} events are there more than once"));
    }
    let deliveries = |id| found.deliveries.get(id).copied().unwrap_or_default();
    match found.events.iter().find(|id| deliveries(id) != 1) {
        Some(id) => Err(format!("event {id} has {} deliveries", deliveries(id))),
        None => Ok(()),
    }
}

/// Contents of a store: its events, how often each call occurs, and the number of deliveries of each event.
#[derive(Default)]
struct Contents {
    events: BTreeSet<i64>,
    calls: BTreeMap<String, usize>,
    deliveries: BTreeMap<i64, usize>,
}

async fn contents(store: &dyn Store) -> Result<Contents, StoreError> {
    let mut found = Contents::default();
    let mut page = PageRequest::first(200);
    loop {
        let events = store.list_events(COMPANY, EventFilter::default(), page).await?;
        for event in events.items {
            found.events.insert(event.id.0);
            let payload: serde_json::Value = serde_json::from_slice(&event.body).unwrap_or_default();
            *found.calls.entry(payload["call_id"].to_string()).or_default() += 1;
        }
        match events.next {
            Some(after) => page.after = Some(after),
            None => break,
        }
    }
    page = PageRequest::first(200);
    loop {
        let deliveries = store
            .list_deliveries(COMPANY, DeliveryFilter::default(), page)
            .await?;
        for delivery in deliveries.items {
            *found.deliveries.entry(delivery.event_id.0).or_default() += 1;
        }
        match deliveries.next {
            Some(after) => page.after = Some(after),
            None => return Ok(found),
        }
    }
}

fn build_shim(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/power_cut/shim.c");
    let shim = folder.join("shim.so");
    let built = Command::new(variable("CC").unwrap_or_else(|| "cc".to_owned()))
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .args([&shim, &source])
        .arg("-ldl")
        .output()
        .expect("there is a C compiler: SQLite is built with it too");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    shim
}

#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the tests says how many seeds, and which compiler"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn seeds() -> impl Iterator<Item = u64> {
    let count = variable("SWITCHHOOK_TEST_POWER_CUTS").and_then(|count| count.parse().ok());
    let first = seed();
    (0..count.unwrap_or(SEEDS)).map(move |number| first.wrapping_add(number))
}

/// True if programs here can be started with a library in front of the system's.
#[expect(
    clippy::print_stderr,
    reason = "whoever runs the tests is told what they do not cover"
)]
fn can_be_recorded() -> bool {
    let can = cfg!(all(target_os = "linux", target_env = "gnu"));
    if !can {
        eprintln!(
            "skipped: what a program does to its files is recorded on Linux with the GNU C library only"
        );
    }
    can
}

const HONEST: Ignores = |_| false;

#[track_caller]
#[expect(clippy::print_stdout, reason = "a random test prints its seed")]
fn check_nothing_wrong(seed: u64, findings: &Findings) {
    println!("SWITCHHOOK_TEST_SEED={seed}: {findings:?}");
    assert!(
        findings.wrong.is_empty(),
        "SWITCHHOOK_TEST_SEED={seed} {:?}:\n{}",
        findings.fault,
        findings.wrong.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_power_cuts_all_that_was_acknowledged_is_there_once_and_the_database_is_whole() {
    if !can_be_recorded() {
        return;
    }
    for seed in seeds() {
        let mut rig = Rig::new(seed).await;
        for round in 0..ROUNDS {
            let findings = rig.play(round, HONEST, None).await;
            check_nothing_wrong(seed, &findings);
            assert!(findings.acknowledged >= SENDERS * EVENTS, "{findings:?}");
        }
        assert!(!rig.receiver.arrivals().is_empty(), "it was not idle");
    }
}

async fn play_with_faults(errno: i32) {
    if !can_be_recorded() {
        return;
    }
    let mut faults = 0;
    for seed in seeds() {
        let mut rig = Rig::new(seed).await;
        for round in 0..ROUNDS {
            let fault = Fault {
                errno,
                from: 1 + rig.dice.below(150),
                count: 1 + rig.dice.below(3) * rig.dice.below(15),
            };
            let findings = rig.play(round, HONEST, Some(fault)).await;
            check_nothing_wrong(seed, &findings);
            faults += findings.faults;
        }
    }
    assert!(faults > 0, "something failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_for_a_while_loses_nothing_that_was_acknowledged_even_with_power_cuts() {
    play_with_faults(ENOSPC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_for_a_while_loses_nothing_that_was_acknowledged_even_with_power_cuts() {
    play_with_faults(EIO).await;
}

/// Finds out whether all this would notice a sync that is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_is_left_out_is_found() {
    if !can_be_recorded() {
        return;
    }
    let left_out: [(&str, Ignores); 3] = [
        ("all", |_| true),
        ("the intake's", |name| name.ends_with(".intake")),
        ("the log's", |name| name.ends_with("-wal")),
    ];
    for (whose, ignores) in left_out {
        let mut wrong = Vec::new();
        // One of a few runs is enough: chance may be kind to one.
        for seed in seeds().take(3) {
            let mut rig = Rig::new(seed).await;
            wrong.extend(rig.play(0, ignores, None).await.wrong);
            if !wrong.is_empty() {
                break;
            }
        }
        println!("{whose}: {wrong:?}");
        assert!(!wrong.is_empty(), "nothing is wrong without {whose} syncs");
    }
}
