//! TLS identity of a webhook: a client certificate and an extra authority, parsed once. Its connections are shared
//! with no other webhook.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use switchhook_domain::webhook::{Authentication, WebhookSettings};

/// Client certificate and extra authority of a webhook.
pub struct TlsIdentity {
    /// The certificate and those above it, with its key.
    shown: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    /// The authorities that alone may vouch for its receiver.
    trusted: Option<Arc<RootCertStore>>,
    /// Configurations built from it on first use.
    made: OnceLock<Result<TlsConfigs, String>>,
}

/// Configurations of connections, one for each protocol that may be offered.
#[derive(Clone)]
pub(crate) struct TlsConfigs {
    pub http1: Arc<ClientConfig>,
    pub http2: Arc<ClientConfig>,
}

impl TlsIdentity {
    /// Reads what the settings have; `None` if that is nothing.
    ///
    /// # Errors
    /// Says what cannot be read.
    pub fn of(settings: &WebhookSettings) -> Result<Option<Self>, String> {
        let shown = match &settings.auth.0 {
            Some(Authentication::Mtls { cert, key }) => Some(read_pair(cert, key)?),
            _ => None,
        };
        let trusted = settings.ca.as_deref().map(read_authorities).transpose()?;
        if shown.is_none() && trusted.is_none() {
            return Ok(None);
        }
        let identity = Self {
            shown,
            trusted: trusted.map(Arc::new),
            made: OnceLock::new(),
        };
        Ok(Some(identity))
    }

    /// Checks that it is usable, and that the key belongs to the certificate.
    ///
    /// # Errors
    /// If it is not, with the reason.
    pub fn check(&self) -> Result<(), String> {
        let anything = || ClientConfig::builder().with_root_certificates(RootCertStore::empty());
        let once = Self {
            shown: self
                .shown
                .as_ref()
                .map(|(chain, key)| (chain.clone(), key.clone_key())),
            trusted: self.trusted.clone(),
            made: OnceLock::new(),
        };
        once.configured((b"", b""), anything).map(drop)
    }

    /// The configurations that are made of it. Where it has no authorities of its own, what `trusting` makes is trusted.
    ///
    /// # Errors
    /// Says why none can be made: a key that does not belong to its certificate.
    pub(crate) fn configured(
        &self,
        protocols: (&[u8], &[u8]),
        trusting: impl FnOnce() -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>,
    ) -> Result<TlsConfigs, String> {
        let make = || {
            let builder = match &self.trusted {
                Some(roots) => {
                    let verifier = WebPkiServerVerifier::builder(Arc::clone(roots)).build();
                    let verifier = verifier.map_err(|error| format!("its `ca` cannot be used: {error}"))?;
                    ClientConfig::builder().with_webpki_verifier(verifier)
                }
                None => trusting(),
            };
            let config = match &self.shown {
                Some((chain, key)) => builder
                    .with_client_auth_cert(chain.clone(), key.clone_key())
                    .map_err(|error| format!("its client certificate cannot be used: {error}"))?,
                None => builder.with_no_client_auth(),
            };
            let offering = |protocol: &[u8]| {
                let mut config = config.clone();
                config.alpn_protocols = vec![protocol.to_vec()];
                Arc::new(config)
            };
            Ok(TlsConfigs {
                http1: offering(protocols.0),
                http2: offering(protocols.1),
            })
        };
        self.made.get_or_init(make).clone()
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "TlsIdentity(shown: {}, trusted: {})",
            self.shown.is_some(),
            self.trusted.is_some()
        )
    }
}

fn read_pair(
    cert: &str,
    key: &str,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = read_certificates("auth.cert", cert)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| "auth.key: there is no private key in it: write it as PEM, not encrypted".to_owned())?;
    Ok((chain, key))
}

fn read_authorities(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates("ca", pem)? {
        let added = roots.add(certificate);
        added.map_err(|error| format!("ca: a certificate cannot be used: {error}"))?;
    }
    Ok(roots)
}

fn read_certificates(name: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let certificates = read.map_err(|_| format!("{name}: it is not PEM"))?;
    if certificates.is_empty() {
        return Err(format!("{name}: there is no certificate in it: write it as PEM"));
    }
    Ok(certificates)
}
