//! Opening the store that a URL names, as the node that owns it or as a guest beside it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use switchhook_domain::Timestamp;
use switchhook_domain::credential::shown_url;
use switchhook_store::{Commit, CommitObserver, Sealer, SetAside, Store, StoreOptions};

use crate::encryption::Keyring;
use crate::liveness::Liveness;
use crate::telemetry::Telemetry;

/// Disk space that a node reserves, so that it can still remove data when the disk is full.
pub const RESERVE_BYTES: u64 = 16 << 20;

/// Opens the store for a node that accepts and sends.
///
/// # Errors
/// If it cannot be opened, or another node owns it.
pub fn open_as_owner(
    url: &str,
    now: Timestamp,
    observer: Observer,
    keyring: Option<&Keyring>,
    commit_every: Duration,
) -> Result<Arc<dyn Store>> {
    let options = StoreOptions {
        observer: Some(Arc::new(observer)),
        sealer: sealer(keyring),
        reserve_bytes: RESERVE_BYTES,
        commit_every,
        ..StoreOptions::owner(now)
    };
    open(url, options)
}

/// Counts what the store does, and hears if a part of it fails.
pub struct Observer {
    telemetry: Telemetry,
    liveness: Liveness,
}

impl Observer {
    /// One that tells these.
    #[must_use]
    pub fn new(telemetry: &Telemetry, liveness: &Liveness) -> Self {
        Self {
            telemetry: telemetry.clone(),
            liveness: liveness.clone(),
        }
    }
}

impl CommitObserver for Observer {
    fn committed(&self, commit: Commit) {
        self.telemetry.committed(commit.duration, commit.operations);
    }

    fn set_aside(&self, _: &SetAside) {
        self.telemetry.set_aside();
    }

    fn failed(&self, part: &'static str, why: &str) {
        self.liveness.fail(part, why);
    }
}

/// Opens the store for a short command, also while a node serves it. Without a keyring encrypted secrets cannot be read,
/// which most commands need not.
///
/// # Errors
/// If it cannot be opened.
pub fn open_as_guest(url: &str, now: Timestamp, keyring: Option<&Keyring>) -> Result<Arc<dyn Store>> {
    let options = StoreOptions {
        sealer: sealer(keyring),
        ..StoreOptions::guest(now)
    };
    open(url, options)
}

/// Keyring as the store's sealer.
#[must_use]
pub fn sealer(keyring: Option<&Keyring>) -> Option<Arc<dyn Sealer>> {
    keyring.map(|keyring| Arc::new(keyring.clone()) as Arc<dyn Sealer>)
}

fn open(url: &str, options: StoreOptions) -> Result<Arc<dyn Store>> {
    switchhook_store::open(url, options)
        .with_context(|| format!("the store {} cannot be opened", shown_url(url)))
}
