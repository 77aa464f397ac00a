//! `switchhook secrets`: webhooks' secrets as they lie in the store. How they are encrypted is `encryption.rs`.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;
use switchhook_store::{Resealed, Store};

use super::{Misuse, guest, output, wait_for};
use crate::config::{EncryptionOptions, StoreOptions};

/// How many webhooks one commit rewrites.
const SLICE: u32 = 200;

/// Encrypt and re-encrypt the secrets in a store
#[derive(Debug, Subcommand)]
pub(super) enum Secrets {
    #[command(name = "re-encrypt")]
    Reencrypt(Reencrypt),
}

/// Encrypt every secret with the current key: plain ones, and those encrypted with older keys
#[derive(Debug, Args)]
#[command(after_help = "\
Example: replace a key. Start the server with both, rewrite, then leave the old one away
  SWITCHHOOK_ENCRYPTION_KEY=NEW SWITCHHOOK_ENCRYPTION_KEYS_OLD=OLD switchhook secrets re-encrypt

It works on the store directly, also while a server runs that has both keys.")]
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
            Misuse("there is no key to encrypt with: set SWITCHHOOK_ENCRYPTION_KEY".to_owned())
        })?;
        let store = guest::open(&command.store.store, Some(&keyring))?;
        let done = wait_for(async {
            let done = reseal_all(&store).await;
            store.close().await;
            Ok(done?)
        })?;
        if command.json {
            return output::print_json(&json!({ "rewritten": done.rewritten, "current": done.current }));
        }
        output::print(format_args!(
            "{} secrets were encrypted anew, {} were as they should be",
            done.rewritten, done.current
        ))
    }
}

async fn reseal_all(store: &Arc<dyn Store>) -> Result<Resealed, switchhook_store::StoreError> {
    let mut done = Resealed::default();
    loop {
        let slice = store.reseal_secrets(done.next, SLICE).await?;
        done.rewritten += slice.rewritten;
        done.current += slice.current;
        done.next = slice.next;
        if done.next.is_none() {
            return Ok(done);
        }
    }
}
