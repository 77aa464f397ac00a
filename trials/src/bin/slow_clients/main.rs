//! Surrounds a server with clients that are slow on purpose while events go through it, and counts what was accepted,
//! delivered and lost, how long accepting took, and who closed the slow connections.
//!
//! `cargo build --release && cargo trial slow_clients --connections 5000 --seconds 600 --rate 1000`. It starts the server, a
//! receiver, senders and slow clients, which open their connection again when it is closed. It fails if an event is not
//! accepted at the first try or does not arrive.
#![expect(clippy::print_stdout, reason = "it prints what it found")]

mod crowd;
mod genuine;
#[path = "../../../../crates/switchhook/tests/it/support/stranger.rs"]
mod stranger;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};
use trials::server::{Server, new_key};

use self::crowd::Crowd;
use self::genuine::{Genuine, Receiver};
use self::stranger::Target;

/// What a run is.
#[derive(Debug, Parser)]
struct Options {
    /// Number of slow connections at any time
    #[arg(long, default_value_t = 5_000)]
    connections: usize,

    /// Time for which events are sent
    #[arg(long, default_value_t = 60)]
    seconds: u64,

    /// Number of events a second
    #[arg(long, default_value_t = 1_000)]
    rate: u32,

    /// Most connections of the server, if not what it decides itself
    #[arg(long)]
    max_connections: Option<u32>,
}

/// Pause of those that drip between two bytes.
const DRIP_EVERY: Duration = Duration::from_secs(1);

/// Time after the last event until which everything must have arrived.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pause between two reports.
const SAY_EVERY: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    allow_many_files()?;
    let folder = tempfile::tempdir()?;
    let store = format!("sqlite:{}", folder.path().join("switchhook.db").display());
    let key = new_key(&store)?;
    let most = options.max_connections.map(|most| most.to_string());
    let arguments: Vec<&str> = most.iter().flat_map(|most| ["--max-connections", most]).collect();
    let server = Server::start(&store, &key, folder.path().join("log"), &arguments).await?;
    let receiver = Receiver::start().await?;
    let hook = json!({"hook_url": receiver.url()});
    let made = server.call("POST", "/api/v2/webhooks", &hook).await?;
    let subscription = json!({"endpoint_id": made["id"]});
    server
        .call("POST", "/api/v2/subscriptions/call", &subscription)
        .await?;
    let websocket = server.call("POST", "/api/v2/websockets", &json!({})).await?;
    let websocket = websocket["websocket_url"].as_str().unwrap_or_default();
    let path = websocket.find("/events/").context("a websocket has a URL")?;

    let crowd = Crowd::gather(
        Target {
            address: server.address(),
            key: key.clone(),
            websocket: websocket[path..].to_owned(),
            drip_every: DRIP_EVERY,
        },
        options.connections,
    );
    crowd.wait_until_there().await;
    println!("{} slow connections are open", crowd.open());
    let began = Instant::now();
    let genuine = Genuine::start(server.address(), &key, options.rate);
    let ends_at = began + Duration::from_secs(options.seconds);
    while Instant::now() < ends_at {
        sleep_until(ends_at.min(Instant::now() + SAY_EVERY)).await;
        println!(
            "{:>6.1} s  {} accepted, {} failed, {} arrived, {} slow connections, healthz {}",
            began.elapsed().as_secs_f64(),
            genuine.accepted(),
            genuine.failed(),
            receiver.count(),
            crowd.open(),
            server.is_healthy().await,
        );
    }
    let sent = genuine.end().await;
    let ended = Instant::now();
    while receiver.missing(&sent.accepted) > 0 && ended.elapsed() < PATIENCE {
        sleep(Duration::from_millis(200)).await;
    }
    let lost = receiver.missing(&sent.accepted);
    let endings = crowd.disperse();
    println!("accepted    {}", sent.accepted.len());
    println!("failed      {}", sent.failed.len());
    println!("delivered   {}", sent.accepted.len() - lost);
    println!("lost        {lost}");
    println!(
        "accepting   p50 {:?}, p99 {:?}, longest {:?}",
        sent.p50, sent.p99, sent.longest
    );
    for ((manner, ending), times) in endings {
        println!("{times:>8} {manner:?} {ending:?}");
    }
    for line in server.metrics("switchhook_connections").await? {
        println!("{line}");
    }
    for (why, times) in sent.failed_by() {
        println!("failed {times} times: {why}");
    }
    let is_well = sent.failed.is_empty() && lost == 0;
    ensure!(
        is_well,
        "the server's log: {}",
        folder.keep().join("log").display()
    );
    Ok(())
}

fn allow_many_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}
