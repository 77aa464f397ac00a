//! `switchhook dev`: the whole system for one person, in one process, with something to see within seconds.
//!
//! It is an ordinary server on an embedded store, opened up to loopback, plus an API key, a webhook that it receives
//! itself (`inspector_log` prints what it gets) or one to a receiver of one's own (`forward`), and a simulated company that sends
//! events (`simulation`).

mod forward;
mod inspector_log;
mod port;
mod registered;
mod simulation;
mod welcome;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use ipnet::IpNet;
use switchhook_domain::id::CompanyId;
use switchhook_domain::scope::Scopes;
use switchhook_store::sqlite;
use tokio::task::JoinHandle;

pub use self::forward::Forward;
use self::forward::ForwardProgress;
use crate::own_program::own_program;
use crate::private_folder;
use crate::server::{Server, asked_to_stop};
use switchhook_node::Node;
use switchhook_node::caller::Caller;
use switchhook_node::delivery::address_guard::AddressGuard;
use switchhook_node::settings::{DashboardSettings, Settings};
use switchhook_node::{api_keys, keys};

/// Company that owns everything in `dev`.
const COMPANY: CompanyId = CompanyId(1);

/// Files in its folder from which the commands read the key and the address.
pub(crate) const KEY_FILE: &str = "key";
pub(crate) const ADDRESS_FILE: &str = "address";

/// File of the store in its folder.
pub(crate) const STORE_FILE: &str = "switchhook.db";

/// Networks of receivers near this machine: its own network, and those of its containers.
const PRIVATE_NETWORKS: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"];

#[derive(Debug, Clone)]
pub struct DevOptions {
    pub listen: SocketAddr,
    /// Seed of the simulated company.
    pub seed: u64,
    /// Events per second.
    pub rate: f64,
    pub simulate: bool,
    /// Begins with an empty store.
    pub fresh: bool,
    /// Folder of the store and the key.
    pub dir: PathBuf,
    /// The API key, if it is not to be made up.
    pub key: Option<String>,
    /// The receiver that gets everything, if it is not only the inspector.
    pub forward: Option<Forward>,
}

/// Runs until it is asked to stop, or enough was forwarded.
///
/// # Errors
/// If the server could not start, or less was forwarded than should be.
pub async fn run(options: DevOptions) -> Result<()> {
    prepare_directory(&options.dir, options.fresh)?;
    let key = api_key(&options);
    let listener = port::listen_at_or_after(options.listen)?;
    let server = Server::start_with(listener, settings(&options, &key)).await?;
    let node = Arc::clone(&server.node);
    let caller = store_key(&options, &node, &key).await?;
    let inspector_webhook = registered::inspector_webhook(&node, caller).await?;
    let forward_webhook = match &options.forward {
        Some(forward) => Some(registered::forward_webhook(&node, caller, &forward.url).await?),
        None => None,
    };
    let url = format!("http://{}", reachable(server.address));
    let address_file = options.dir.join(ADDRESS_FILE);
    keys::write_private(&address_file, &url)?;
    welcome::print(&url, &key, &options, &inspector_webhook, forward_webhook.as_ref());
    let progress = options
        .forward
        .clone()
        .zip(forward_webhook)
        .map(|(forward, webhook)| ForwardProgress::new(Arc::clone(&node), caller, webhook.id, forward));
    let ended = run_company(server, &options, progress).await;
    // One that stays sends the commands to where nobody listens, and they say so.
    let _ = std::fs::remove_file(address_file);
    ended
}

/// Runs the server with the simulated company, and prints what the inspector or the receiver gets.
async fn run_company(server: Server, options: &DevOptions, progress: Option<ForwardProgress>) -> Result<()> {
    let node = Arc::clone(&server.node);
    let printing = progress
        .is_none()
        .then(|| tokio::spawn(inspector_log::print_requests(Arc::clone(&node))));
    let simulating = options.simulate.then(|| {
        let life = simulation::run(node, COMPANY, options.seed, options.rate);
        tokio::spawn(life)
    });
    let mut result = Ok(());
    let ended = async {
        result = until_asked_or_enough(progress).await;
        [simulating, printing]
            .iter()
            .flatten()
            .for_each(JoinHandle::abort);
    };
    server.run_until(ended).await?;
    result
}

async fn until_asked_or_enough(progress: Option<ForwardProgress>) -> Result<()> {
    let Some(mut progress) = progress else {
        asked_to_stop().await;
        return Ok(());
    };
    let ended = tokio::select! {
        ended = progress.run() => Some(ended),
        () = asked_to_stop() => None,
    };
    ended.unwrap_or_else(|| progress.stopped())
}

/// Checks that events can be forwarded to a URL.
///
/// # Errors
/// If not, with the reason.
pub fn check_forward(url: &str) -> Result<(), String> {
    guard(true).check_url(url).map_err(|refused| refused.to_string())
}

/// Address guard. A receiver named with `--forward` may be in a private network.
fn guard(is_forwarding: bool) -> AddressGuard {
    let mut guard = AddressGuard::allowing_loopback();
    if is_forwarding {
        let private = PRIVATE_NETWORKS.map(|range| range.parse::<IpNet>().expect("a range"));
        guard.allow.extend(private);
    }
    guard
}

/// Address at which a server that listens at `address` is reached from its own machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn settings(options: &DevOptions, key: &str) -> Settings {
    let is_private = options.listen.ip().is_loopback();
    let guard = guard(options.forward.is_some());
    Settings {
        listen: options.listen,
        store: format!("sqlite:{}", options.dir.join(STORE_FILE).display()),
        template_worker: own_program(),
        hook_allow: guard.allow,
        hook_allow_http: guard.allow_http,
        grace: Duration::from_secs(2),
        dashboard: DashboardSettings {
            inspector: true,
            simulator: true,
            open_with: is_private.then(|| keys::hash(key)),
        },
        ..Settings::default()
    }
}

fn prepare_directory(dir: &Path, fresh: bool) -> Result<()> {
    private_folder::make(dir).with_context(|| {
        format!(
            "the folder {} cannot be created for its owner only",
            dir.display()
        )
    })?;
    if fresh {
        sqlite::remove(&dir.join(STORE_FILE)).context("the store of earlier runs cannot be removed")?;
    }
    Ok(())
}

/// Key from the options, else the one of an earlier run, else a new one.
fn api_key(options: &DevOptions) -> String {
    let kept = std::fs::read_to_string(options.dir.join(KEY_FILE))
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    options.key.clone().or(kept).unwrap_or_else(keys::new_key)
}

/// Stores the key, and returns a caller with it who may do everything.
async fn store_key(options: &DevOptions, node: &Node, text: &str) -> Result<Caller> {
    let key = api_keys::find_or_create_admin(node, COMPANY, "dev", text).await?;
    keys::write_private(&options.dir.join(KEY_FILE), text)?;
    Ok(Caller {
        admin: true,
        scopes: Scopes::ALL,
        ..Caller::of(&key)
    })
}
