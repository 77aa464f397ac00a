//! Runs a command with a temporary PostgreSQL server, whose URL is in `SWITCHHOOK_TEST_POSTGRES`, so that all tests of a
//! run share one server. Where PostgreSQL is not installed the command runs without it, and its tests say what they skip.
//!
//! ```sh
//! cargo run -p trials --bin with_postgres -- cargo test
//! ```

use std::io;
use std::process::{Command, ExitCode};

use switchhook_store::postgres::cluster::{Cluster, Durability};

fn main() -> io::Result<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "usage: with_postgres COMMAND [ARGUMENT …]",
        ));
    };
    let mut command = Command::new(program);
    command.args(words);
    let folder = tempfile::tempdir()?.keep();
    let cluster = match Cluster::start(&folder, Durability::None) {
        Ok(cluster) => {
            command.env("SWITCHHOOK_TEST_POSTGRES", cluster.url("postgres"));
            Some(cluster)
        }
        Err(error) => {
            std::fs::remove_dir_all(&folder)?;
            warn(&format!("the tests run without PostgreSQL: {error}"));
            None
        }
    };
    let status = command.status()?;
    drop(cluster);
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

#[expect(clippy::print_stderr, reason = "a developer's tool talks to its terminal")]
fn warn(message: &str) {
    eprintln!("{message}");
}
