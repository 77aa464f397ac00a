//! Makes several servers on one PostgreSQL fail while events come in, and counts what was acknowledged, what arrived, what
//! came twice, out of order or at the same time.
//!
//! `cargo build --release && cargo trial nodes --seconds 60`. It starts a temporary PostgreSQL, servers, receivers and
//! senders. It kills one server and starts it again, stops another (SIGSTOP) for longer than its lease, and crashes
//! PostgreSQL. It fails if an acknowledged event does not arrive, or events of a call arrive out of order.
#![expect(clippy::print_stdout, reason = "it prints what it found")]

mod load;
mod receiver;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde_json::json;
use switchhook_store::postgres::cluster::{Cluster, Durability, Ending, create_database};
use tokio::time::{Instant, sleep};
use trials::server::{Server, new_key};

use self::load::Load;
use self::receiver::{Finding, Receiver};

/// What a run is.
#[derive(Debug, Parser)]
struct Options {
    /// Number of servers
    #[arg(long, default_value_t = 3)]
    nodes: usize,

    /// Time for which events are sent
    #[arg(long, default_value_t = 60)]
    seconds: u64,

    /// Number of senders; each has one event under way
    #[arg(long, default_value_t = 24)]
    senders: u64,

    /// Number of webhooks, each of which gets every event
    #[arg(long, default_value_t = 2)]
    webhooks: usize,

    /// Of how many first attempts one fails; 0 for none
    #[arg(long, default_value_t = 50)]
    failing: u64,

    /// Let nothing fail: only measure
    #[arg(long)]
    calm: bool,
}

/// The shortest lease that can be, and how much longer than it a server sleeps.
const LEASE: Duration = Duration::from_secs(15);
const OVERSLEPT: Duration = Duration::from_secs(5);

/// Time for which PostgreSQL is away.
const AWAY: Duration = Duration::from_secs(3);

/// Time after the last event until which everything must have arrived.
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let data = tempfile::tempdir()?;
    let mut postgres = Cluster::start(data.path(), Durability::Full).context("PostgreSQL does not start")?;
    let store = create_database(&postgres.url("postgres"), "acceptance")?;
    let key = new_key(&store)?;
    let mut nodes = Vec::new();
    let lease = format!("{}s", LEASE.as_secs());
    for number in 0..options.nodes {
        let log = folder.path().join(format!("log-{number}"));
        // The profile with the short attempts allows the short lease; each webhook has a profile of its own.
        let options = ["--profile", "dialpad", "--lease", &lease];
        nodes.push(Server::start(&store, &key, log, &options).await?);
    }
    let receiver = Receiver::start(options.failing).await?;
    set_up(&nodes[0], &receiver, options.webhooks).await?;
    // Every node knows of it within about a second.
    sleep(Duration::from_secs(3)).await;

    let addresses = nodes.iter().map(Server::address).collect();
    let began = Instant::now();
    let load = Load::start(addresses, &key, options.senders);
    let at = |share: f64| began + Duration::from_secs(options.seconds).mul_f64(share);
    if !options.calm {
        tokio::time::sleep_until(at(0.15)).await;
        println!("{:>5.1} s  server 0 is killed", began.elapsed().as_secs_f64());
        nodes[0].kill();
        tokio::time::sleep_until(at(0.3)).await;
        nodes[0].start_again().await?;
        println!("{:>5.1} s  server 0 is back", began.elapsed().as_secs_f64());
        if let Some(sleeper) = nodes.get(1) {
            println!("{:>5.1} s  server 1 falls asleep", began.elapsed().as_secs_f64());
            sleeper.signal("-STOP")?;
            sleep(LEASE + OVERSLEPT).await;
            sleeper.signal("-CONT")?;
            println!("{:>5.1} s  server 1 wakes up", began.elapsed().as_secs_f64());
        }
        tokio::time::sleep_until(at(0.75)).await;
        println!("{:>5.1} s  PostgreSQL crashes", began.elapsed().as_secs_f64());
        postgres.stop(Ending::Crash)?;
        sleep(AWAY).await;
        postgres.start_again()?;
        println!("{:>5.1} s  PostgreSQL is back", began.elapsed().as_secs_f64());
    }
    tokio::time::sleep_until(at(1.0)).await;
    let sent = load.end().await;
    let took = began.elapsed();
    let wanted = sent.acknowledged.len() * options.webhooks;
    let ended = Instant::now();
    let found = loop {
        let found = receiver.look(&sent.acknowledged);
        if found.arrived >= wanted || ended.elapsed() > PATIENCE {
            break found;
        }
        sleep(Duration::from_millis(200)).await;
    };
    let mut late = 0;
    for node in &nodes {
        late += late_answers(node).await.unwrap_or(0);
    }
    report(&options, &sent, &found, took, ended.elapsed(), late);
    ensure!(
        found.arrived == wanted,
        "not everything arrived; logs: {}",
        folder.keep().display()
    );
    ensure!(
        found.out_of_order == 0,
        "calls are out of order; logs: {}",
        folder.keep().display()
    );
    Ok(())
}

/// Makes the webhooks, each with its subscription to all calls.
async fn set_up(node: &Server, receiver: &Receiver, webhooks: usize) -> Result<()> {
    for number in 0..webhooks {
        let body = json!({"hook_url": receiver.url(number)});
        let made = node.call("POST", "/api/v2/webhooks", &body).await?;
        let settings = json!({"profile": "durable", "timeout_ms": 3_000, "retry_schedule": vec![1; 100]});
        let id = made["id"].as_str().context("a webhook has an id")?;
        node.call("PATCH", &format!("/v1/webhooks/{id}"), &settings)
            .await?;
        let body = json!({"endpoint_id": id});
        node.call("POST", "/api/v2/subscriptions/call", &body).await?;
    }
    Ok(())
}

/// Number of answers that came too late since the server was started.
async fn late_answers(node: &Server) -> Result<u64> {
    let lines = node.metrics("switchhook_late_answers_total ").await?;
    let (_, count) = lines
        .first()
        .and_then(|line| line.split_once(' '))
        .context("it is counted")?;
    Ok(count.trim().parse()?)
}

fn report(
    options: &Options,
    sent: &load::Sent,
    found: &Finding,
    took: Duration,
    settling: Duration,
    late: u64,
) {
    let acknowledged = sent.acknowledged.len();
    println!("servers             {}", options.nodes);
    println!(
        "acknowledged        {acknowledged} events, {:.0} a second",
        acknowledged as f64 / took.as_secs_f64()
    );
    println!(
        "arrived             {} of {} deliveries",
        found.arrived,
        acknowledged * options.webhooks
    );
    println!("settled after       {:.1} s", settling.as_secs_f64());
    println!("repeats             {}", found.repeats);
    println!(
        "out of order        {} in {} calls",
        found.out_of_order, found.calls
    );
    println!("overlaps            {}", found.overlaps);
    println!("late answers        {late} refused");
    println!(
        "not acknowledged    {} answers of 503, {} without an answer",
        sent.refused, sent.unanswered
    );
}

/// What several parts share.
type Shared<T> = Arc<parking_lot::Mutex<T>>;
