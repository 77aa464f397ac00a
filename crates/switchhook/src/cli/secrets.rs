//! `switchhook secrets`: encryption of the secrets in a store. The cipher is in `encryption.rs` of `switchhook-node`.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;
use switchhook_store::{Resealed, Store};

use super::{UsageError, block_on, guest, output};
use crate::config::{EncryptionOptions, StoreOptions};

/// Webhooks rewritten in one commit.
const BATCH: u32 = 200;

/// Encrypt and re-encrypt the secrets in a store
#[derive(Debug, Subcommand)]
pub(super) enum Secrets {
    #[command(name = "re-encrypt")]
    Reencrypt(Reencrypt),
}

/// Encrypt every secret with the current key: plain ones, and those encrypted with older keys
#[derive(Debug, Args)]
#[command(after_help = "\
Example: replace a key. Start the server with both keys, re-encrypt, then remove the old key
  SWITCHHOOK_ENCRYPTION_KEY=NEW SWITCHHOOK_ENCRYPTION_KEYS_OLD=OLD switchhook secrets re-encrypt

It works on the store directly, also while a server with both keys uses it.")]
pub(super) struct Reencrypt {
    #[command(flatten)]
    store: StoreOptions,

    #[command(flatten)]
    encryption: EncryptionOptions,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Secrets {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self::Reencrypt(command) = self;
        let keyring = command.encryption.keyring()?;
        let keyring = keyring.ok_or_else(|| {
            UsageError("there is no key to encrypt with: set SWITCHHOOK_ENCRYPTION_KEY".to_owned())
        })?;
        let store = guest::open(&command.store.store, Some(&keyring))?;
        let total = block_on(async {
            let total = reseal_all(&store).await;
            store.close().await;
            Ok(total?)
        })?;
        if command.json {
            return output::print_json(&json!({ "rewritten": total.rewritten, "current": total.current }));
        }
        output::print(format_args!(
            "{} secrets were re-encrypted, {} were up to date",
            total.rewritten, total.current
        ))
    }
}

async fn reseal_all(store: &Arc<dyn Store>) -> Result<Resealed, switchhook_store::StoreError> {
    let mut total = Resealed::default();
    loop {
        let batch = store.reseal_secrets(total.next, BATCH).await?;
        total.rewritten += batch.rewritten;
        total.current += batch.current;
        total.next = batch.next;
        if total.next.is_none() {
            return Ok(total);
        }
    }
}
