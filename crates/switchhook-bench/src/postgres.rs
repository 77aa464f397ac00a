//! The PostgreSQL server of a run: one that was named, or one that is started from the programs of this machine.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use switchhook_store::postgres::cluster::{Cluster, Durability, create_database};

/// A server on which a database can be made for each trial.
pub(super) struct PostgresServer {
    /// The URL of one of its databases.
    url: String,
    cluster: Option<Cluster>,
    databases: AtomicU32,
}

impl PostgresServer {
    /// The server at `url`, or a new one in `folder` whose commits reach the disk.
    pub(super) async fn start(folder: &Path, url: Option<&str>) -> Result<Self> {
        let cluster = match url {
            Some(_) => None,
            None => {
                let folder = folder.join("postgres");
                let start = move || {
                    std::fs::create_dir(&folder)?;
                    make_traversable(&folder)?;
                    Cluster::start(&folder, Durability::Full)
                };
                Some(
                    tokio::task::spawn_blocking(start)
                        .await?
                        .context("name one with --postgres URL")?,
                )
            }
        };
        let own = cluster.as_ref().map(|cluster| cluster.url("postgres"));
        let url = own.or_else(|| url.map(str::to_owned)).context("no server")?;
        Ok(Self {
            url,
            cluster,
            databases: AtomicU32::new(0),
        })
    }

    /// The URL of a new database.
    pub(super) async fn new_database(&self) -> Result<String> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("switchhook_bench_{}_{number}", std::process::id());
        let url = self.url.clone();
        let made = tokio::task::spawn_blocking(move || create_database(&url, &name)).await?;
        made.context("no database could be made for a trial")
    }

    /// The process of a server that was started here: all others of the server descend from it.
    pub(super) fn process(&self) -> Option<u32> {
        self.cluster.as_ref().map(Cluster::process)
    }
}

/// The server may run as another user, who must be able to come to its folder.
fn make_traversable(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    match folder.parent() {
        Some(parent) => std::fs::set_permissions(parent, std::fs::Permissions::from_mode(0o711)),
        None => Ok(()),
    }
}
