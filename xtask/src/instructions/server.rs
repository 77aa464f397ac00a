//! The server under callgrind: a process of its own, on a new store, killed when it is dropped.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::load::request;
use crate::check::now;

/// Time until which it must answer, some fifty times as slowly as otherwise.
const TO_START: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Figures without line numbers, each name written out, a file for each thread. Threads take turns in order, so that none of them
/// is starved.
const CALLGRIND: [&str; 7] = [
    "--tool=callgrind",
    "--separate-threads=yes",
    "--dump-line=no",
    "--compress-strings=no",
    "--compress-pos=no",
    "--fair-sched=yes",
    "--quiet",
];

/// Time that passes before the server commits by itself: as long as it may be, so that a round ends before.
const COMMIT_EVERY: &str = "2s";

const STORE: &str = "SWITCHHOOK_STORE";

pub(super) struct Server {
    child: Child,
    folder: PathBuf,
    pub(super) address: SocketAddr,
    /// What its senders show.
    pub(super) key: String,
    /// Number of times that callgrind has written down what it counted.
    dumps: u32,
}

impl Server {
    /// Starts `program` and waits until it answers.
    pub(super) fn start(program: &Path, folder: &Path) -> Result<Self> {
        let store = format!("sqlite:{}", folder.join("store.db").display());
        let key = new_key(program, &store)?;
        let address = free_address()?;
        let log = std::fs::File::create(folder.join("log"))?;
        // On two processors it has two threads beside the store's, wherever it is counted.
        let child = Command::new("taskset")
            .args(["--cpu-list", "0,1", "valgrind"])
            .args(CALLGRIND)
            .arg(format!(
                "--callgrind-out-file={}",
                folder.join("counted").display()
            ))
            .arg(program)
            .args(["serve", "--listen", &address.to_string(), "--log-level", "warn"])
            .args(["--hook-allow-http", "--hook-allow", "127.0.0.0/8"])
            .args(["--commit-every", COMMIT_EVERY])
            .env(STORE, store)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("valgrind cannot be started")?;
        let mut server = Self {
            child,
            folder: folder.to_owned(),
            address,
            key,
            dumps: 0,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let begun = now();
        while request(self.address, "GET /readyz", "", "").is_err() {
            let has_ended = self.child.try_wait()?.is_some();
            ensure!(
                !has_ended && begun.elapsed() < TO_START,
                "the server does not start under valgrind:\n{}",
                std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
            );
            pause(LOOK_EVERY);
        }
        Ok(())
    }

    /// Has every call event delivered, signed, to a webhook at `receiver`.
    pub(super) fn subscribe(&self, receiver: SocketAddr) -> Result<()> {
        let webhook = format!(r#"{{"hook_url": "http://{receiver}/hook", "secret": "a shared secret"}}"#);
        let answer = request(self.address, "POST /api/v2/webhooks", &self.key, &webhook)?;
        let answer: serde_json::Value = serde_json::from_slice(&answer)?;
        let id = answer["id"].as_str().context("a webhook has an id")?;
        let subscription = format!(r#"{{"endpoint_id": "{id}"}}"#);
        request(
            self.address,
            "POST /api/v2/subscriptions/call",
            &self.key,
            &subscription,
        )?;
        Ok(())
    }

    /// Has the server commit what it was told: whoever reads gets to see everything, so that it is committed first.
    pub(super) fn commit(&self) -> Result<()> {
        request(self.address, "GET /v1/deliveries?limit=1", &self.key, "").map(drop)
    }

    /// Has callgrind write down what was counted since the last time: a file for each thread.
    pub(super) fn counted(&mut self) -> Result<Vec<PathBuf>> {
        let output = Command::new("callgrind_control")
            .arg("--dump")
            .arg(self.child.id().to_string())
            .output()
            .context("callgrind_control, which is a part of valgrind, cannot be started")?;
        ensure!(
            output.status.success(),
            "callgrind cannot be asked for what it counted: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        self.dumps += 1;
        let start = format!("counted.{}-", self.dumps);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&start) {
                files.push(entry.path());
            }
        }
        Ok(files)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If it has ended already, there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn new_key(program: &Path, store: &str) -> Result<String> {
    let output = Command::new(program)
        .args(["keys", "create", "--name", "instructions", "--admin"])
        .env(STORE, store)
        .output()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "no key could be made: {}", told.trim());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no free port")?;
    Ok(listener.local_addr()?)
}

#[expect(
    clippy::disallowed_methods,
    reason = "waits for another process; there is no runtime here"
)]
pub(super) fn pause(length: Duration) {
    std::thread::sleep(length);
}
