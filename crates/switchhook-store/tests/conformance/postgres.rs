//! The PostgreSQL server of this run, with a database for each case.
//!
//! `SWITCHHOOK_TEST_POSTGRES` names one that is there already; without it each test process starts its own.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use switchhook_store::postgres::cluster::{Cluster, Durability};

/// Server, or the reason for its absence, and the URL of its database `postgres`.
static SERVER: OnceLock<Result<(String, Option<Cluster>), String>> = OnceLock::new();

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// True if there is a server. Otherwise the case is skipped, and says so; in CI it fails.
pub(crate) fn is_there() -> bool {
    match server() {
        Ok(_) => true,
        Err(why) => {
            assert!(!is_ci(), "CI skips nothing: {why}");
            #[expect(
                clippy::disallowed_methods,
                reason = "a skipped test says so, whatever is captured"
            )]
            let mut said = std::io::stderr();
            writeln!(said, "skipped: {why}").expect("somebody reads it");
            false
        }
    }
}

/// The URL of a new, empty database.
pub(crate) fn new_database() -> String {
    let (url, _) = server().as_ref().expect("the case asked before");
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name = format!("conformance_{}_{number}", std::process::id());
    switchhook_store::postgres::cluster::create_database(url, &name).expect("a database is made")
}

fn server() -> &'static Result<(String, Option<Cluster>), String> {
    SERVER.get_or_init(|| {
        if let Some(url) = variable("SWITCHHOOK_TEST_POSTGRES") {
            return Ok((url, None));
        }
        let folder = tempfile::tempdir().expect("a temporary directory").keep();
        let cluster = Cluster::start(&folder, Durability::None).map_err(|error| error.to_string())?;
        Ok((cluster.url("postgres"), Some(cluster)))
    })
}

fn is_ci() -> bool {
    variable("CI").is_some_and(|value| value == "true")
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where the server is"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
