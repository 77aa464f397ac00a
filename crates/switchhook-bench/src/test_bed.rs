//! The folder in which stores are made, and what takes long to be made in it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use switchhook_store::Existing;
use tempfile::TempDir;

use super::payload::Payload;
use super::postgres::PostgresServer;
use super::prepared::{self, sqlite_url};

/// Pause between tries to remove a folder, and their number.
const REMOVE_EVERY: Duration = Duration::from_millis(50);
const REMOVE_ATTEMPTS: u32 = 40;

/// Folder, payload and database server of the trials.
pub(super) struct TestBed<'a> {
    folder: &'a Path,
    payload: Payload,
    /// Stores that took long to fill, by their bystanders.
    filled: HashMap<u32, PathBuf>,
    postgres: Option<PostgresServer>,
}

/// A new folder in `parent`, or in the machine's temporary folder.
pub(super) fn make_folder(parent: Option<&Path>) -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("switchhook-bench-");
    match parent {
        Some(parent) => builder
            .tempdir_in(parent)
            .with_context(|| format!("no folder can be made in {}", parent.display())),
        None => builder.tempdir().context("no temporary folder can be made"),
    }
}

/// Removes a folder with all that is in it. What was killed may still be making a file, so once may not be enough.
pub(super) async fn remove_folder(folder: TempDir) -> Result<()> {
    let path = folder.keep();
    for _ in 1..REMOVE_ATTEMPTS {
        if std::fs::remove_dir_all(&path).is_ok() {
            return Ok(());
        }
        tokio::time::sleep(REMOVE_EVERY).await;
    }
    std::fs::remove_dir_all(&path)
        .with_context(|| format!("{} cannot be removed; please do it", path.display()))
}

impl<'a> TestBed<'a> {
    pub(super) fn in_folder(folder: &'a Path) -> Self {
        Self {
            folder,
            payload: Payload::simulated(),
            filled: HashMap::new(),
            postgres: None,
        }
    }

    /// Makes a PostgreSQL server available, once.
    pub(super) async fn start_postgres(&mut self, url: Option<&str>) -> Result<()> {
        if self.postgres.is_none() {
            self.postgres = Some(PostgresServer::start(self.folder, url).await?);
        }
        Ok(())
    }

    pub(super) fn postgres(&self) -> Result<&PostgresServer> {
        self.postgres.as_ref().context("there is no PostgreSQL server")
    }

    pub(super) const fn payload(&self) -> &Payload {
        &self.payload
    }

    /// A folder for one trial.
    pub(super) fn room(&self) -> Result<TempDir> {
        Ok(tempfile::tempdir_in(self.folder)?)
    }

    /// Fills a store with so many subscriptions of bystanders, if nobody has.
    pub(super) async fn prepare(&mut self, count: u32) -> Result<()> {
        if count == 0 || self.filled.contains_key(&count) {
            return Ok(());
        }
        let file = self.folder.join(format!("{count}-subscriptions.db"));
        prepared::with_subscriptions(&file, count).await?;
        self.filled.insert(count, file);
        Ok(())
    }

    /// The URL of a SQLite store for a trial in `room`.
    pub(super) fn store(&self, room: &Path, bystanders: u32) -> Result<String> {
        let url = sqlite_url(&room.join("switchhook.db"));
        if let Some(filled) = self.filled.get(&bystanders) {
            switchhook_store::restore(filled, &url, Existing::Keep)
                .context("the filled store cannot be copied")?;
        }
        Ok(url)
    }
}
