//! Port of `dev`: the requested one, or the next that is free.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use anyhow::Result;
use switchhook_http::server as http_server;

use crate::terminal;

/// Number of ports tried.
const MOST_TRIED: u16 = 100;

/// Listens there, or at the next free port, and says so.
pub(super) fn listen_at_or_after(wanted: SocketAddr) -> Result<TcpListener> {
    let last = wanted.port().saturating_add(MOST_TRIED);
    for port in wanted.port()..=last {
        let address = SocketAddr::new(wanted.ip(), port);
        match http_server::listen(address) {
            Ok(listener) => {
                if port != wanted.port() {
                    terminal::remark(format_args!(
                        "port {} is taken by another program: listening at port {port} instead",
                        wanted.port()
                    ));
                }
                return Ok(listener.into_std()?);
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::bail!(
        "the ports from {} to {last} are all taken: choose another with --port",
        wanted.port()
    )
}
