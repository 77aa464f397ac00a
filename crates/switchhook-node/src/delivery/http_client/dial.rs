//! From checked addresses to a standing TCP connection, directly or through the proxy.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use switchhook_domain::attempt::FailureReason;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::exchange_error::ExchangeError;
use super::failed_addresses::FailedAddresses;
use super::proxy;
use switchhook_http::cause::without_code;
use switchhook_http::proxy::Proxy;

/// Head start of an address before the next is tried in parallel (RFC 8305, section 5).
pub const HEAD_START: Duration = Duration::from_millis(250);

/// The same where a proxy makes the connections, which takes longer.
pub const HEAD_START_THROUGH_PROXY: Duration = Duration::from_secs(1);

/// Dials TCP connections.
#[derive(Debug, Default)]
pub(super) struct Dialer {
    failed_addresses: FailedAddresses,
}

impl Dialer {
    /// Connects to the first address that takes us, all of them checked before ("happy eyeballs", RFC 8305).
    pub(super) async fn dial(
        &self,
        addresses: &[IpAddr],
        port: u16,
        proxy: Option<&Proxy>,
    ) -> Result<TcpStream, ExchangeError> {
        let order = self.failed_addresses.order(addresses);
        let head_start = match proxy {
            None => HEAD_START,
            Some(_) => HEAD_START_THROUGH_PROXY,
        };
        let mut waiting = order.iter();
        let mut under_way = FuturesUnordered::new();
        let mut failures = Vec::new();
        loop {
            if let Some(address) = waiting.next() {
                let to = SocketAddr::new(*address, port);
                under_way.push(async move { (*address, self.dial_one(to, proxy).await) });
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
                    proxy::at_once(&stream);
                    return Ok(stream);
                }
                Some((_, Err(failure))) => failures.push(failure),
                None => return Err(ExchangeError::of_all(failures)),
            }
        }
    }

    /// Remembers which of the addresses that were tried took the connection.
    fn prefer(&self, winner: IpAddr, tried: &[IpAddr]) {
        for address in tried.iter().filter(|address| **address != winner) {
            self.failed_addresses.address(*address);
        }
        self.failed_addresses.clear(winner);
    }

    async fn dial_one(&self, address: SocketAddr, proxy: Option<&Proxy>) -> Result<TcpStream, ExchangeError> {
        match proxy {
            Some(proxy) => proxy::tunnel(proxy, &address.to_string()).await,
            None => connect(address).await.map_err(|error| {
                if has_no_route(&error) {
                    self.failed_addresses.family_of(address.ip());
                }
                refused(address, &error)
            }),
        }
    }
}

/// True if the machine has no route for the address's family.
fn has_no_route(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the guarded connector: the address has been judged"
)]
async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(address).await
}

fn refused(address: SocketAddr, error: &io::Error) -> ExchangeError {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        return ExchangeError::new(
            FailureReason::ConnectionRefused,
            format!("nobody listens at {address}"),
        );
    }
    let words = without_code(&error.to_string());
    let detail = format!("{address} cannot be connected to: {words}");
    ExchangeError::new(FailureReason::ConnectionLost, detail)
}
