//! Connections of the commands: whom they trust, and the proxy of the environment.

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

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Whose certificates are accepted.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// Those that the machine trusts.
    #[default]
    Machine,
    /// Those of these authorities too.
    Also(Vec<CertificateDer<'static>>),
    /// Anybody's.
    Anybody,
}

/// Connects to one server, with TLS where the scheme asks for it. HTTP/1.1 is offered; to a server that does not want it,
/// HTTP/2, as deliveries do.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    http1: HttpsConnector<Dialer>,
    http2: HttpsConnector<Dialer>,
    server: Arc<Speech>,
}

/// What is known of the server that is connected to.
#[derive(Debug, Default)]
struct Speech {
    /// Whether it speaks HTTP/2 alone.
    is_http2: AtomicBool,
    /// Whether TLS stands with it, and nothing was said of what is to be spoken.
    says_nothing: AtomicBool,
}

/// A connection, in the clear or not.
pub(super) type Wire = MaybeHttpsStream<TokioIo<TcpStream>>;

/// The same with an eye on the status of each answer.
pub(super) type WatchedWire = TokioIo<StatusWatcher<TokioIo<Wire>>>;

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
    /// A connection over which HTTP/1.1 is spoken.
    pub(super) async fn connect_http1(self, to: Uri) -> Result<Wire, AnyError> {
        self.http1.oneshot(to).await
    }

    /// Whether a server that answered with what is no HTTP/1.1 speaks HTTP/2 alone and did not say so. From then on that is spoken.
    pub(super) async fn finds_http2(&self, at: &Uri) -> bool {
        let may_be = self.server.says_nothing.load(Relaxed) && !self.server.is_http2.load(Relaxed);
        let finds = may_be
            && match self.http2.clone().oneshot(at.clone()).await {
                Ok(wire) => agreed(&wire) == Some(HTTP2),
                Err(_) => false,
            };
        if finds {
            self.server.is_http2.store(true, Relaxed);
        }
        finds
    }

    async fn connect(self, to: Uri) -> Result<WatchedWire, AnyError> {
        let is_http2 = self.server.is_http2.load(Relaxed);
        let (first, second) = match is_http2 {
            true => (self.http2, self.http1),
            false => (self.http1, self.http2),
        };
        let wire = match first.oneshot(to.clone()).await {
            Err(error) if is_not_tls(&*error) => {
                let wire = second.oneshot(to).await?;
                self.server.is_http2.store(!is_http2, Relaxed);
                wire
            }
            connected => connected?,
        };
        let says_nothing = matches!(wire, MaybeHttpsStream::Https(_)) && agreed(&wire).is_none();
        self.server.says_nothing.store(says_nothing, Relaxed);
        let watched = StatusWatcher::new(TokioIo::new(wire), SharedStatus::default());
        Ok(TokioIo::new(watched))
    }
}

impl Service<Uri> for Connector {
    type Response = WatchedWire;
    type Error = AnyError;
    type Future = Pin<Box<dyn Future<Output = Result<WatchedWire, AnyError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        Box::pin(self.clone().connect(to))
    }
}

/// The protocol that was agreed on, if the server named one.
fn agreed(wire: &Wire) -> Option<&[u8]> {
    match wire {
        MaybeHttpsStream::Http(_) => None,
        MaybeHttpsStream::Https(tls) => tls::agreed(tls.inner()),
    }
}

/// Certificates are only looked for if they are needed: small machines have none.
fn config(scheme: &str, trust: &Trust) -> Result<ClientConfig, ClientError> {
    let builder = ClientConfig::builder();
    if scheme != "https" {
        return Ok(builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth());
    }
    let provider = Arc::clone(builder.crypto_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Anybody => Arc::new(Credulous(provider)),
        Trust::Machine => verifier(&[], provider)?,
        Trust::Also(authorities) => verifier(authorities, provider)?,
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
        Err(error) => Err(ClientError::Unusable(format!(
            "the certificates that this machine trusts cannot be read: {error}"
        ))),
    }
}

/// Believes that everybody is who he says.
#[derive(Debug)]
struct Credulous(Arc<CryptoProvider>);

impl ServerCertVerifier for Credulous {
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
            Some((proxy, variable)) => Box::pin(through(proxy, variable, tcp, to)),
        }
    }
}

/// Connects through the proxy that `variable` names.
async fn through(
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
    let shown = uri.authority().map(ToString::to_string).unwrap_or_default();
    let no_tunnel = |why: String| format!("the proxy {shown} ({variable}) made no tunnel: {why}");
    let connected = tcp.call(uri.clone()).await;
    let mut stream = connected.map_err(|error| no_tunnel(super::in_full(&error)))?;
    let target = format!(
        "{}:{}",
        to.host().unwrap_or_default(),
        to.port_u16().unwrap_or(usual_port(&to))
    );
    let asked = tunnel::ask(stream.inner_mut(), &target, proxy.basic_auth()).await;
    asked.map_err(|none| no_tunnel(none.why))?;
    Ok(stream)
}

fn usual_port(to: &Uri) -> u16 {
    if to.scheme_str() == Some("https") { 443 } else { 80 }
}

/// The proxy on the way to an address, and the variable that names it.
#[expect(
    clippy::disallowed_methods,
    reason = "these variables are those of every program, not settings of this one"
)]
fn proxy_for(to: &Uri) -> Option<(Intercept, &'static str)> {
    /// What the environment says, which does not change: variables and what they mean, the first that means something counts.
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
    if to.host().is_some_and(is_here) {
        return None;
    }
    let mut named = ENVIRONMENT.iter();
    named.find_map(|(name, matcher)| Some((matcher.intercept(to)?, *name)))
}

fn is_here(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
