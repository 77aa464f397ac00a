//! `switchhook dev`: the whole system for one person. What it does is `dev.rs` of the library.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::dev::{self, DevOptions};
use crate::logging::{self, LogFormat};

/// Run everything in one process, to try things out: server, API key, a receiver that shows what arrives, and a
/// simulated company that makes calls
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook dev
  switchhook dev --seed 7 --rate 20
  switchhook dev --fresh --no-simulate")]
pub(super) struct Dev {
    /// The address and port to listen at
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8400")]
    listen: SocketAddr,

    /// What the life of the simulated company follows from: the same seed, the same events
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,

    /// Simulated events a second
    #[arg(long, value_name = "EVENTS", default_value = "1", value_parser = parse_rate)]
    rate: f64,

    /// No simulated company: only events that you send
    #[arg(long)]
    no_simulate: bool,

    /// Forget the events, webhooks and keys of the last time
    #[arg(long)]
    fresh: bool,

    /// Where the store and the API key are kept
    #[arg(long, value_name = "FOLDER", default_value = ".switchhook")]
    dir: PathBuf,

    /// The API key to use instead of one that is made up
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
