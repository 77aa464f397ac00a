//! `switchhook dev`: the whole system for one person. What it does is `dev.rs` of the library.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::dev::{self, DevOptions};
use crate::logging::{self, LogFormat};

/// Run everything in one process to try it out: server, API key, a receiver that shows what arrives, and a simulated
/// company
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook dev
  switchhook dev --seed 7 --rate 20
  switchhook dev --fresh --no-simulate")]
pub(super) struct Dev {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8400")]
    listen: SocketAddr,

    /// Seed of the simulated company: the same seed gives the same events
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,

    /// Simulated events per second
    #[arg(long, value_name = "EVENTS", default_value = "1", value_parser = parse_rate)]
    rate: f64,

    /// Do not simulate a company; only events that you send
    #[arg(long)]
    no_simulate: bool,

    /// Delete the events, webhooks and keys of earlier runs
    #[arg(long)]
    fresh: bool,

    /// Folder for the store and the API key
    #[arg(long, value_name = "FOLDER", default_value = ".switchhook")]
    dir: PathBuf,

    /// API key to use instead of a generated one
    #[arg(long, env = "SWITCHHOOK_API_KEY", value_name = "KEY", hide_env_values = true)]
    key: Option<String>,
}

impl Dev {
    pub(super) fn run(self) -> anyhow::Result<()> {
        logging::init(LogFormat::Text, "warn");
        let options = DevOptions {
            listen: self.listen,
            seed: self.seed,
            rate: self.rate,
            simulate: !self.no_simulate,
            fresh: self.fresh,
            dir: self.dir,
            key: self.key.filter(|key| !key.is_empty()),
        };
        super::wait_for_server(dev::run(options))
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=100_000.0).contains(&rate) => Ok(rate),
        _ => Err("a rate is a number of events a second, from 0.001 to 100000".to_owned()),
    }
}
