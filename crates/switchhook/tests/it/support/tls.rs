//! Receivers with certificates.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use switchhook_http::proxy::{Outbound, read_certificates};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::delivery::network::{OK, receiver};

/// An authority of a test's own.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("keys can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority can be made"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Settings that trust it.
    pub(crate) fn outbound(&self) -> Outbound {
        Outbound {
            extra_roots: read_certificates(self.0.pem().as_bytes()).expect("it is PEM"),
            ..Outbound::default()
        }
    }

    /// A receiver's settings with a certificate for `names`, after `change`.
    pub(crate) fn settings(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Settings {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("they are names");
        change(&mut params);
        let key = KeyPair::generate().expect("keys can be made");
        let certificate = params
            .signed_by(&key, &self.0)
            .expect("a certificate can be made");
        Settings {
            certificate: certificate.der().clone(),
            key: key.serialize_der(),
        }
    }

    pub(crate) fn good(&self) -> Settings {
        self.for_names(&["127.0.0.1"])
    }

    /// A client's certificate and its key, as PEM.
    pub(crate) fn client(&self) -> (String, String) {
        let params = CertificateParams::new(vec!["client.example.com".to_owned()]).expect("it is a name");
        let key = KeyPair::generate().expect("keys can be made");
        let certificate = params.signed_by(&key, &self.0);
        let certificate = certificate.expect("a certificate can be made");
        (certificate.pem(), key.serialize_pem())
    }

    pub(crate) fn for_names(&self, names: &[&str]) -> Settings {
        self.settings(names, |_| {})
    }
}

pub(crate) struct Settings {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Settings {
    /// Writes certificate and key as PEM to files of these names.
    pub(crate) fn write(&self, folder: &std::path::Path) -> [std::path::PathBuf; 2] {
        let paths = ["cert.pem", "key.pem"].map(|name| folder.join(name));
        std::fs::write(&paths[0], pem("CERTIFICATE", &self.certificate)).expect("the folder is ours");
        std::fs::write(&paths[1], pem("PRIVATE KEY", &self.key)).expect("the folder is ours");
        paths
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub(crate) fn plain(self) -> ServerConfig {
        let key = PrivateKeyDer::try_from(self.key).expect("it is a key");
        ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate], key)
            .expect("the key belongs to the certificate")
    }

    pub(crate) fn wanting_certificates(
        self,
        version: &'static SupportedProtocolVersion,
        of: &Authority,
    ) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(of.0.der().clone()).expect("it is an authority");
        let verifier = WebPkiClientVerifier::builder(roots.into());
        let key = PrivateKeyDer::try_from(self.key).expect("it is a key");
        ServerConfig::builder_with_protocol_versions(&[version])
            .with_client_cert_verifier(verifier.build().expect("there is an authority"))
            .with_single_cert(vec![self.certificate], key)
            .expect("the key belongs to the certificate")
    }
}

/// A receiver that answers every request of a connection.
pub(crate) async fn secure(config: ServerConfig) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (address, _) = receiver(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut buffer = [0; 4096];
                while matches!(stream.read(&mut buffer).await, Ok(1..)) {
                    let _ = stream.write_all(OK).await;
                }
            }
        }
    })
    .await;
    address
}

/// A block of PEM.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
