//! The PostgreSQL server of this run, with a database for each test.
//!
//! `SWITCHHOOK_TEST_POSTGRES` names one that is there already; without it each test process starts its own.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use switchhook_store::postgres::cluster::{Cluster, Durability, create_database};

use super::program::{skip, variable};

/// Server, or the reason for its absence, and the URL of its database `postgres`.
static SERVER: OnceLock<Result<(String, Option<Cluster>), String>> = OnceLock::new();

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The URL of a new, empty database. Where there is no server the test is skipped, and says so; in CI it fails.
pub(crate) fn new_database() -> Option<String> {
    let server = SERVER.get_or_init(|| match variable("SWITCHHOOK_TEST_POSTGRES") {
        Some(url) => Ok((url, None)),
        None => start().map(|cluster| (cluster.url("postgres"), Some(cluster))),
    });
    let (url, _) = server.as_ref().map_err(|why| skip(why)).ok()?;
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name = format!("nodes_{}_{number}", std::process::id());
    Some(create_database(url, &name).expect("a database is made"))
}

/// A server of the test's own, to stop and start.
pub(crate) fn own_server() -> Option<Cluster> {
    start().map_err(|why| skip(&why)).ok()
}

/// A server that follows another.
pub(crate) fn standby_of(primary: &Cluster) -> Cluster {
    Cluster::standby_of(primary, &folder(), Durability::None).expect("the server can be copied")
}

fn start() -> Result<Cluster, String> {
    Cluster::start(&folder(), Durability::None).map_err(|error| error.to_string())
}

/// The server removes it at its end.
fn folder() -> PathBuf {
    tempfile::tempdir()
        .expect("a temporary directory can be made")
        .keep()
}
