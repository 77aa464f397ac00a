//! A receiver that runs: started on a port of its own, and ended with everything that it started, however this ends.

use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Paths, Receiver};
use crate::check::now;

/// Longest time until a receiver listens: a compiler may have to run first.
const TO_LISTEN: Duration = Duration::from_secs(120);

/// Ends the whole group when the command ends, and when nobody holds the standard input any more.
const TETHER: &str = r#"(eval "$COMMAND"; kill -9 0) & cat >/dev/null; kill -9 0"#;

pub(super) struct Running {
    /// Nobody's, if it ran already.
    child: Option<Child>,
    pub(super) url: String,
    kept: PathBuf,
}

impl Running {
    /// Starts a receiver; if it does not listen, says why.
    pub(super) fn start(paths: &Paths<'_>, receiver: &Receiver) -> Result<Result<Self, String>> {
        let file = |ending: &str| paths.output.join(format!("{}.{ending}", receiver.name));
        let mut running = Self {
            child: None,
            url: receiver.url.clone(),
            kept: file("kept"),
        };
        let Some(command) = &receiver.command else {
            return Ok(Ok(running));
        };
        let port = free_port()?;
        running.url = receiver.url.replace("$PORT", &port.to_string());
        // What an earlier run left.
        let _ = std::fs::remove_file(&running.kept);
        let printed = File::create(file("log"))?;
        let child = Command::new("sh")
            .args(["-c", TETHER])
            .env("COMMAND", command)
            .env("PORT", port.to_string())
            .env("SECRET", receiver.secret.as_deref().unwrap_or_default())
            .env("KEPT", &running.kept)
            .env("SWITCHHOOK", &paths.switchhook)
            .current_dir(paths.list)
            .stdin(Stdio::piped())
            .stdout(printed.try_clone()?)
            .stderr(printed)
            .process_group(0)
            .spawn()
            .context("sh cannot be started")?;
        let child = running.child.insert(child);
        let mut has_ended = false;
        let listens = poll(TO_LISTEN, || {
            has_ended = !matches!(child.try_wait(), Ok(None));
            has_ended || listens(port)
        });
        Ok(match (has_ended, listens) {
            (true, _) => Err("it ended before it listened".to_owned()),
            (_, false) => Err(format!("it does not listen after {} s", TO_LISTEN.as_secs())),
            _ => Ok(running),
        })
    }

    /// Number of events in its file.
    pub(super) fn kept(&self) -> u64 {
        let text = std::fs::read(&self.kept).unwrap_or_default();
        text.iter().filter(|byte| **byte == b'\n').count() as u64
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.stdin.take());
            // An error means that it is already gone.
            let _ = child.wait();
        }
    }
}

/// Waits until something holds; whether it does.
pub(super) fn poll(most: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let begun = now();
    loop {
        if holds() {
            return true;
        }
        if begun.elapsed() > most {
            return false;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "another process tells nobody what it does, and there is no runtime here"
        )]
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("loopback has no free port")?;
    Ok(listener.local_addr()?.port())
}

#[expect(
    clippy::disallowed_methods,
    reason = "asks this machine only whether somebody listens"
)]
fn listens(port: u16) -> bool {
    let addresses = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ];
    addresses
        .iter()
        .any(|address| TcpStream::connect(address).is_ok())
}
