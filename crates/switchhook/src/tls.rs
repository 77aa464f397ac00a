//! Certificate of a server: from files (`files`) or from an authority (`acme`), and kept up to date.
//!
//! Serving it is `server/tls.rs` of `switchhook-http`.

mod acme;
mod files;

use std::sync::Arc;

use anyhow::Result;
use switchhook_http::server::Identity;
use switchhook_node::settings::TlsSettings;
use tokio::task::JoinHandle;

pub(crate) use self::files::read_certificate;

/// A certificate that is kept as it should be until this is dropped.
pub(crate) struct Secured {
    identity: Arc<Identity>,
    keeping: JoinHandle<()>,
}

impl Secured {
    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity)
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

/// Begins to keep the certificate that the settings ask for; none if connections are not to be secure.
///
/// # Errors
/// If there should be a certificate and is none.
pub(crate) fn start(settings: &TlsSettings) -> Result<Option<Secured>> {
    let identity = Arc::new(Identity::default());
    let keeping = match settings {
        TlsSettings::Off => return Ok(None),
        TlsSettings::Files { certificate, key } => files::keep(certificate, key, Arc::clone(&identity))?,
        TlsSettings::Acme(settings) => acme::keep(settings.clone(), Arc::clone(&identity))?,
    };
    Ok(Some(Secured { identity, keeping }))
}
