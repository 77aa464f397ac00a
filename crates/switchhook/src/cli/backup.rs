//! `switchhook backup` and `switchhook restore`: copies of a store, made by `switchhook-store`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use switchhook_domain::credential::shown_url;
use switchhook_store::{Copied, Existing};

use super::output;
use crate::config::StoreOptions;

/// Back up a store to a file, also while a server uses it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook backup --to backup.db
  switchhook backup --store sqlite:/var/lib/switchhook/switchhook.db --to /backup/$(date +%F).db

The copy is the store as it was when the command began, in one file that only its owner can read.
Secrets in it are encrypted if they are in the store: keep the key too, elsewhere.")]
pub(super) struct BackUp {
    /// File to create
    #[arg(long, value_name = "FILE")]
    to: PathBuf,

    /// Replace the file if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    store: StoreOptions,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Restore a store from a backup, while no server uses it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook restore --from backup.db --store sqlite:./new.db
  switchhook restore --from backup.db --store sqlite:/var/lib/switchhook/switchhook.db --force

Deliveries that were pending in the backup are sent when a server starts on it, even if they were delivered since.")]
pub(super) struct Restore {
    /// Backup file
    #[arg(long, value_name = "FILE")]
    from: PathBuf,

    /// Replace the store if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    store: StoreOptions,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl BackUp {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let url = shown_url(&self.store.store);
        let copied = switchhook_store::backup(&self.store.store, &self.to, existing(self.force))
            .with_context(|| format!("the store {url} was not copied"))?;
        print_report(&url, &self.to.display().to_string(), copied, self.json)
    }
}

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let url = shown_url(&self.store.store);
        let from = self.from.display().to_string();
        let copied = switchhook_store::restore(&self.from, &self.store.store, existing(self.force))
            .with_context(|| format!("{url} was not restored from {from}"))?;
        print_report(&from, &url, copied, self.json)
    }
}

const fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Keep }
}

fn print_report(from: &str, to: &str, copied: Copied, json: bool) -> anyhow::Result<()> {
    let Copied { bytes, schema } = copied;
    if json {
        return output::print_json(&json!({ "from": from, "to": to, "bytes": bytes, "schema": schema }));
    }
    output::print(format_args!(
        "{from} was copied to {to}: {bytes} bytes, schema {schema}"
    ))
}
