//! Listening sockets: inherited ones, or new ones at the addresses of the settings.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use switchhook_http::server as http_server;
use switchhook_node::settings::Settings;
use tokio::net::TcpListener;

use crate::systemd::Sockets;

/// Listening sockets of a server.
pub(super) struct Listeners {
    pub(super) listener: TcpListener,
    pub(super) metrics: Option<TcpListener>,
}

impl Listeners {
    /// Opens the sockets, and returns the settings with their actual addresses.
    pub(super) fn open(sockets: Sockets, settings: Settings) -> Result<(Self, Settings)> {
        let listener = adopt_or_listen(sockets.listen, settings.listen)?;
        let metrics = match (sockets.metrics, settings.metrics_listen) {
            (None, None) => None,
            (given, address) => Some(adopt_or_listen(given, address.unwrap_or(settings.listen))?),
        };
        let settings = Settings {
            listen: listener.local_addr()?,
            metrics_listen: metrics.as_ref().map(TcpListener::local_addr).transpose()?,
            ..settings
        };
        Ok((Self { listener, metrics }, settings))
    }
}

fn adopt_or_listen(given: Option<std::net::TcpListener>, address: SocketAddr) -> Result<TcpListener> {
    match given {
        Some(given) => {
            http_server::adopt(given).context("the socket that the server was started with cannot be used")
        }
        None => Ok(http_server::listen(address)?),
    }
}
