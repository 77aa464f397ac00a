//! Options for listening addresses, and for the number of client connections.

use std::net::SocketAddr;
use std::time::Duration;

use crate::words;
use clap::Args;
use switchhook_http::server::{ConnectionLimits, MOST_BY_DEFAULT};
use switchhook_node::duration::{parse_duration, show_duration};

/// Shortest idle timeout with which a client can reuse a connection.
const SHORTEST_IDLE: Duration = Duration::from_secs(1);

/// Listening addresses, and the number of client connections.
#[derive(Clone, Debug, Args)]
pub struct ListeningOptions {
    /// Address and port to listen on
    #[arg(long, env = "SWITCHHOOK_LISTEN", hide_env_values = true, value_name = "ADDRESS", default_value = "127.0.0.1:8400", value_parser = parse_listen)]
    pub listen: SocketAddr,

    /// Address and port for /metrics, /healthz and /readyz, instead of serving /metrics at --listen
    #[arg(long, env = "SWITCHHOOK_METRICS_LISTEN", hide_env_values = true, value_name = "ADDRESS", value_parser = parse_listen)]
    pub metrics_listen: Option<SocketAddr>,

    /// Number of webhooks with metrics of their own: those with the most pending, and with the most attempts
    #[arg(long, env = "SWITCHHOOK_METRICS_PER_WEBHOOK", hide_env_values = true, value_name = "N", default_value = "0", value_parser = words::whole_number::<u32>(0..=1_000))]
    pub metrics_per_webhook: u32,

    #[arg(
        long,
        help = format!(
            "Maximum number of open client connections [default: what the limit of open files allows, at most {MOST_BY_DEFAULT}]"
        ),
        env = "SWITCHHOOK_MAX_CONNECTIONS", hide_env_values = true, value_name = "N", value_parser = words::whole_number::<u32>(1..=1_000_000))]
    pub max_connections: Option<u32>,

    /// Time after which an idle connection is closed; longer than the idle timeout of a load balancer in front
    #[arg(long, env = "SWITCHHOOK_IDLE_TIMEOUT", hide_env_values = true, value_name = "DURATION", default_value = "75s", value_parser = parse_idle_timeout)]
    pub idle_timeout: Duration,
}

impl ListeningOptions {
    /// Checks combinations of settings that are valid by themselves.
    pub(super) fn check_together(&self) -> Vec<String> {
        let overlaps = |other: &SocketAddr| {
            let (one, other) = (self.listen, *other);
            let is_same_place = one.ip() == other.ip()
                || one.is_ipv4() == other.is_ipv4()
                    && (one.ip().is_unspecified() || other.ip().is_unspecified());
            is_same_place && one.port() == other.port() && one.port() != 0
        };
        let taken = self.metrics_listen.filter(overlaps);
        let report = |metrics| {
            format!(
                "metrics-listen: {metrics} is taken by listen ({}); choose another port, or leave metrics-listen out to have \
                 /metrics there",
                self.listen
            )
        };
        taken.map(report).into_iter().collect()
    }

    pub(super) fn connections(&self) -> ConnectionLimits {
        ConnectionLimits {
            max: self.max_connections,
            idle: self.idle_timeout,
            ..ConnectionLimits::default()
        }
    }
}

fn parse_idle_timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text).map_err(|error| error.to_string())? {
        idle if idle < SHORTEST_IDLE => Err(format!(
            "{} leaves clients no time for a next request; use at least {}",
            show_duration(idle),
            show_duration(SHORTEST_IDLE),
        )),
        idle => Ok(idle),
    }
}

pub(crate) fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let full = text
        .strip_prefix("localhost:")
        .map(|port| format!("127.0.0.1:{port}"));
    full.as_deref().unwrap_or(text).parse().map_err(|_| {
        format!("`{text}` is not an address and a port; write 127.0.0.1:8400 for this machine, 0.0.0.0:8400 for all")
    })
}
