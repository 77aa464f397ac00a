//! Connections of the commands: trusted certificates, and the proxy of the environment.

use std::error::Error;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tower::{Service, ServiceExt};

use super::ClientError;
use switchhook_http::proxy::no_proxy_list;
use switchhook_http::status_line::{SharedStatus, StatusWatcher};
use switchhook_http::tls::{self, HTTP1, HTTP2, is_not_tls};
use switchhook_http::tunnel;

/// Time limit for a TCP connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Certificates that are accepted.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// Certificates that the system trusts.
    #[default]
    System,
    /// Certificates of these authorities too.
    ExtraRoots(Vec<CertificateDer<'static>>),
    /// Any certificate.
    AnyCertificate,
}

/// Connects to one server, with TLS where the scheme asks for it. HTTP/1.1 is offered; to a server that does not want it,
/// HTTP/2, as deliveries do.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    http1: HttpsConnector<Dialer>,
    http2: HttpsConnector<Dialer>,
    server: Arc<ServerProtocol>,
}

/// Protocol of the server, learned from earlier connections.
#[derive(Debug, Default)]
struct ServerProtocol {
    /// True if it speaks HTTP/2 only.
    is_http2: AtomicBool,
    /// True if it uses TLS and ignored ALPN, so that its protocol is not known.
    lacks_alpn: AtomicBool,
}

/// A connection with or without TLS.
pub(super) type ClientStream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A connection that records the status of each answer.
pub(super) type WatchedStream = TokioIo<StatusWatcher<TokioIo<ClientStream>>>;

pub(super) fn connector(scheme: &str, trust: &Trust) -> Result<Connector, ClientError> {
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let config = config(scheme, trust)?;
    let offering = |protocol: &[u8]| {
        let mut config = config.clone();
        config.alpn_protocols = vec![protocol.to_vec()];
        HttpsConnector::from((Dialer(tcp.clone()), config))
    };
    Ok(Connector {
        http1: offering(HTTP1),
        http2: offering(HTTP2),
        server: Arc::default(),
    })
}

impl Connector {
    /// Connects for HTTP/1.1.
    pub(super) async fn connect_http1(self, to: Uri) -> Result<ClientStream, AnyError> {
        self.http1.oneshot(to).await
    }

    /// Finds out whether a server that did not answer in HTTP/1.1, and ignored ALPN, speaks HTTP/2 only. If so, HTTP/2 is used from then on.
    pub(super) async fn detect_http2(&self, at: &Uri) -> bool {
        let may_be = self.server.lacks_alpn.load(Relaxed) && !self.server.is_http2.load(Relaxed);
        let is_http2_only = may_be
            && match self.http2.clone().oneshot(at.clone()).await {
                Ok(stream) => negotiated_protocol(&stream) == Some(HTTP2),
                Err(_) => false,
            };
        if is_http2_only {
            self.server.is_http2.store(true, Relaxed);
        }
        is_http2_only
    }

    async fn connect(self, to: Uri) -> Result<WatchedStream, AnyError> {
        let is_http2 = self.server.is_http2.load(Relaxed);
        let (first, second) = match is_http2 {
            true => (self.http2, self.http1),
            false => (self.http1, self.http2),
        };
        let stream = match first.oneshot(to.clone()).await {
            Err(error) if is_not_tls(&*error) => {
                let stream = second.oneshot(to).await?;
                self.server.is_http2.store(!is_http2, Relaxed);
                stream
            }
            connected => connected?,
        };
        let lacks_alpn =
            matches!(stream, MaybeHttpsStream::Https(_)) && negotiated_protocol(&stream).is_none();
        self.server.lacks_alpn.store(lacks_alpn, Relaxed);
        let watched = StatusWatcher::new(TokioIo::new(stream), SharedStatus::default());
        Ok(TokioIo::new(watched))
    }
}

impl Service<Uri> for Connector {
    type Response = WatchedStream;
    type Error = AnyError;
    type Future = Pin<Box<dyn Future<Output = Result<WatchedStream, AnyError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        Box::pin(self.clone().connect(to))
    }
}

/// Protocol negotiated by ALPN, if any.
fn negotiated_protocol(stream: &ClientStream) -> Option<&[u8]> {
    match stream {
        MaybeHttpsStream::Http(_) => None,
        MaybeHttpsStream::Https(tls) => tls::agreed(tls.inner()),
    }
}

/// TLS configuration. Certificates are only read for `https`: small machines have none.
fn config(scheme: &str, trust: &Trust) -> Result<ClientConfig, ClientError> {
    let builder = ClientConfig::builder();
    if scheme != "https" {
        return Ok(builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth());
    }
    let provider = Arc::clone(builder.crypto_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::AnyCertificate => Arc::new(AnyCertificateVerifier(provider)),
        Trust::System => verifier(&[], provider)?,
        Trust::ExtraRoots(authorities) => verifier(authorities, provider)?,
    };
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

fn verifier(
    authorities: &[CertificateDer<'static>],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, ClientError> {
    match Verifier::new_with_extra_roots(authorities.iter().cloned(), provider) {
        Ok(verifier) => Ok(Arc::new(verifier)),
        Err(error) => Err(ClientError::InvalidUsage(format!(
            "the certificates that this machine trusts cannot be read: {error}"
        ))),
    }
}

/// Verifier that accepts any certificate.
#[derive(Debug)]
struct AnyCertificateVerifier(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificateVerifier {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Makes TCP connections, through a tunnel of the proxy that the environment names (`HTTPS_PROXY` for `https`, `ALL_PROXY`), but
/// for what it excepts (`NO_PROXY`) and for this machine.
#[derive(Debug, Clone)]
pub(super) struct Dialer(HttpConnector);

type AnyError = Box<dyn Error + Send + Sync>;

impl Service<Uri> for Dialer {
    type Response = TokioIo<TcpStream>;
    type Error = AnyError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, AnyError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let mut tcp = self.0.clone();
        match proxy_for(&to) {
            None => Box::pin(async move { tcp.call(to).await.map_err(Into::into) }),
            Some((proxy, variable)) => Box::pin(connect_through_proxy(proxy, variable, tcp, to)),
        }
    }
}

/// Connects through the proxy that `variable` names.
async fn connect_through_proxy(
    proxy: Intercept,
    variable: &str,
    mut tcp: HttpConnector,
    to: Uri,
) -> Result<TokioIo<TcpStream>, AnyError> {
    let uri = proxy.uri();
    if uri.scheme_str() != Some("http") {
        let scheme = uri.scheme_str().unwrap_or_default();
        return Err(
            format!("{variable} names a proxy of the kind {scheme}; it must be http://HOST:PORT").into(),
        );
    }
    let proxy_address = uri.authority().map(ToString::to_string).unwrap_or_default();
    let failure = |why: String| format!("the proxy {proxy_address} ({variable}) made no tunnel: {why}");
    let connected = tcp.call(uri.clone()).await;
    let mut stream = connected.map_err(|error| failure(super::in_full(&error)))?;
    let target = format!(
        "{}:{}",
        to.host().unwrap_or_default(),
        to.port_u16().unwrap_or(default_port(&to))
    );
    let answered = tunnel::ask(stream.inner_mut(), &target, proxy.basic_auth()).await;
    answered.map_err(|none| failure(none.why))?;
    Ok(stream)
}

fn default_port(to: &Uri) -> u16 {
    if to.scheme_str() == Some("https") { 443 } else { 80 }
}

/// The proxy on the way to an address, and the variable that names it.
#[expect(
    clippy::disallowed_methods,
    reason = "these variables are those of every program, not settings of this one"
)]
fn proxy_for(to: &Uri) -> Option<(Intercept, &'static str)> {
    /// Proxy variables of the environment, read once; the first that applies counts.
    static ENVIRONMENT: LazyLock<Vec<(&str, Matcher)>> = LazyLock::new(|| {
        let first_set = |names: [&'static str; 2]| {
            let set = |name| std::env::var(name).ok().map(|value| (name, value));
            names.into_iter().find_map(set)
        };
        let excepted = first_set(["NO_PROXY", "no_proxy"]).unwrap_or_default();
        let excepted = no_proxy_list(&excepted.1);
        let named = [["HTTPS_PROXY", "https_proxy"], ["ALL_PROXY", "all_proxy"]];
        let named = named.into_iter().filter_map(first_set);
        let matcher = |(name, value): (&'static str, String)| {
            let builder = Matcher::builder().no(excepted.as_str());
            let builder = match name.eq_ignore_ascii_case("ALL_PROXY") {
                true => builder.all(value),
                false => builder.https(value),
            };
            (name, builder.build())
        };
        named.map(matcher).collect()
    });
    if to.host().is_some_and(is_this_machine) {
        return None;
    }
    let mut named = ENVIRONMENT.iter();
    named.find_map(|(name, matcher)| Some((matcher.intercept(to)?, *name)))
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
