//! Stored data of an authority: the account, and the certificate with its key. Each is for certain names at a certain
//! authority, and ignored with other settings.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use anyhow::{Context, Result};
use instant_acme::AccountCredentials;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use switchhook_domain::Timestamp;
use switchhook_http::proxy::read_certificates;
use switchhook_http::server::Certificate;
use switchhook_node::settings::AcmeSettings;
use tracing::warn;

use super::validity::validity;

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.json";
const PROBE: &str = "probe.json";

pub(super) struct Folder {
    path: PathBuf,
    directory: String,
    names: Vec<String>,
}

/// A certificate, and the time of its renewal.
pub(super) struct RenewableCertificate {
    pub(super) certificate: Certificate,
    pub(super) renew_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct StoredAccount {
    directory: String,
    credentials: AccountCredentials,
}

#[derive(Serialize, Deserialize)]
struct StoredCertificate {
    directory: String,
    names: Vec<String>,
    chain: String,
    key: String,
}

impl Folder {
    /// Opens the folder, and creates it for its owner only if it does not exist.
    ///
    /// # Errors
    /// If it cannot be created or written to.
    pub(super) fn open(settings: &AcmeSettings) -> Result<Self> {
        let path = settings.folder.clone();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("acme-folder: {} cannot be created", path.display()))?;
        let folder = Self {
            path,
            directory: settings.directory.clone(),
            names: settings.names.clone(),
        };
        // An authority gives a few certificates a week: none is asked for that cannot be kept.
        folder.write(PROBE, &())?;
        let _ = std::fs::remove_file(folder.path.join(PROBE));
        Ok(folder)
    }

    pub(super) fn account(&self) -> Option<AccountCredentials> {
        let kept: StoredAccount = self.read(ACCOUNT)?;
        (kept.directory == self.directory).then_some(kept.credentials)
    }

    pub(super) fn keep_account(&self, credentials: AccountCredentials) {
        let account = StoredAccount {
            directory: self.directory.clone(),
            credentials,
        };
        self.keep(ACCOUNT, &account);
    }

    pub(super) fn certificate(&self) -> Option<RenewableCertificate> {
        let kept: StoredCertificate = self.read(CERTIFICATE)?;
        if kept.directory != self.directory || kept.names != self.names {
            return None;
        }
        let read = from_pem(&kept.chain, &kept.key);
        read.inspect_err(|error| {
            warn!(
                error = format!("{error:#}"),
                "the stored certificate cannot be used"
            );
        })
        .ok()
    }

    /// Stores a new certificate. One that cannot be stored is used until the next start.
    pub(super) fn keep_certificate(&self, chain: String, key: String) -> Result<RenewableCertificate> {
        let kept = from_pem(&chain, &key)?;
        let certificate = StoredCertificate {
            directory: self.directory.clone(),
            names: self.names.clone(),
            chain,
            key,
        };
        self.keep(CERTIFICATE, &certificate);
        Ok(kept)
    }

    fn keep(&self, name: &str, what: &impl Serialize) {
        if let Err(error) = self.write(name, what) {
            let error = format!("{error:#}");
            warn!(
                error,
                "the account or certificate could not be stored: the next start requests it again"
            );
        }
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let text = std::fs::read(self.path.join(name)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes a file whole or not at all, for its owner only.
    fn write(&self, name: &str, what: &impl Serialize) -> Result<()> {
        let (path, new) = (self.path.join(name), self.path.join(format!("{name}.new")));
        let text = serde_json::to_vec_pretty(what)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let written = options
            .open(&new)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&new, &path));
        written.with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// A certificate is renewed when two thirds of its time are over.
fn from_pem(chain: &str, key: &str) -> Result<RenewableCertificate> {
    let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes())?;
    let chain = read_certificates(chain.as_bytes())?;
    let (from, until) = validity(&chain[0]).context("the time of the certificate cannot be read")?;
    let renew_at = from + (until - from) * 2 / 3;
    Ok(RenewableCertificate {
        certificate,
        renew_at: Timestamp::from_millis(renew_at * 1_000),
    })
}

#[cfg(test)]
mod tests {
    use rcgen::generate_simple_self_signed;

    use super::*;

    fn settings(folder: PathBuf) -> AcmeSettings {
        AcmeSettings {
            folder,
            names: vec!["hooks.example.com".to_owned()],
            directory: "https://acme.example.com".to_owned(),
            email: None,
            root: None,
        }
    }

    #[test]
    fn a_folder_in_which_nothing_can_be_kept_is_told_at_the_start() {
        // Nobody may write there, not even root.
        let refused = Folder::open(&settings("/proc".into())).err().unwrap();
        assert!(
            format!("{refused:#}").contains("cannot be written"),
            "{refused:#}"
        );
    }

    #[test]
    fn a_certificate_counts_also_if_it_cannot_be_kept() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&settings(place.path().into())).unwrap();
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
        std::fs::create_dir(place.path().join("certificate.json.new")).unwrap();
        let made = generate_simple_self_signed(["hooks.example.com".to_owned()]).unwrap();
        let kept = folder.keep_certificate(made.cert.pem(), made.signing_key.serialize_pem());
        assert!(kept.is_ok(), "{:?}", kept.err());
        assert!(folder.certificate().is_none());
    }
}
