//! Runs the binary and keeps what came of it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Result of a command.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Run {
    #[track_caller]
    pub(super) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    #[track_caller]
    pub(super) fn failed(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A folder to run commands in, and variables that they see.
pub(super) struct Shell<'a> {
    folder: &'a Path,
    variables: Vec<(&'a str, String)>,
}

impl<'a> Shell<'a> {
    pub(super) fn new(folder: &'a Path) -> Self {
        Self {
            folder,
            variables: Vec::new(),
        }
    }

    pub(super) fn with(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Runs `switchhook` with these words.
    pub(super) fn run(&self, words: &[&str]) -> Run {
        self.run_with_input(words, "")
    }

    /// The same, with something on standard input.
    pub(super) fn run_with_input(&self, words: &[&str], input: &str) -> Run {
        let mut child = Command::new(env!("CARGO_BIN_EXE_switchhook"))
            .args(words)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        let mut stdin = child.stdin.take().expect("it was asked for");
        // Whoever does not read its input closes it; that is no failure.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes| String::from_utf8(bytes).expect("commands speak UTF-8");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Run {
            code: output.status.code().expect("it was not killed"),
            stdout,
            stderr,
        }
    }
}
