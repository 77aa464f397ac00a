//! Through a proxy: a tunnel to an address or to a name, or a plain connection to the proxy itself.

use std::io;

use http::Uri;
use switchhook_domain::attempt::FailureReason;
use tokio::net::TcpStream;

use super::exchange_error::ExchangeError;
use switchhook_http::cause::without_code;
use switchhook_http::proxy::Proxy;
use switchhook_http::tunnel::{self, TunnelError};

/// A connection to the proxy, which is the operator's: where its name leads is not judged.
pub(super) async fn to_proxy(proxy: &Proxy) -> Result<TcpStream, ExchangeError> {
    let stream = connect(&proxy.uri).await.map_err(|error| {
        let words = format!(
            "the proxy {} cannot be connected to: {}",
            proxy.uri,
            without_code(&error.to_string())
        );
        ExchangeError::of_proxy(words)
    })?;
    at_once(&stream);
    Ok(stream)
}

/// Asks the proxy for a tunnel to an address, or to a name that it looks up.
pub(super) async fn tunnel(proxy: &Proxy, to: &str) -> Result<TcpStream, ExchangeError> {
    let mut stream = to_proxy(proxy).await?;
    let asked = tunnel::ask(&mut stream, to, proxy.authorization.as_ref()).await;
    asked.map_err(|TunnelError { why, to_anywhere }| match to_anywhere {
        true => ExchangeError::of_proxy(format!("the proxy {} made no tunnel: {why}", proxy.uri)),
        false => ExchangeError::new(
            FailureReason::ConnectionLost,
            format!("the proxy {} made no tunnel to {to}: {why}", proxy.uri),
        ),
    })?;
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
