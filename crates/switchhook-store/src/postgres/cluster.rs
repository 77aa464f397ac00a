//! A throw-away PostgreSQL server for tests and benchmarks, made from the programs that are installed.
//!
//! It listens on loopback only, keeps its files in a temporary folder, and ends with the process that started it,
//! however that ends.

use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection};

use self::program::{as_user, free_port, programs, serve, unprivileged_user};
use super::Threads;
use super::connection::Connector;
use crate::error::StoreError;

mod faults;
mod program;

pub use self::faults::{Frozen, freeze, lock_deliveries};

/// Durability of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in production.
    Full,
    /// They do not: a crash of the machine, though not of the server, may lose them. Enough for tests, and quick.
    None,
}

/// Way of stopping a server for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As for an update: it breaks transactions off and writes down what it has.
    Fast,
    /// As in a crash: it writes nothing down, and reads its log when it comes back.
    Crash,
}

/// While this file is among its data, a server that has ended is not started again.
const PAUSED: &str = "paused";

/// A running server. Dropping it ends it and removes its files.
#[derive(Debug)]
pub struct Cluster {
    server: Child,
    folder: PathBuf,
    port: u16,
}

impl Cluster {
    /// Makes a cluster in `folder`, which must be there and empty, and starts it. Blocks until it answers.
    ///
    /// # Errors
    /// `NotFound` if PostgreSQL is not installed; others say what it had to say.
    pub fn start(folder: &Path, durability: Durability) -> io::Result<Self> {
        let programs = programs()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "PostgreSQL's server is not installed"))?;
        let user = unprivileged_user()?;
        if let Some((uid, gid)) = user {
            chown(folder, Some(uid), Some(gid))?;
        }
        let data = folder.join("data");
        let initdb = as_user(Command::new(programs.join("initdb")), user)
            .args([
                "--auth=trust",
                "--username=switchhook",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .output()?;
        if !initdb.status.success() {
            let said = String::from_utf8_lossy(&initdb.stderr).into_owned();
            return Err(io::Error::other(format!("initdb failed: {said}")));
        }
        Self::serve(&programs, folder, durability, user)
    }

    /// Copies another server, which it follows from then on as its standby: it takes no writes. Otherwise as [`Self::start`].
    ///
    /// # Errors
    /// As for it.
    pub fn standby_of(primary: &Self, folder: &Path, durability: Durability) -> io::Result<Self> {
        let programs = programs().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let user = unprivileged_user()?;
        if let Some((uid, gid)) = user {
            chown(folder, Some(uid), Some(gid))?;
        }
        let copied = as_user(Command::new(programs.join("pg_basebackup")), user)
            .args([
                "--host=127.0.0.1",
                "--username=switchhook",
                "--checkpoint=fast",
                "--no-sync",
                "--port",
            ])
            .arg(primary.port.to_string())
            .arg("-D")
            .arg(folder.join("data"))
            .output()?;
        if !copied.status.success() {
            let said = String::from_utf8_lossy(&copied.stderr).into_owned();
            return Err(io::Error::other(format!("pg_basebackup failed: {said}")));
        }
        follow(primary.port, folder)?;
        Self::serve(&programs, folder, durability, user)
    }

    fn serve(
        programs: &Path,
        folder: &Path,
        durability: Durability,
        user: Option<(u32, u32)>,
    ) -> io::Result<Self> {
        let port = free_port()?;
        let mut server = Self {
            server: serve(programs, &folder.join("data"), port, durability, user)?,
            folder: folder.to_owned(),
            port,
        };
        server.wait_until_ready(programs)?;
        Ok(server)
    }

    /// Makes a standby take writes. Blocks.
    ///
    /// # Errors
    /// If it does not.
    pub fn promote(&self) -> Result<(), StoreError> {
        execute(&self.url("postgres"), "SELECT pg_promote()")
    }

    /// Makes it refuse writes, also on the connections that are open. Blocks.
    ///
    /// # Errors
    /// If it does not.
    pub fn refuse_writes(&self) -> Result<(), StoreError> {
        let url = self.url("postgres");
        execute(&url, "ALTER SYSTEM SET default_transaction_read_only = on")?;
        execute(&url, "SELECT pg_reload_conf()")
    }

    /// Runs statements in one of its databases, as its superuser and however long that takes. Blocks.
    ///
    /// # Errors
    /// If one of them fails.
    pub fn execute(&self, database: &str, sql: &str) -> Result<(), StoreError> {
        execute(&self.url(database), sql)
    }

    /// Server's log so far.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn log(&self) -> io::Result<String> {
        let log = std::fs::read(self.folder.join("data/server.log"))?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    }

    /// While it is stopped: makes it follow another server when it starts again.
    ///
    /// # Errors
    /// If its files cannot be written.
    pub fn become_standby_of(&self, primary: &Self) -> io::Result<()> {
        follow(primary.port, &self.folder)
    }

    /// The URL of one of its databases. `postgres` is there; others are to be made.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://switchhook@127.0.0.1:{}/{database}", self.port)
    }

    /// Port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The process from which all of the server's descend.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.server.id()
    }

    /// Ends the server for a while. Blocks until it is gone.
    ///
    /// # Errors
    /// If it does not go.
    pub fn stop(&mut self, ending: Ending) -> io::Result<()> {
        let data = self.folder.join("data");
        let lock = std::fs::read_to_string(data.join("postmaster.pid"))?;
        let process = lock.lines().next().unwrap_or_default().to_owned();
        std::fs::write(data.join(PAUSED), "")?;
        let signal = match ending {
            Ending::Fast => "-INT",
            Ending::Crash => "-QUIT",
        };
        Command::new("kill").args([signal, &process]).status()?;
        for _ in 0..400 {
            let is_there = Command::new("kill")
                .args(["-0", &process])
                .stderr(Stdio::null())
                .status()?;
            if !is_there.success() {
                return Ok(());
            }
            std::thread::park_timeout(Duration::from_millis(25));
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the server does not end"))
    }

    /// Starts it again where it was. Blocks until it answers.
    ///
    /// # Errors
    /// If it does not come back.
    pub fn start_again(&mut self) -> io::Result<()> {
        let programs = programs().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        std::fs::remove_file(self.folder.join("data").join(PAUSED))?;
        self.wait_until_ready(&programs)
    }

    fn wait_until_ready(&mut self, programs: &Path) -> io::Result<()> {
        for _ in 0..200 {
            if let Some(status) = self.server.try_wait()? {
                let log = std::fs::read_to_string(self.folder.join("data/server.log")).unwrap_or_default();
                return Err(io::Error::other(format!("the server ended with {status}: {log}")));
            }
            let ready = Command::new(programs.join("pg_isready"))
                .args(["--quiet", "--timeout=1", "--host=127.0.0.1", "--port"])
                .arg(self.port.to_string())
                .status()?;
            if ready.success() {
                return Ok(());
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the server does not answer",
        ))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Its shell waits for the end of its input, and ends the server then.
        drop(self.server.stdin.take());
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Makes a database on the server that `url` names another database of, and answers its URL. Blocks.
///
/// # Errors
/// If it cannot be made.
pub fn create_database(url: &str, name: &str) -> Result<String, StoreError> {
    let connector = Connector::new(url)?;
    let sql = format!("CREATE DATABASE {name}");
    Threads::start()?.wait_on(async move {
        let mut connection = connector.connect().await?.connection;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
        Ok(connection.close().await?)
    })?;
    let server = url.rsplit_once('/').map_or(url, |(server, _)| server);
    Ok(format!("{server}/{name}"))
}

/// Runs statements on the server, on a connection of their own, however long that takes. Blocks.
fn execute(url: &str, sql: &str) -> Result<(), StoreError> {
    let (connector, sql) = (Connector::new(url)?, sql.to_owned());
    Threads::start()?.wait_as_long_as_it_takes(async move {
        let mut connection = connector.connect().await?.connection;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
        Ok(connection.close().await?)
    })
}

/// Makes the data in `folder` follow the server at `port`.
fn follow(port: u16, folder: &Path) -> io::Result<()> {
    let data = folder.join("data");
    std::fs::write(data.join("standby.signal"), "")?;
    let settings = format!("primary_conninfo = 'host=127.0.0.1 port={port} user=switchhook'\n");
    std::fs::write(data.join("postgresql.auto.conf"), settings)
}
