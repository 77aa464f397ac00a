//! `switchhook dev`: the whole system for one person, in one process, with something to see within seconds.
//!
//! It is an ordinary server on an embedded store, opened up to loopback, plus an API key, a webhook that it receives
//! itself (`arrivals` tells what it gets), and a made-up company that produces events (`simulation`).

mod arrivals;
mod simulation;
mod welcome;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use switchhook_domain::id::{CompanyId, KeyId, SubscriptionId, WebhookId};
use switchhook_domain::key::{ApiKey, Rights};
use switchhook_domain::scope::Scopes;
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::{Endpoint, Filter, Subscription};
use switchhook_domain::webhook::Webhook;
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::{PageRequest, StoreError};

use crate::private_folder;
use crate::server::{Server, asked_to_stop};
use switchhook_node::Node;
use switchhook_node::delivery::address_guard::AddressGuard;
use switchhook_node::inspector::SCHEME;
use switchhook_node::keys;
use switchhook_node::settings::{DashboardSettings, Settings};

/// Whose everything is in `dev`.
const COMPANY: CompanyId = CompanyId(1);

/// The files of its folder by which the commands find it.
pub(crate) const KEY_FILE: &str = "key";
pub(crate) const ADDRESS_FILE: &str = "address";

/// The name of its inspector.
const INSPECTOR: &str = "dev";

/// What can be chosen.
#[derive(Debug, Clone)]
pub struct DevOptions {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// What the made-up company's life follows from.
    pub seed: u64,
    /// Events a second.
    pub rate: f64,
    /// Whether there is a made-up company at all.
    pub simulate: bool,
    /// Whether to begin with an empty store.
    pub fresh: bool,
    /// Where store and key are kept.
    pub dir: PathBuf,
    /// The API key, if it is not to be made up.
    pub key: Option<String>,
}

/// Runs until it is asked to stop.
///
/// # Errors
/// If the server could not start.
pub async fn run(options: DevOptions) -> Result<()> {
    prepare_directory(&options.dir, options.fresh)?;
    let key = api_key(&options);
    let server = Server::start(settings(&options, &key)).await?;
    let node = Arc::clone(&server.node);
    let now = node.clock.now();
    keep_key(&options, &node, &key, now).await?;
    let webhook = inspected_webhook(&node, now).await?;
    let url = format!("http://{}", reachable(server.address));
    let left = options.dir.join(ADDRESS_FILE);
    keys::write_private(&left, &url)?;
    welcome::print(&url, &key, &options, &webhook);
    let telling = tokio::spawn(arrivals::tell(Arc::clone(&node)));
    let simulating = options.simulate.then(|| {
        tokio::spawn(simulation::run(
            Arc::clone(&node),
            COMPANY,
            options.seed,
            options.rate,
        ))
    });
    let ended = async {
        asked_to_stop().await;
        if let Some(simulating) = &simulating {
            simulating.abort();
        }
        telling.abort();
    };
    let ended = server.run_until(ended).await;
    // One that stays sends the commands to where nobody listens, and they say so.
    let _ = std::fs::remove_file(left);
    ended
}

/// Where a server is reached from its own machine that listens at `address`.
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
    let guard = AddressGuard::allowing_loopback();
    Settings {
        listen: options.listen,
        store: format!("sqlite:{}", options.dir.join("switchhook.db").display()),
        hook_allow: guard.allow,
        hook_allow_http: guard.allow_http,
        grace: Duration::from_secs(2),
        dashboard: DashboardSettings {
            inspector: true,
            simulator: true,
            open_with: is_private.then(|| keys::hash(key)),
            ..DashboardSettings::default()
        },
        ..Settings::default()
    }
}

fn prepare_directory(dir: &Path, fresh: bool) -> Result<()> {
    if fresh && dir.exists() {
        for name in [
            "switchhook.db",
            "switchhook.db-wal",
            "switchhook.db-shm",
            "switchhook.db.reserve",
        ] {
            let file = dir.join(name);
            if file.exists() {
                std::fs::remove_file(&file)
                    .with_context(|| format!("{} cannot be removed", file.display()))?;
            }
        }
    }
    private_folder::make(dir)
        .with_context(|| format!("the folder {} cannot be made and kept from others", dir.display()))
}

/// The key to work with: the one that was given, the one of the last time, or a new one.
fn api_key(options: &DevOptions) -> String {
    let kept = std::fs::read_to_string(options.dir.join(KEY_FILE))
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    options.key.clone().or(kept).unwrap_or_else(keys::new_key)
}

async fn keep_key(options: &DevOptions, node: &Node, text: &str, now: Timestamp) -> Result<()> {
    let hash = keys::hash(text);
    if node.store.find_key(hash).await?.is_none() {
        let key = ApiKey {
            id: KeyId(node.ids.next(now)),
            company_id: COMPANY,
            name: "dev".to_owned(),
            hash,
            admin: true,
            rights: Rights::all(),
            scopes: Scopes::ALL,
            created_at: now,
            expires_at: None,
            revoked_at: None,
        };
        node.store.create_key(key).await?;
    }
    keys::write_private(&options.dir.join(KEY_FILE), text)?;
    Ok(())
}

/// The webhook that this very process receives, subscribed to everything; made at the first start.
async fn inspected_webhook(node: &Node, now: Timestamp) -> Result<Webhook> {
    let hook_url = format!("{SCHEME}{INSPECTOR}");
    let known = node
        .store
        .list_webhooks(COMPANY, PageRequest::first(1_000))
        .await?;
    if let Some(webhook) = known
        .items
        .into_iter()
        .find(|webhook| webhook.hook_url == hook_url)
    {
        return Ok(webhook);
    }
    let id = WebhookId(node.ids.next(now));
    let secret = Secret::new(keys::new_secret());
    let webhook = Webhook::new(id, COMPANY, hook_url, now).with_secret(Some(secret));
    let webhook = node.store.create_webhook(webhook).await?;
    for filter in Kind::ALL.into_iter().flat_map(Filter::everything_of) {
        subscribe(node, webhook.id, filter, now).await?;
    }
    node.registry.refresh(COMPANY).await?;
    Ok(webhook)
}

async fn subscribe(
    node: &Node,
    webhook_id: WebhookId,
    filter: Filter,
    now: Timestamp,
) -> Result<(), StoreError> {
    let subscription = Subscription {
        id: SubscriptionId(node.ids.next(now)),
        company_id: COMPANY,
        endpoint: Some(Endpoint::Webhook(webhook_id)),
        enabled: true,
        filter,
        scopes: Scopes::ALL,
        created_at: now,
        updated_at: now,
    };
    node.store
        .create_subscription(subscription, None)
        .await
        .map(|_| ())
}
