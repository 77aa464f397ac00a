//! `switchhook init`: configuration file, encryption key, store and API key of a new server.
//!
//! The contents of the configuration file are in `config/template.rs`.

use std::fs::{OpenOptions, create_dir_all};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use switchhook_domain::Timestamp;
use switchhook_domain::clock::Clock;
use switchhook_domain::credential::shown_url;

use super::keys::admin_key;
use super::{block_on, output};
use crate::config::template::{self, InitialValues};
use crate::config::{parse_listen, parse_public_url, parse_store};
use switchhook_node::clock::SystemClock;
use switchhook_node::encryption::{EncryptionKey, Keyring};
use switchhook_node::{keys, storage};
use switchhook_store::{PageRequest, Store};

/// Names of the files.
const CONFIG: &str = "switchhook.toml";
const ENCRYPTION_KEY: &str = "switchhook.key";
const DATABASE: &str = "switchhook.db";

/// Set up a server: a commented configuration file, an encryption key, the store and the first API key
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook init
  switchhook init --dir /srv/switchhook --public-url https://hooks.example.com
  switchhook init --store postgres://switchhook:PASSWORD@db.internal/switchhook

Existing files are not overwritten.")]
pub(super) struct Init {
    /// Folder for the configuration file, the encryption key and, without --store, the store
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,

    /// Store for events and deliveries: sqlite:PATH or postgres://… [default: switchhook.db in the folder]
    #[arg(long, value_name = "URL", value_parser = parse_store)]
    store: Option<String>,

    /// Address and port that the server will listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8400", value_parser = parse_listen)]
    listen: SocketAddr,

    /// URL at which clients will reach the server
    #[arg(long, value_name = "URL", value_parser = parse_public_url)]
    public_url: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Files and key of a new server.
struct ServerFiles {
    config: PathBuf,
    encryption_key: PathBuf,
    store: String,
    key: String,
}

impl Init {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let files = self.create(SystemClock.now())?;
        if self.json {
            return output::print_json(&json!({
                "config": files.config,
                "encryption_key_file": files.encryption_key,
                "store": shown_url(&files.store),
                "url": self.url(),
                "key": files.key,
            }));
        }
        output::print_text(self.in_words(&files))
    }

    fn create(&self, now: Timestamp) -> anyhow::Result<ServerFiles> {
        create_dir_all(&self.dir)
            .with_context(|| format!("the folder {} cannot be created", self.dir.display()))?;
        let dir = self.dir.canonicalize()?;
        let database = dir.join(DATABASE);
        let files = ServerFiles {
            config: dir.join(CONFIG),
            encryption_key: dir.join(ENCRYPTION_KEY),
            store: self
                .store
                .clone()
                .unwrap_or_else(|| format!("sqlite:{}", database.display())),
            key: keys::new_key(),
        };
        let own_database = self.store.is_none().then_some(&database);
        for path in [&files.config, &files.encryption_key]
            .into_iter()
            .chain(own_database)
        {
            if path.exists() {
                bail!(
                    "{} already exists, and nothing was changed: choose another folder with --dir",
                    path.display()
                );
            }
        }
        // A key of 256 bits is all that an encryption key must be.
        let encryption_key = keys::new_secret();
        let keyring = Keyring::new(encryption_key.parse::<EncryptionKey>()?, Vec::new());
        // The store first: it may be out of reach, and then nothing is left behind.
        store_key(&files, &keyring, now)?;
        write_new(&files.encryption_key, &format!("{encryption_key}\n"))?;
        write_new(
            &files.config,
            &template::render(&InitialValues {
                listen: self.listen,
                store: &files.store,
                public_url: self.public_url.as_deref(),
                encryption_key_file: &files.encryption_key,
            }),
        )?;
        Ok(files)
    }

    fn url(&self) -> String {
        let local = || match self.listen {
            address if address.ip().is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
            address => format!("http://{address}"),
        };
        self.public_url.clone().unwrap_or_else(local)
    }

    fn in_words(&self, files: &ServerFiles) -> String {
        format!(
            "\
{config} has every setting, with its default.
{encryption_key} encrypts the secrets in the store: keep a copy elsewhere, without it they are lost.
{store} is the store. It has one API key, an admin's, which is shown only now.

Next:
  switchhook serve --config {config}
  export SWITCHHOOK_URL={url} SWITCHHOOK_API_KEY={key}
  switchhook webhooks create https://example.com/hook --generate-secret --subscribe all",
            config = files.config.display(),
            encryption_key = files.encryption_key.display(),
            store = shown_url(&files.store),
            url = self.url(),
            key = files.key,
        )
    }
}

/// Creates the store with the first key.
fn store_key(files: &ServerFiles, keyring: &Keyring, now: Timestamp) -> anyhow::Result<()> {
    let what = || format!("the store {} cannot be created", shown_url(&files.store));
    block_on(async {
        let store = storage::open_as_guest(&files.store, now, Some(keyring)).with_context(what)?;
        let stored = store_first_key(&*store, files, now).await;
        store.close().await;
        stored.with_context(what)
    })
}

/// Stores the first key. A store that has keys is in use, and its secrets are sealed with another key.
async fn store_first_key(store: &dyn Store, files: &ServerFiles, now: Timestamp) -> anyhow::Result<()> {
    let keys = store.list_keys(None, PageRequest::first(1)).await?;
    if !keys.items.is_empty() {
        bail!(
            "it is in use (it has API keys), and nothing was changed: name another with --store, or serve it with the \
             configuration that it has"
        );
    }
    store.create_key(admin_key("first", &files.key, now)).await?;
    Ok(())
}

/// Creates a file that only its owner may read.
fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let written = match file {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} already exists and was not changed", path.display())
        }
        opened => opened.and_then(|mut file| file.write_all(text.as_bytes())),
    };
    written.with_context(|| format!("{} cannot be written", path.display()))
}
