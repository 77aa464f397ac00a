//! A certificate in files, which somebody else renews: read at the start, when the files change, and on SIGHUP.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use switchhook_http::server::{Certificate, Identity};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{info, warn};

/// Interval of checking the files for changes.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Reads a certificate and its key.
///
/// # Errors
/// If one cannot be read, or they do not belong together.
pub(crate) fn read_certificate(certificate: &Path, key: &Path) -> Result<Certificate> {
    let read =
        |path: &Path| std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()));
    let (chain, private) = (read(certificate)?, read(key)?);
    Certificate::from_pem(&chain, &private)
        .with_context(|| format!("{} and {}", certificate.display(), key.display()))
}

/// Presents the certificate, and reads it again when its files change.
pub(super) fn keep(certificate: &Path, key: &Path, identity: Arc<Identity>) -> Result<JoinHandle<()>> {
    let files = Files {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    };
    let seen = files.changed_at();
    identity.show(files.read()?);
    let hang_up = signal(SignalKind::hangup()).context("SIGHUP cannot be waited for")?;
    Ok(tokio::spawn(watch(files, seen, hang_up, identity)))
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn read(&self) -> Result<Certificate> {
        read_certificate(&self.certificate, &self.key)
    }

    fn changed_at(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.key].map(|path| std::fs::metadata(path).ok()?.modified().ok())
    }
}

async fn watch(
    files: Files,
    mut seen: [Option<SystemTime>; 2],
    mut hang_up: Signal,
    identity: Arc<Identity>,
) {
    loop {
        let was_asked = tokio::select! {
            _ = hang_up.recv() => true,
            () = sleep(LOOK_EVERY) => false,
        };
        let now = files.changed_at();
        if now == seen && !was_asked {
            continue;
        }
        seen = now;
        match files.read() {
            Ok(certificate) => {
                identity.show(certificate);
                info!(file = %files.certificate.display(), "the certificate was read again");
            }
            // Perhaps only one of the two is new yet.
            Err(error) => warn!(error = format!("{error:#}"), "the old certificate stays"),
        }
    }
}
