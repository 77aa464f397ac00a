//! Secure connections from clients: which certificate is shown, and what is spoken afterwards.
//!
//! The certificate can be replaced while connections are open (`Identity::show`). Whoever gets certificates by ACME answers
//! challenges here too (RFC 8737). Where certificates come from is the program's.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use anyhow::Context;
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::proxy::read_certificates;
use crate::tls::{HTTP1, HTTP2};

/// ALPN protocol of an ACME challenge.
const CHALLENGE: &[u8] = b"acme-tls/1";

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Certificate(Arc<CertifiedKey>);

impl Certificate {
    /// Reads a chain and its key.
    ///
    /// # Errors
    /// If they are no PEM, or the key belongs to another certificate.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> anyhow::Result<Self> {
        let chain = read_certificates(chain).context("the certificate cannot be used")?;
        let key = PrivateKeyDer::from_pem_slice(key).context(
            "the key cannot be used: it should have a block that begins with -----BEGIN PRIVATE KEY-----",
        )?;
        let certified = CertifiedKey::from_der(chain, key, &provider())
            .context("the key does not belong to the certificate, or is of no known kind")?;
        Ok(Self(Arc::new(certified)))
    }

    /// The answer to a challenge, which only an authority understands: it is not looked at here.
    ///
    /// # Errors
    /// If the key is of no known kind.
    pub fn of_challenge(proof: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> anyhow::Result<Self> {
        let key = provider().key_provider.load_private_key(key)?;
        Ok(Self(Arc::new(CertifiedKey::new(vec![proof], key))))
    }
}

/// Crypto provider, which the first line of the program installs, and tests and other programs may not have.
fn provider() -> Arc<CryptoProvider> {
    let chosen = CryptoProvider::get_default().map(Arc::clone);
    chosen.unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()))
}

/// Certificate of the server, and challenges that it answers.
#[derive(Debug, Default)]
pub struct Identity {
    shown: RwLock<Option<Certificate>>,
    challenges: RwLock<HashMap<String, Certificate>>,
}

impl Identity {
    /// Shows this certificate from now on.
    pub fn show(&self, certificate: Certificate) {
        *self.shown.write() = Some(certificate);
    }

    /// Answers whoever asks for the proof that this name is ours, until [`Identity::forget_challenges`].
    pub fn answer_challenge(&self, name: &str, certificate: Certificate) {
        let name = name.to_ascii_lowercase();
        self.challenges.write().insert(name, certificate);
    }

    /// All proofs were looked at.
    pub fn forget_challenges(&self) {
        self.challenges.write().clear();
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_challenge = hello
            .alpn()
            .is_some_and(|mut offered| offered.any(|protocol| protocol == CHALLENGE));
        let found = if is_challenge {
            let name = hello.server_name()?.to_ascii_lowercase();
            self.challenges.read().get(&name).cloned()
        } else {
            self.shown.read().clone()
        };
        found.map(|certificate| certificate.0)
    }
}

/// Negotiated protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
    /// Nothing: the certificate was all that was wanted.
    Nothing,
}

/// Accepts TLS connections.
#[derive(Clone)]
pub(super) struct TlsHandshaker(TlsAcceptor);

impl TlsHandshaker {
    pub(super) fn as_one(identity: Arc<Identity>) -> Self {
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_cert_resolver(identity);
        config.alpn_protocols = [HTTP2, HTTP1, CHALLENGE].map(<[u8]>::to_vec).into();
        Self(TlsAcceptor::from(Arc::new(config)))
    }

    pub(super) async fn secure<S>(&self, stream: S) -> io::Result<(TlsStream<S>, Protocol)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = self.0.accept(stream).await?;
        let speech = match stream.get_ref().1.alpn_protocol() {
            Some(HTTP2) => Protocol::Http2,
            Some(CHALLENGE) => Protocol::Nothing,
            _ => Protocol::Http1,
        };
        Ok((stream, speech))
    }
}
