//! From checked addresses to a standing TCP connection, directly or through the proxy.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use switchhook_domain::attempt::Silence;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower::Service as _;

use super::exchange::Failure;
use crate::delivery::outbound::Proxy;

/// How many of a name's addresses are tried.
const ADDRESSES_TRIED: usize = 4;

/// Connects to the first address that takes us, all of them checked before; each but the last gets a fair part of the
/// time that is left.
pub(super) async fn dial_first(
    addresses: &[IpAddr],
    port: u16,
    proxy: Option<&Proxy>,
    deadline: Instant,
) -> Result<TcpStream, Failure> {
    let tried = &addresses[..addresses.len().min(ADDRESSES_TRIED)];
    let mut last = Failure::new(Silence::Dns, "the name has no address".to_owned());
    for (index, address) in tried.iter().enumerate() {
        let address = SocketAddr::new(*address, port);
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(tried.len() - index).expect("at most four addresses");
        match dial(address, proxy, share).await {
            Ok(stream) => {
                // Without this a small request may wait 40 ms for an acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

async fn dial(address: SocketAddr, proxy: Option<&Proxy>, within: Duration) -> Result<TcpStream, Failure> {
    let dialed = async {
        match proxy {
            None => connect(address).await.map_err(|error| refused(address, &error)),
            Some(proxy) => through(proxy, address).await,
        }
    };
    tokio::time::timeout(within, dialed)
        .await
        .unwrap_or_else(|_elapsed| {
            let detail = format!("{address} did not take the connection in time");
            Err(Failure::new(Silence::ConnectTimeout, detail))
        })
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
