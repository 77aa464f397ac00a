//! `switchhook dev`: the whole system for one person. The options are here, the rest is `crate::dev`.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use switchhook_node::duration::parse_duration;

use crate::config::parse_listen;
use crate::dev::{self, DevOptions, Forward};
use crate::logging::{self, LogFormat};
use crate::words;

/// Run everything in one process to try it out: server, API key, a receiver that shows what arrives, and a simulated
/// company
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook dev
  switchhook dev --forward http://localhost:3000/hook             # signed events to your receiver
  switchhook dev --forward http://localhost:3000/hook --events 3  # for CI: exit code 0 once it accepted three
  switchhook dev --seed 7 --rate 20
  switchhook dev --fresh --no-simulate")]
pub(super) struct Dev {
    /// URL of a receiver to send every event to, signed; prints the secret as SECRET=… and each answer
    #[arg(long, value_name = "URL", value_parser = parse_forward)]
    forward: Option<String>,

    /// Number of events accepted by the receiver after which to stop
    #[arg(long, value_name = "N", requires = "forward")]
    events: Option<NonZeroU32>,

    /// Time without an accepted event after which to fail, with --events
    #[arg(long, value_name = "DURATION", default_value = "30s", requires = "events", value_parser = parse_duration)]
    timeout: Duration,

    /// Port to listen on at 127.0.0.1; if it is taken, the next free one is used
    #[arg(long, value_name = "PORT", conflicts_with = "listen", value_parser = words::whole_number::<u16>(0..=u16::MAX))]
    port: Option<u16>,

    /// Address and port to listen on; if the port is taken, the next free one is used
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8400", value_parser = parse_listen)]
    listen: SocketAddr,

    /// Seed of the simulated company: the same seed gives the same events
    #[arg(long, value_name = "N", default_value = "1", value_parser = words::whole_number::<u64>(0..=u64::MAX))]
    seed: u64,

    /// Average number of simulated events per second
    #[arg(long, value_name = "EVENTS/S", default_value = "1", value_parser = parse_rate)]
    rate: f64,

    /// Do not simulate a company
    #[arg(long)]
    no_simulate: bool,

    /// Delete the store of earlier runs: events, webhooks and every key but the one kept beside it
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
        let listen = self.port.map(|port| (Ipv4Addr::LOCALHOST, port).into());
        let forward = self.forward.map(|url| Forward {
            url,
            events: self.events,
            timeout: self.timeout,
        });
        let options = DevOptions {
            listen: listen.unwrap_or(self.listen),
            seed: self.seed,
            rate: self.rate,
            simulate: !self.no_simulate,
            fresh: self.fresh,
            dir: self.dir,
            key: self.key.filter(|key| !key.is_empty()),
            forward,
        };
        super::block_on_server(dev::run(options))
    }
}

fn parse_forward(text: &str) -> Result<String, String> {
    dev::check_forward(text).map_err(|why| format!("{why}; write it as http://localhost:3000/hook"))?;
    Ok(text.to_owned())
}

fn parse_rate(text: &str) -> Result<f64, String> {
    const RATES: RangeInclusive<f64> = 0.001..=100_000.0;
    let (least, most) = (RATES.start(), RATES.end());
    let rate = text.parse::<f64>().ok().filter(|rate| RATES.contains(rate));
    rate.ok_or_else(|| format!("a rate is a number of events a second, from {least} to {most}"))
}
