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

/// The server's certificate, renewed by a task until this is dropped.
pub(crate) struct ServerCertificate {
    identity: Arc<Identity>,
    task: JoinHandle<()>,
}

impl ServerCertificate {
    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity)
    }
}

impl Drop for ServerCertificate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts TLS as the settings say; `None` if it is off.
///
/// # Errors
/// If TLS is on and there is no certificate.
pub(crate) fn start(settings: &TlsSettings) -> Result<Option<ServerCertificate>> {
    let identity = Arc::new(Identity::default());
    let task = match settings {
        TlsSettings::Off => return Ok(None),
        TlsSettings::Files { certificate, key } => files::keep(certificate, key, Arc::clone(&identity))?,
        TlsSettings::Acme(settings) => acme::keep(settings.clone(), Arc::clone(&identity))?,
    };
    Ok(Some(ServerCertificate { identity, task }))
}
