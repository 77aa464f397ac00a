//! Through a proxy: a tunnel to an address or to a name, or a plain connection to the proxy itself.

use std::io;

use http::Uri;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use switchhook_domain::attempt::Silence;
use tokio::net::TcpStream;
use tower::Service as _;

use super::exchange::{Failure, with_causes};
use crate::delivery::outbound::Proxy;

/// A connection to the proxy, which is the operator's: where its name leads is not judged.
pub(super) async fn to_proxy(proxy: &Proxy) -> Result<TcpStream, Failure> {
    let stream = connect(&proxy.uri).await.map_err(|error| {
        let words = format!("the proxy {} cannot be connected to: {error}", proxy.uri);
        Failure::new(Silence::ConnectionLost, words)
    })?;
    at_once(&stream);
    Ok(stream)
}

/// Asks the proxy for a tunnel to an address, or to a name that it looks up.
pub(super) async fn tunnel(proxy: &Proxy, to: &str) -> Result<TcpStream, Failure> {
    let to_proxy = tower::service_fn(|uri: Uri| async move { connect(&uri).await.map(TokioIo::new) });
    let mut tunnel = Tunnel::new(proxy.uri.clone(), to_proxy);
    if let Some(authorization) = &proxy.authorization {
        tunnel = tunnel.with_auth(authorization.clone());
    }
    let failed = |detail: String| {
        let words = format!("the proxy {} made no tunnel to {to}: {detail}", proxy.uri);
        Failure::new(Silence::ConnectionLost, words)
    };
    let wanted = Uri::try_from(format!("https://{to}")).map_err(|error| failed(error.to_string()))?;
    let stream = tunnel
        .call(wanted)
        .await
        .map_err(|error| failed(with_causes(&error)))?;
    let stream = stream.into_inner();
    at_once(&stream);
    Ok(stream)
}

/// Has small requests sent at once: they might wait 40 ms for an acknowledgement of the one before.
pub(super) fn at_once(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
}

#[expect(
    clippy::disallowed_methods,
    reason = "it is the operator's proxy, which stands where he says"
)]
async fn connect(proxy: &Uri) -> io::Result<TcpStream> {
    let host = proxy.host().unwrap_or_default().trim_matches(['[', ']']);
    TcpStream::connect((host, proxy.port_u16().unwrap_or(80))).await
}
