//! From checked addresses to a standing TCP connection, directly or through the proxy.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::Uri;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use switchhook_domain::attempt::Silence;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::Service as _;

use super::doubts::Doubts;
use super::exchange::Failure;
use crate::delivery::outbound::Proxy;

/// How long an address has for itself before the next one is tried beside it (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// The same where a proxy makes the connections, which takes longer.
const HEAD_START_THROUGH_PROXY: Duration = Duration::from_secs(1);

/// Makes TCP connections.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) proxy: Option<Proxy>,
    pub(super) doubts: Doubts,
}

impl Dialer {
    /// Connects to the first address that takes us, all of them checked before ("happy eyeballs", RFC 8305).
    pub(super) async fn dial(&self, addresses: &[IpAddr], port: u16) -> Result<TcpStream, Failure> {
        let order = self.doubts.order(addresses);
        let head_start = match self.proxy {
            None => HEAD_START,
            Some(_) => HEAD_START_THROUGH_PROXY,
        };
        let mut waiting = order.iter();
        let mut under_way = FuturesUnordered::new();
        let mut failures = Vec::new();
        loop {
            if let Some(address) = waiting.next() {
                let to = SocketAddr::new(*address, port);
                under_way.push(async move { (*address, self.dial_one(to).await) });
            }
            let ended = if waiting.as_slice().is_empty() {
                under_way.next().await
            } else {
                match timeout(head_start, under_way.next()).await {
                    Ok(ended) => ended,
                    Err(_elapsed) => continue,
                }
            };
            match ended {
                Some((address, Ok(stream))) => {
                    let tried = &order[..order.len() - waiting.as_slice().len()];
                    self.prefer(address, tried);
                    // Without this a small request may wait 40 ms for an acknowledgement of the one before.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Some((_, Err(failure))) => failures.push(failure),
                None => return Err(Failure::of_all(failures)),
            }
        }
    }

    /// Remembers which of the addresses that were tried took the connection.
    fn prefer(&self, winner: IpAddr, tried: &[IpAddr]) {
        for address in tried.iter().filter(|address| **address != winner) {
            self.doubts.address(*address);
        }
        self.doubts.clear(winner);
    }

    async fn dial_one(&self, address: SocketAddr) -> Result<TcpStream, Failure> {
        match &self.proxy {
            Some(proxy) => through(proxy, address).await,
            None => connect(address).await.map_err(|error| {
                if has_no_way(&error) {
                    self.doubts.family_of(address.ip());
                }
                refused(address, &error)
            }),
        }
    }
}

/// Whether the machine has no way to the address's family at all, as far as can be told.
fn has_no_way(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the guarded connector: the address has been judged, or is the operator's proxy"
)]
async fn connect(to: impl tokio::net::ToSocketAddrs) -> io::Result<TcpStream> {
    TcpStream::connect(to).await
}

fn refused(address: SocketAddr, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        return Failure::new(Silence::ConnectionRefused, format!("nobody listens at {address}"));
    }
    let detail = format!("{address} cannot be connected to: {error}");
    Failure::new(Silence::ConnectionLost, detail)
}

/// Asks the proxy for a tunnel to an address.
async fn through(proxy: &Proxy, address: SocketAddr) -> Result<TcpStream, Failure> {
    let to_proxy = tower::service_fn(|uri: Uri| async move {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        connect((host, uri.port_u16().unwrap_or(80)))
            .await
            .map(TokioIo::new)
    });
    let mut tunnel = Tunnel::new(proxy.uri.clone(), to_proxy);
    if let Some(authorization) = &proxy.authorization {
        tunnel = tunnel.with_auth(authorization.clone());
    }
    let failed = |detail: String| {
        let words = format!("the proxy {} made no tunnel to {address}: {detail}", proxy.uri);
        Failure::new(Silence::ConnectionLost, words)
    };
    let wanted = Uri::try_from(format!("https://{address}")).map_err(|error| failed(error.to_string()))?;
    let stream = tunnel
        .call(wanted)
        .await
        .map_err(|error| failed(super::exchange::with_causes(&error)))?;
    Ok(stream.into_inner())
}
