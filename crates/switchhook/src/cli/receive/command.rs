//! The command of `--exec`: the event on its standard input, its exit code as the answer, a limit to how many run and
//! for how long.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use switchhook_domain::Kind;
use switchhook_receiver::Received;
use tokio::io::AsyncWriteExt;
use tokio::process::{self, Child};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::super::accepted_secrets;
use crate::terminal;

#[derive(Debug)]
pub(super) struct Command {
    command_line: String,
    permits: Semaphore,
    timeout: Duration,
}

/// Reason why an event was not handled; the sender sends it again.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandFailure {
    #[error("the command could not be started")]
    NotStarted(#[source] io::Error),
    #[error("the command ended with exit code {0}")]
    ExitCode(i32),
    #[error("the command was ended by signal {0}")]
    Signal(i32),
    #[error("the command was killed after {0:?}; see --exec-timeout")]
    TooSlow(Duration),
    #[error("the command was not started within {0:?}, since others ran; see --exec-at-once")]
    QueuedTooLong(Duration),
}

impl Command {
    pub(super) fn new(command_line: &str, at_once: usize, timeout: Duration) -> Self {
        Self {
            command_line: command_line.to_owned(),
            permits: Semaphore::new(at_once),
            timeout,
        }
    }

    /// Runs the command for one event, until it succeeds.
    pub(super) async fn run(&self, event: &Received) -> Result<(), CommandFailure> {
        let deadline = Instant::now() + self.timeout;
        let permit = timeout_at(deadline, self.permits.acquire()).await;
        let _permit = permit.map_err(|_| CommandFailure::QueuedTooLong(self.timeout))?;
        let mut child = self.start(event).map_err(CommandFailure::NotStarted)?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let ended = timeout_at(deadline, feed_and_wait(&mut child, &event.body)).await;
        match ended {
            Ok(status) => result_of(status.map_err(CommandFailure::NotStarted)?),
            Err(_elapsed) => {
                // Whatever the shell has started goes with it. An error means that it is gone already.
                let _ = group.map(|group| kill_process_group(group, Signal::KILL));
                let _ = child.wait().await;
                Err(CommandFailure::TooSlow(self.timeout))
            }
        }
    }

    fn start(&self, event: &Received) -> io::Result<Child> {
        let labels = &event.labels;
        let attempt = labels.attempt.map(|attempt| attempt.to_string());
        // Its output goes where remarks go: standard output is ours.
        process::Command::new("sh")
            .args(["-c", &self.command_line])
            .env_remove(accepted_secrets::VARIABLE)
            .env(
                "SWITCHHOOK_EVENT_ID",
                labels.event_id.as_deref().unwrap_or_default(),
            )
            .env("SWITCHHOOK_EVENT_KIND", event.kind.map_or("", Kind::route))
            .env(
                "SWITCHHOOK_DELIVERY_ID",
                labels.delivery_id.as_deref().unwrap_or_default(),
            )
            .env("SWITCHHOOK_ATTEMPT", attempt.unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(terminal::child_stderr())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

/// Writes the event while the command runs. A command need not read it.
async fn feed_and_wait(child: &mut Child, event: &[u8]) -> io::Result<ExitStatus> {
    let stdin = child.stdin.take();
    let feed = async {
        if let Some(mut stdin) = stdin {
            // Whoever does not read closes it; that is no failure.
            let _ = stdin.write_all(event).await;
            let _ = stdin.shutdown().await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        status = child.wait() => status,
        () = feed => unreachable!("it waits for ever"),
    }
}

fn result_of(status: ExitStatus) -> Result<(), CommandFailure> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(CommandFailure::ExitCode(code)),
        (None, signal) => Err(CommandFailure::Signal(signal.unwrap_or_default())),
    }
}
