//! The server's programs: where they are, as whom they run, and what ends them.

use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Durability, PAUSED};

/// Folders of the programs in distributions, beside the search path.
const FOLDERS: [&str; 2] = ["/usr/lib/postgresql", "/usr/local/pgsql"];

/// The user that the server runs as if this process is root, as which it refuses to run. Debian's packages make it.
const USER: &str = "postgres";

/// The server under a shell that ends it as soon as this process is gone: it reads from a pipe that then closes.
pub(super) fn serve(
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

pub(super) fn as_user(mut command: Command, user: Option<(u32, u32)>) -> Command {
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/");
    command
}

/// The folder with `initdb` and `postgres`, of the newest version.
pub(super) fn programs() -> Option<PathBuf> {
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

/// User to run it as, if this process is root.
pub(super) fn unprivileged_user() -> io::Result<Option<(u32, u32)>> {
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
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
