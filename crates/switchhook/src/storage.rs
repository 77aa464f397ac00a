//! Opening the store that a URL names, as the node that owns it or as a guest beside it.

use std::sync::Arc;

use anyhow::{Context, Result};
use switchhook_domain::Timestamp;
use switchhook_store::{Commit, CommitObserver, Sealer, SetAside, Store, StoreOptions};

use crate::encryption::Keyring;
use crate::telemetry::Telemetry;

/// What a node keeps free on the disk, to be able to tidy up when it is full.
const RESERVE_BYTES: u64 = 16 << 20;

/// Opens the store for a node that accepts and sends.
///
/// # Errors
/// If it cannot be opened, or another node owns it.
pub fn open_as_owner(
    url: &str,
    now: Timestamp,
    telemetry: &Telemetry,
    keyring: Option<&Keyring>,
) -> Result<Arc<dyn Store>> {
    let options = StoreOptions {
        observer: Some(Arc::new(Observer(telemetry.clone()))),
        sealer: sealer(keyring),
        reserve_bytes: RESERVE_BYTES,
        ..StoreOptions::owner(now)
    };
    open(url, options)
}

/// Counts what the store does.
struct Observer(Telemetry);

impl CommitObserver for Observer {
    fn committed(&self, commit: Commit) {
        self.0.committed(commit.duration, commit.operations);
    }

    fn set_aside(&self, _: &SetAside) {
        self.0.set_aside();
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

/// How the store sees a keyring.
#[must_use]
pub fn sealer(keyring: Option<&Keyring>) -> Option<Arc<dyn Sealer>> {
    keyring.map(|keyring| Arc::new(keyring.clone()) as Arc<dyn Sealer>)
}

fn open(url: &str, options: StoreOptions) -> Result<Arc<dyn Store>> {
    switchhook_store::open(url, options)
        .with_context(|| format!("the store {} cannot be opened", without_password(url)))
}

/// A store's URL as it may be shown: without the password that it may carry.
#[must_use]
pub fn without_password(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else {
        // Where the password is in what is no URL cannot be told: before the last @, if there is one.
        return match (url.split_once("://"), url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://***@{rest}"),
            _ => url.to_owned(),
        };
    };
    let is_asked_for = parsed.query_pairs().any(|(name, _)| name == "password");
    if parsed.password().is_none() && !is_asked_for {
        return url.to_owned();
    }
    // It cannot have one only if it has no host, and then there is none to hide.
    let _ = parsed.password().is_some() && parsed.set_password(Some("***")).is_ok();
    if is_asked_for {
        let pairs: Vec<(String, String)> = parsed.query_pairs().into_owned().collect();
        let shown = pairs.iter().map(|(name, value)| match name.as_str() {
            "password" => (name.as_str(), "***"),
            _ => (name.as_str(), value.as_str()),
        });
        parsed.query_pairs_mut().clear().extend_pairs(shown);
    }
    parsed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, shown: &str) {
        assert_eq!(without_password(url), shown);
    }

    #[test]
    fn a_password_is_hidden_wherever_the_url_has_it() {
        check("sqlite:./switchhook.db", "sqlite:./switchhook.db");
        check("postgres://me@db/switchhook", "postgres://me@db/switchhook");
        check(
            "postgres://me:hunter2@db/switchhook",
            "postgres://me:***@db/switchhook",
        );
        check(
            "postgres://db/switchhook?user=me&password=hunter2&sslmode=require",
            "postgres://db/switchhook?user=me&password=***&sslmode=require",
        );
        check("postgres://me:hunter2@db:port/x", "postgres://***@db:port/x");
        check("postgres://me:hunter@2@db:port/x", "postgres://***@db:port/x");
    }
}
