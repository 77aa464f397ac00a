//! Standard output and standard error: the one way to either, so that nothing that anybody wrote plays tricks on the
//! terminal of whoever reads it.
//!
//! Text for people has what is deceptive written out (`sanitize.rs`), and stays on one line unless its writer laid it out.
//! Data for programs stays byte for byte, except on a terminal, where JSON is written in another spelling of the same.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the file that owns both streams"
)]

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::Stdio;

use indicatif::ProgressBar;

use switchhook_node::sanitize;

/// The reader of standard output has closed it, which is not a failure.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub struct OutputClosed;

/// Writes a line of text to standard output.
///
/// # Errors
/// If it cannot be written; [`OutputClosed`] if nobody reads it.
pub fn print(line: impl Display) -> anyhow::Result<()> {
    write_stdout(&format!("{}\n", sanitize::line(&line.to_string())))
}

/// Writes text of several lines to standard output.
///
/// # Errors
/// As [`print()`].
pub fn print_text(text: impl Display) -> anyhow::Result<()> {
    write_stdout(&format!("{}\n", sanitize::lines(&text.to_string())))
}

/// Writes a styled line to standard output.
///
/// # Errors
/// As [`print()`].
pub fn print_styled(line: &StyledLine) -> anyhow::Result<()> {
    write_stdout(&format!("{}\n", line.text))
}

/// Writes data for programs, such as JSON, and a line feed.
///
/// # Errors
/// As [`print()`].
pub fn print_data(data: impl Display) -> anyhow::Result<()> {
    let data = format!("{data}\n");
    if is_terminal() {
        write_stdout(&sanitize::json(&data))
    } else {
        write_stdout(&data)
    }
}

/// Writes the body of a request; a line feed follows only on a terminal.
///
/// # Errors
/// As [`print()`].
pub fn print_body(body: &str) -> anyhow::Result<()> {
    if is_terminal() {
        print(body)
    } else {
        write_stdout(body)
    }
}

/// Writes a line to standard error.
pub fn remark(line: impl Display) {
    write_stderr(&sanitize::line(&line.to_string()));
}

/// Writes text of several lines to standard error.
pub fn remark_text(text: impl Display) {
    write_stderr(&sanitize::lines(&text.to_string()));
}

/// Sets the text beside a progress bar.
#[expect(clippy::disallowed_methods, reason = "bars write to standard error too")]
pub fn set_message(bar: &ProgressBar, message: impl Display) {
    bar.set_message(sanitize::line(&message.to_string()).into_owned());
}

/// True if standard output is a terminal.
#[must_use]
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Width of the terminal on standard output, in characters.
#[must_use]
pub fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then(|| size.ws_col.into())
}

/// True if standard error is a terminal.
#[must_use]
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Standard error for the log, which writes it in visible characters itself.
pub(crate) fn stderr() -> io::Stderr {
    io::stderr()
}

/// Standard error for a child process.
#[must_use]
pub fn child_stderr() -> Stdio {
    Stdio::from(io::stderr())
}

/// Sanitizes the messages of panics, which may repeat untrusted text.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        remark_text(panic);
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            remark_text(trace);
        }
    }));
}

fn write_stdout(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(OutputClosed.into()),
        other => Ok(other?),
    }
}

fn write_stderr(text: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A line of which some parts are styled, if colours are on.
#[derive(Debug)]
pub struct StyledLine {
    text: String,
    has_colors: bool,
}

impl StyledLine {
    #[must_use]
    pub fn new(has_colors: bool) -> Self {
        Self {
            text: String::new(),
            has_colors,
        }
    }

    /// Appends text without a style.
    #[must_use]
    pub fn plain(mut self, text: &str) -> Self {
        self.text += &sanitize::line(text);
        self
    }

    /// Appends text in a style: a parameter of ECMA-48's SGR.
    #[must_use]
    pub fn styled(self, style: u8, text: &str) -> Self {
        if !self.has_colors {
            return self.plain(text);
        }
        let mut styled = self;
        styled.text += &format!("\u{1b}[{style}m{}\u{1b}[0m", sanitize::line(text));
        styled
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}
