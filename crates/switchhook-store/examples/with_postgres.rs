//! Runs a command with a throw-away PostgreSQL server beside it, whose URL is in `SWITCHHOOK_TEST_POSTGRES`: the tests
//! of a whole run then share one server. Without PostgreSQL the command runs all the same, and its tests say what they
//! skip.
//!
//! ```sh
//! cargo run -p switchhook-store --example with_postgres -- cargo test
//! ```

use std::io;
use std::process::{Command, ExitCode};

use switchhook_store::postgres::cluster::{Cluster, Durability};

fn main() -> io::Result<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "which command? write it behind `--`",
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
            tell(&format!("there is no PostgreSQL for the tests: {error}"));
            None
        }
    };
    let status = command.status()?;
    drop(cluster);
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

#[expect(clippy::print_stderr, reason = "an example talks to whoever started it")]
fn tell(words: &str) {
    eprintln!("{words}");
}
