//! A throw-away PostgreSQL server for tests and benchmarks, made from the programs that are installed.
//!
//! It listens on loopback only, keeps its files in a temporary folder, and ends with the process that started it,
//! however that ends.

use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Row};

use super::Threads;
use super::connection::Connector;
use crate::error::StoreError;

/// Where distributions put the programs, beside the search path.
const FOLDERS: [&str; 2] = ["/usr/lib/postgresql", "/usr/local/pgsql"];

/// The user that the server runs as if this process is root, as which it refuses to run. Debian's packages make it.
const USER: &str = "postgres";

/// Whether commits reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in production.
    Full,
    /// They do not: a crash of the machine, though not of the server, may lose them. Enough for tests, and quick.
    None,
}

/// How a server is stopped for a while.
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

    /// What it has written to its log so far.
    ///
    /// # Errors
    /// If that cannot be read.
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

    /// Where it listens, on 127.0.0.1.
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

/// Holds the lock on the table of deliveries for a while, as another session would that changes it. Blocks.
///
/// # Errors
/// If the lock is not got.
pub fn lock_deliveries(url: &str, time: Duration) -> Result<(), StoreError> {
    let seconds = time.as_secs_f64();
    let sql =
        format!("BEGIN; LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({seconds}); COMMIT");
    execute(url, &sql)
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

/// The server's processes behind the connections to a database, stopped where they are until this is dropped: they keep
/// their locks and answer nothing.
#[derive(Debug)]
pub struct Frozen(Vec<i32>);

/// Stops the processes behind all connections to the database that `url` names. Blocks.
///
/// # Errors
/// If the server does not say which they are.
pub fn freeze(url: &str) -> Result<Frozen, StoreError> {
    let connector = Connector::new(url)?;
    let processes = Threads::start()?.wait_on(async move {
        let mut connection = connector.connect().await?.connection;
        let sql =
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let rows = sqlx::query(sql).fetch_all(&mut connection).await?;
        let processes = rows.iter().map(|row| Ok(row.try_get(0)?)).collect();
        connection.close().await?;
        processes
    })?;
    let frozen = Frozen(processes);
    frozen.signal("-STOP");
    Ok(frozen)
}

impl Frozen {
    fn signal(&self, name: &str) {
        for process in &self.0 {
            // One that has ended meanwhile need not be told.
            let _ = Command::new("kill").args([name, &process.to_string()]).status();
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

/// Makes the data in `folder` follow the server at `port`.
fn follow(port: u16, folder: &Path) -> io::Result<()> {
    let data = folder.join("data");
    std::fs::write(data.join("standby.signal"), "")?;
    let settings = format!("primary_conninfo = 'host=127.0.0.1 port={port} user=switchhook'\n");
    std::fs::write(data.join("postgresql.auto.conf"), settings)
}

/// The server under a shell that ends it as soon as this process is gone: it reads from a pipe that then closes.
fn serve(
    programs: &Path,
    data: &Path,
    port: u16,
    durability: Durability,
    user: Option<(u32, u32)>,
) -> io::Result<Child> {
    // What runs in the background gets an empty input, unless it is told otherwise.
    let script = "exec 3<&0; { read -r _ <&3; touch \"$folder/over\"; kill -INT $(head -n 1 \"$folder/postmaster.pid\"); } 2>/dev/null & \
                  watcher=$!; \
                  while :; do \
                    \"$@\" </dev/null 3<&- >>\"$log\" 2>&1 & wait $!; status=$?; \
                    [ -e \"$paused\" ] || break; \
                    while [ -e \"$paused\" ] && [ ! -e \"$folder/over\" ]; do sleep 0.02; done; \
                    [ -e \"$folder/over\" ] && break; \
                  done; \
                  kill $watcher 2>/dev/null; rm -rf \"$folder\"; exit $status";
    let mut command = as_user(Command::new("bash"), user);
    command
        .env("log", data.join("server.log"))
        .env("folder", data)
        .env("paused", data.join(PAUSED))
        .args(["-c", script, "bash"])
        .arg(programs.join("postgres"))
        .arg("-D")
        .arg(data)
        .args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
        ])
        .args([
            "-c",
            "max_connections=200",
            "-c",
            "shared_buffers=256MB",
            "-c",
            "max_wal_size=4GB",
        ])
        .args(["-p", &port.to_string()]);
    if durability == Durability::None {
        command.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn as_user(mut command: Command, user: Option<(u32, u32)>) -> Command {
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/");
    command
}

/// The folder with `initdb` and `postgres`, of the newest version.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = FOLDERS
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .chain(
            Command::new("pg_config")
                .arg("--bindir")
                .output()
                .ok()
                .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())),
        )
        .filter(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .collect();
    found.sort();
    found.pop()
}

/// Whom to run it as, if this process is root.
fn unprivileged_user() -> io::Result<Option<(u32, u32)>> {
    if number_of(&["-u"])? != 0 {
        return Ok(None);
    }
    Ok(Some((number_of(&["-u", USER])?, number_of(&["-g", USER])?)))
}

fn number_of(arguments: &[&str]) -> io::Result<u32> {
    let mut said = String::new();
    let mut id = Command::new("id")
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut output) = id.stdout.take() {
        output.read_to_string(&mut said)?;
    }
    id.wait()?;
    said.trim().parse().map_err(|_| {
        io::Error::other(format!(
            "there is no user {USER}, and the server refuses to run as root"
        ))
    })
}

/// A port that was free a moment ago.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
