//! Opens a store for a short command, whether or not a server uses it.

use std::path::Path;
use std::sync::Arc;

use switchhook_domain::clock::Clock;
use switchhook_node::clock::SystemClock;
use switchhook_node::encryption::Keyring;
use switchhook_node::storage;
use switchhook_store::Store;

use super::UsageError;
use crate::{dev, private_folder};

/// Opens a store. A new one is not created beside the store of `switchhook dev`, which was probably meant.
pub(super) fn open(url: &str, keyring: Option<&Keyring>) -> anyhow::Result<Arc<dyn Store>> {
    let of_dev = Path::new(private_folder::NAME).join(dev::STORE_FILE);
    let is_new = url
        .strip_prefix("sqlite:")
        .is_some_and(|file| !Path::new(file).exists());
    if is_new && of_dev.exists() {
        let of_dev = of_dev.display();
        return Err(UsageError(format!(
            "there is no store {url} yet, but `switchhook dev` has one in this folder: name it with --store sqlite:{of_dev}, \
             or make a new one with `switchhook migrate --store {url}` first"
        ))
        .into());
    }
    storage::open_as_guest(url, SystemClock.now(), keyring)
}
