//! Process under measurement: started from this program, and killed when it is dropped.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use switchhook_domain::secret::Secret;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use url::Url;

use super::wire;
use switchhook_client::{Client, Request};

/// Time limit of starting: a server with a million subscriptions reads them first.
const PATIENCE: Duration = Duration::from_secs(180);

/// Environment variable with the URL of a store, since everybody could read its password on the command line.
const STORE: &str = "SWITCHHOOK_STORE";

/// A floor or a server.
pub(super) struct Subject {
    child: Child,
    /// Others that share its store.
    others: Vec<Subject>,
    /// The process of their database, if it has one that can be looked at.
    pub(super) database: Option<u32>,
    pub(super) address: SocketAddr,
    /// API key of the senders; empty for the floor.
    pub(super) key: String,
    log: PathBuf,
}

/// Resources that a process has used so far, where the machine tells.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Usage {
    pub(super) cpu: Option<Duration>,
    /// The memory that it has.
    pub(super) memory_mb: Option<f64>,
    /// The most memory that it ever had.
    pub(super) peak_memory_mb: Option<f64>,
}

/// Options of a server.
pub(super) struct ServerOptions<'a> {
    pub(super) store: &'a str,
    /// Company whose events are sent; `None` if none will be.
    pub(super) company: Option<i64>,
    /// The authority of the receivers' certificates, in PEM.
    pub(super) authority: Option<&'a str>,
}

impl Usage {
    /// Sum of both.
    fn and(self, other: Self) -> Self {
        let both = |one: Option<f64>, other: Option<f64>| Some(one? + other?);
        Self {
            cpu: self.cpu.zip(other.cpu).map(|(one, other)| one + other),
            memory_mb: both(self.memory_mb, other.memory_mb),
            peak_memory_mb: both(self.peak_memory_mb, other.peak_memory_mb),
        }
    }
}

impl Subject {
    /// A forwarder to `to` that keeps nothing.
    pub(super) async fn start_floor(folder: &Path, to: SocketAddr) -> Result<Self> {
        let mut floor = command()?;
        let address = wire::free_address().await?;
        floor.arg("bench-floor");
        floor.args(["--listen", &address.to_string(), "--to", &to.to_string()]);
        let mut subject = Self::spawn(floor, folder, address, String::new())?;
        let begun = Instant::now();
        while wire::connect(address).await.is_err() {
            subject.pause_between_polls(begun).await?;
        }
        Ok(subject)
    }

    /// A server, ready to be used.
    pub(super) async fn start_server(folder: &Path, options: &ServerOptions<'_>) -> Result<Self> {
        let key = match options.company {
            Some(company) => new_key(options.store, company).await?,
            None => String::new(),
        };
        Self::start_node(folder, options, key).await
    }

    /// One more server on the same store.
    pub(super) async fn add_node(&mut self, folder: &Path, options: &ServerOptions<'_>) -> Result<()> {
        let number = self.others.len();
        let folder = folder.join(format!("node-{number}"));
        std::fs::create_dir(&folder)?;
        let node = Self::start_node(&folder, options, self.key.clone()).await?;
        self.others.push(node);
        Ok(())
    }

    async fn start_node(folder: &Path, options: &ServerOptions<'_>, key: String) -> Result<Self> {
        let address = wire::free_address().await?;
        let mut server = command()?;
        server.env(STORE, options.store);
        server.args(["serve", "--listen", &address.to_string()]);
        server.args([
            "--hook-allow-http",
            "--hook-allow",
            "127.0.0.0/8",
            "--log-level",
            "warn",
        ]);
        if let Some(authority) = options.authority {
            let file = folder.join("authority.pem");
            std::fs::write(&file, authority)?;
            server.arg("--hook-ca").arg(file);
        }
        let mut subject = Self::spawn(server, folder, address, key)?;
        let begun = Instant::now();
        let client = subject.client()?;
        while client.send(Request::get("/readyz", &[])).await.is_err() {
            subject.pause_between_polls(begun).await?;
        }
        Ok(subject)
    }

    /// Registers a webhook and a subscription to calls with what else `filter` says; answers the webhook's id.
    pub(super) async fn subscribe(
        &self,
        hook_url: &str,
        secret: Option<&str>,
        filter: &serde_json::Value,
    ) -> Result<String> {
        let client = self.client()?;
        let mut webhook = json!({ "hook_url": hook_url });
        if let Some(secret) = secret {
            webhook["secret"] = secret.into();
        }
        let answer = client
            .send(Request::post("/api/v2/webhooks").json(&webhook))
            .await?;
        let webhook: serde_json::Value = answer.read()?;
        let id = webhook["id"].as_str().context("a webhook without an id")?;
        let mut subscription = filter.clone();
        subscription["endpoint_id"] = id.into();
        let request = Request::post("/api/v2/subscriptions/call").json(&subscription);
        client.send(request).await?;
        Ok(id.to_owned())
    }

    /// Gives up the order of a webhook's deliveries.
    pub(super) async fn drop_order(&self, webhook: &str) -> Result<()> {
        let request = Request::patch(format!("/v1/webhooks/{webhook}"));
        self.client()?
            .send(request.json(&json!({ "ordered": false })))
            .await?;
        Ok(())
    }

    /// Addresses of the nodes.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let others = self.others.iter().map(|node| node.address);
        std::iter::once(self.address).chain(others).collect()
    }

    /// Sum over all nodes.
    pub(super) fn usage(&self) -> Usage {
        let own = self.child.id().map(usage_of).unwrap_or_default();
        self.others.iter().fold(own, |sum, node| sum.and(node.usage()))
    }

    /// The processor time of their database.
    pub(super) fn database_cpu(&self) -> Option<Duration> {
        self.database.and_then(cpu_of_tree)
    }

    /// Kills it and waits until it is gone, so that the next one has the machine for itself.
    pub(super) async fn stop(mut self) -> Result<()> {
        for node in &mut self.others {
            node.child.kill().await?;
        }
        Ok(self.child.kill().await?)
    }

    /// An error if it has ended, with the last it had to say.
    pub(super) fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(());
        };
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        let last: Vec<&str> = lines.into_iter().rev().collect();
        bail!("the process under test ended ({status}):\n{}", last.join("\n"))
    }

    fn spawn(mut command: Command, folder: &Path, address: SocketAddr, key: String) -> Result<Self> {
        let log = folder.join("log");
        let child = command
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .spawn()
            .context("this program cannot start itself a second time")?;
        Ok(Self {
            child,
            others: Vec::new(),
            database: None,
            address,
            key,
            log,
        })
    }

    async fn pause_between_polls(&mut self, begun: Instant) -> Result<()> {
        self.check()?;
        let so_far = begun.elapsed();
        ensure!(
            so_far < PATIENCE,
            "the process under test is not ready after {} s",
            so_far.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(())
    }

    fn client(&self) -> Result<Client> {
        let url = Url::parse(&format!("http://{}", self.address))?;
        let key = Secret::new(self.key.as_str());
        Ok(Client::new(&url, (!self.key.is_empty()).then_some(&key))?)
    }
}

/// Usage of this process, which sends and receives.
pub(super) fn own_usage() -> Usage {
    usage_of(std::process::id())
}

/// This program again, without an environment: what is measured does not depend on who measures.
fn command() -> Result<Command> {
    let program = std::env::current_exe().context("this program cannot be found, to start it again")?;
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    Ok(command)
}

async fn new_key(store: &str, company: i64) -> Result<String> {
    let mut create = command()?;
    create.env(STORE, store);
    create.args([
        "keys",
        "create",
        "--name",
        "bench",
        "--admin",
        "--company",
        &company.to_string(),
    ]);
    let output = create.output().await?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "no key could be made: {}", told.trim());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn usage_of(process: u32) -> Usage {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}")).ok();
    let status = read("status");
    let megabytes = |name| status.as_deref().and_then(|status| megabytes(status, name));
    Usage {
        cpu: read("stat").and_then(|stat| cpu(&stat)),
        memory_mb: megabytes("VmRSS:"),
        peak_memory_mb: megabytes("VmHWM:"),
    }
}

/// The processor time of a process and of all that descend from it, those that have ended included.
fn cpu_of_tree(root: u32) -> Option<Duration> {
    let mut parents = HashMap::new();
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(process) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        if let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) {
            parents.insert(process, (parent(&stat), stat));
        }
    }
    let is_of_tree = |mut process: u32| {
        while process != root {
            match parents.get(&process) {
                Some((Some(parent), _)) if *parent != process => process = *parent,
                _ => return false,
            }
        }
        true
    };
    let of_tree = parents.iter().filter(|(process, _)| is_of_tree(**process));
    let spent = of_tree.filter_map(|(_, (_, stat))| Some(cpu(stat)? + cpu_of_children(stat)?));
    Some(spent.sum())
}

fn parent(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

/// User and system time, the 14th and 15th of the fields, in ticks. The second field is a name that may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    ticks(stat, 11)
}

/// The same of children that were waited for, the 16th and 17th.
fn cpu_of_children(stat: &str) -> Option<Duration> {
    ticks(stat, 13)
}

fn ticks(stat: &str, behind_name: usize) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(behind_name);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_micros(
        ticks * 1_000_000 / rustix::param::clock_ticks_per_second(),
    ))
}

fn megabytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let ticks = rustix::param::clock_ticks_per_second();
        let stat = format!("7 (a ) b) S 1 7 7 0 -1 0 0 0 0 0 {} {ticks} 0 0 20 0", ticks * 2);
        assert_eq!(cpu(&stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu("nothing"), None);
    }

    #[test]
    fn memory_is_in_megabytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(megabytes(status, "VmRSS:"), Some(1.0));
        assert_eq!(megabytes(status, "VmSwap:"), None);
    }
}
