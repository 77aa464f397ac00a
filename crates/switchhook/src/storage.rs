//! Opening the store that a URL names, as the node that owns it or as a guest beside it.

use std::sync::Arc;

use anyhow::{Context, Result};
use switchhook_domain::Timestamp;
use switchhook_store::Store;
use switchhook_store::sqlite::{Commit, SqliteOptions};

use crate::telemetry::Telemetry;

/// Opens the store for a node that accepts and sends.
///
/// # Errors
/// If it cannot be opened, or another node owns it.
pub fn open_as_owner(url: &str, now: Timestamp, telemetry: &Telemetry) -> Result<Arc<dyn Store>> {
    let telemetry = telemetry.clone();
    let observer = move |commit: Commit| telemetry.committed(commit.duration, commit.operations);
    let options = SqliteOptions {
        observer: Some(Arc::new(observer)),
        ..SqliteOptions::owner(now)
    };
    open(url, options)
}

/// Opens the store for a short command, also while a node serves it.
///
/// # Errors
/// If it cannot be opened.
pub fn open_as_guest(url: &str, now: Timestamp) -> Result<Arc<dyn Store>> {
    open(url, SqliteOptions::guest(now))
}

fn open(url: &str, options: SqliteOptions) -> Result<Arc<dyn Store>> {
    switchhook_store::open(url, options)
        .with_context(|| format!("the store {} cannot be opened", without_password(url)))
}

/// A store's URL as it may be shown: without the password that it may carry.
#[must_use]
pub fn without_password(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else {
        return url.to_owned();
    };
    if parsed.password().is_none() || parsed.set_password(Some("***")).is_err() {
        return url.to_owned();
    }
    parsed.into()
}
