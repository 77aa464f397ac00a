//! `switchhook migrate`: migrates a store's schema.

use anyhow::Context;
use clap::Args;
use serde_json::json;
use switchhook_domain::clock::Clock;
use switchhook_domain::credential::shown_url;

use super::output;
use crate::config::StoreOptions;
use switchhook_node::clock::SystemClock;

/// Migrate the schema of a store to this version
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook migrate
  switchhook migrate --store sqlite:/var/lib/switchhook/switchhook.db

`serve` does this too when it starts; back up the store before an update.")]
pub(super) struct Migrate {
    #[command(flatten)]
    store: StoreOptions,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let url = shown_url(&self.store.store);
        let migrated = switchhook_store::migrate(&self.store.store, SystemClock.now())
            .with_context(|| format!("the store {url} cannot be migrated"))?;
        if self.json {
            return output::print_json(&json!({ "store": url, "from": migrated.from, "to": migrated.to }));
        }
        if migrated.from == migrated.to {
            return output::print(format_args!(
                "{url} has schema {}: nothing to migrate",
                migrated.to
            ));
        }
        output::print(format_args!(
            "{url} was migrated from schema {} to schema {}",
            migrated.from, migrated.to
        ))
    }
}
