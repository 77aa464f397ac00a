//! The operator's command: a program that gets each notification as JSON on its standard input. No shell reads its words.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{self, Child};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::SendError;
use super::message::Message;

/// Time limit.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Environment variables with the server's credentials, which the command does not get.
const CREDENTIALS: [&str; 7] = [
    "SWITCHHOOK_API_KEY",
    "SWITCHHOOK_ENCRYPTION_KEY",
    "SWITCHHOOK_ENCRYPTION_KEYS_OLD",
    "SWITCHHOOK_HOOK_PROXY",
    "SWITCHHOOK_NOTIFY_EMAIL_PASSWORD",
    "SWITCHHOOK_SECRET",
    "SWITCHHOOK_STORE",
];

/// A command, run once at a time.
#[derive(Debug)]
pub(super) struct Command {
    program: String,
    arguments: Vec<String>,
    turn: Mutex<()>,
    timeout: Duration,
}

impl Command {
    /// The program and its arguments; `None` if there are no words.
    pub(super) fn of(words: &[String]) -> Option<Self> {
        let (program, arguments) = words.split_first()?;
        Some(Self {
            program: program.clone(),
            arguments: arguments.to_vec(),
            turn: Mutex::new(()),
            timeout: TIMEOUT,
        })
    }

    /// Runs it with a message, and returns when it has ended well.
    pub(super) async fn run(&self, message: &Message) -> Result<(), SendError> {
        let _turn = self.turn.lock().await;
        let not_started =
            |error: io::Error| SendError::because(format!("the command could not be started: {error}"));
        let mut child = self.start(message).map_err(not_started)?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let mut line = message.whole().to_string();
        line.push('\n');
        let Ok(ended) = timeout(self.timeout, feed_and_wait(&mut child, line.as_bytes())).await else {
            // What it has started goes with it. An error means that it is gone already.
            let _ = group.map(|group| kill_process_group(group, Signal::KILL));
            let _ = child.wait().await;
            let why = format!("the command was killed after {} s", self.timeout.as_secs());
            return Err(SendError::because(why));
        };
        match ended.map_err(not_started)? {
            status if status.success() => Ok(()),
            status => Err(SendError::because(format!("the command ended with {status}"))),
        }
    }

    fn start(&self, message: &Message) -> io::Result<Child> {
        let mut command = process::Command::new(&self.program);
        for variable in CREDENTIALS {
            command.env_remove(variable);
        }
        command
            .args(&self.arguments)
            .env("SWITCHHOOK_NOTIFICATION_KIND", message.kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

/// Writes to the command while it runs. One that ends without reading has still ended.
async fn feed_and_wait(child: &mut Child, line: &[u8]) -> io::Result<ExitStatus> {
    if let Some(mut stdin) = child.stdin.take() {
        let feed = async {
            // Whoever does not read closes it; that is no failure.
            let _ = stdin.write_all(line).await;
            let _ = stdin.shutdown().await;
            drop(stdin);
        };
        tokio::select! {
            status = child.wait() => return status,
            () = feed => {}
        }
    }
    child.wait().await
}

#[cfg(test)]
mod tests {
    use switchhook_domain::Timestamp;
    use switchhook_domain::id::CompanyId;

    use super::*;

    fn command(words: &[&str]) -> Command {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        Command::of(&words).expect("there are words")
    }

    fn message() -> Message {
        Message::test("7".to_owned(), CompanyId(1), Timestamp::from_millis(0))
    }

    #[tokio::test]
    async fn a_command_gets_the_notification_and_no_shell_reads_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b;$(x)");
        let path_text = path.to_str().expect("it is text");
        command(&["tee", path_text]).run(&message()).await.unwrap();
        let got: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(got, message().whole());
    }

    #[tokio::test]
    async fn a_command_that_fails_or_is_not_there_says_so() {
        let failed = command(&["false"]).run(&message()).await.unwrap_err();
        assert!(failed.why.contains("exit status: 1"), "{failed}");
        let missing = command(&["/no/such/program"]).run(&message()).await.unwrap_err();
        assert!(missing.why.contains("could not be started"), "{missing}");
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_killed() {
        let hasty = Command {
            timeout: Duration::from_millis(50),
            ..command(&["sleep", "60"])
        };
        let killed = hasty.run(&message()).await.unwrap_err();
        assert!(killed.why.contains("killed"), "{killed}");
    }
}
