//! Secure connections: whom they trust, and in words why one does not come to stand.

use std::collections::HashSet;
use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::WantsClientCert;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ConfigBuilder, Error};
use rustls_platform_verifier::Verifier;
use switchhook_domain::attempt::FailureReason;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use super::exchange_error::ExchangeError;
use crate::destination::TlsIdentity;
use switchhook_http::cause::without_code;
use switchhook_http::proxy::Outbound;
use switchhook_http::tls::{HTTP1, HTTP2, Peer, TlsFailure, explain};

/// Most origins remembered that speak HTTP/2 alone.
const MOST_ORIGINS: usize = 1_024;

/// Makes TCP connections secure. HTTP/1.1 is offered; to origins that do not want it, HTTP/2.
pub(super) struct TlsConnectors {
    http1: TlsConnector,
    http2: TlsConnector,
    verifier: Arc<Verifier>,
    only_http2: Mutex<HashSet<Arc<str>>>,
}

impl TlsConnectors {
    pub(super) fn new(outbound: &Outbound) -> anyhow::Result<Self> {
        let verifier = Arc::new(verifier(outbound)?);
        let config = trusting(&verifier).with_no_client_auth();
        let offering = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        Ok(Self {
            http1: offering(HTTP1),
            http2: offering(HTTP2),
            verifier,
            only_http2: Mutex::default(),
        })
    }

    pub(super) async fn secure(
        &self,
        offered: HttpVersion,
        name: ServerName<'static>,
        identity: Option<&TlsIdentity>,
        tcp: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let Some(identity) = identity else {
            let connector = match offered {
                HttpVersion::Http1 => &self.http1,
                HttpVersion::Http2 => &self.http2,
            };
            return connector.connect(name, tcp).await;
        };
        let made = identity.configured((HTTP1, HTTP2), || trusting(&self.verifier));
        let made = made.map_err(io::Error::other)?;
        let config = match offered {
            HttpVersion::Http1 => made.http1,
            HttpVersion::Http2 => made.http2,
        };
        TlsConnector::from(config).connect(name, tcp).await
    }

    /// Protocols to offer to an origin.
    pub(super) fn version_of(&self, origin: &Arc<str>) -> HttpVersion {
        match self.only_http2.lock().contains(origin) {
            true => HttpVersion::Http2,
            false => HttpVersion::Http1,
        }
    }

    /// Takes note of what an origin turned out to speak.
    pub(super) fn learn(&self, origin: &Arc<str>, speech: HttpVersion) {
        let mut only_http2 = self.only_http2.lock();
        match speech {
            HttpVersion::Http1 => {
                only_http2.remove(origin);
            }
            HttpVersion::Http2 if only_http2.len() < MOST_ORIGINS => {
                only_http2.insert(Arc::clone(origin));
            }
            HttpVersion::Http2 => {}
        }
    }
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HttpVersion {
    Http1,
    Http2,
}

impl HttpVersion {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Http1 => Self::Http2,
            Self::Http2 => Self::Http1,
        }
    }
}

/// Trusts what the machine trusts, and what was added.
fn verifier(outbound: &Outbound) -> anyhow::Result<Verifier> {
    let provider = Arc::clone(ClientConfig::builder().crypto_provider());
    let roots = outbound.extra_roots.iter().cloned();
    Ok(Verifier::new_with_extra_roots(roots, provider)?)
}

fn trusting(verifier: &Arc<Verifier>) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let verifier = Arc::clone(verifier);
    ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
}

pub(super) fn server_name(host: &Host<String>) -> Result<ServerName<'static>, ExchangeError> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| {
            ExchangeError::new(
                FailureReason::BadRequest,
                format!("{name} is no name that a certificate can have"),
            )
        }),
        Host::Ipv4(address) => Ok(ServerName::from(IpAddr::from(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(IpAddr::from(*address))),
    }
}

/// Reason for which TLS does not stand.
pub(super) fn no_tls(error: &io::Error) -> ExchangeError {
    let (trouble, detail) = match inner(error) {
        Some(error) => explain(error, Peer::RECEIVER),
        None if error.kind() == io::ErrorKind::UnexpectedEof => (
            TlsFailure::BrokenOff,
            "the receiver closed the connection in the middle of the TLS handshake".to_owned(),
        ),
        None => (
            TlsFailure::BrokenOff,
            format!(
                "the connection broke in the middle of the TLS handshake: {}",
                without_code(&error.to_string())
            ),
        ),
    };
    ExchangeError {
        tls: Some(trouble),
        ..ExchangeError::new(FailureReason::Tls, detail)
    }
}

/// A TLS failure that showed itself only when something was sent or read.
pub(super) fn tls_behind(error: &hyper::Error) -> Option<ExchangeError> {
    let error = error.source()?.downcast_ref::<io::Error>()?;
    inner(error).map(|_| no_tls(error))
}

fn inner(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}
