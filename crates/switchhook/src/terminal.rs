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

/// Whoever read our output has read enough. No failure.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub struct NobodyReads;

/// Writes a line for people to standard output.
///
/// # Errors
/// If it cannot be written; [`NobodyReads`] if nobody wants it.
pub fn print(line: impl Display) -> anyhow::Result<()> {
    write_out(&format!("{}\n", sanitize::line(&line.to_string())))
}

/// Writes text for people that is laid out in lines, and a line's end.
///
/// # Errors
/// As [`print()`].
pub fn print_text(text: impl Display) -> anyhow::Result<()> {
    write_out(&format!("{}\n", sanitize::lines(&text.to_string())))
}

/// Writes a line with colours.
///
/// # Errors
/// As [`print()`].
pub fn print_painted(line: &Painted) -> anyhow::Result<()> {
    write_out(&format!("{}\n", line.text))
}

/// Writes data for programs, such as JSON, and a line's end.
///
/// # Errors
/// As [`print()`].
pub fn print_data(data: impl Display) -> anyhow::Result<()> {
    let data = format!("{data}\n");
    if is_terminal() {
        write_out(&sanitize::json(&data))
    } else {
        write_out(&data)
    }
}

/// Writes what is the body of a request: a line's end behind it is for eyes only.
///
/// # Errors
/// As [`print()`].
pub fn print_body(body: &str) -> anyhow::Result<()> {
    if is_terminal() {
        print(body)
    } else {
        write_out(body)
    }
}

/// Writes a remark of one line to standard error.
pub fn remark(line: impl Display) {
    write_aside(&sanitize::line(&line.to_string()));
}

/// Writes a remark that is laid out in lines.
pub fn remark_text(text: impl Display) {
    write_aside(&sanitize::lines(&text.to_string()));
}

/// Says beside a bar what it is about.
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
pub fn errors_are_seen() -> bool {
    io::stderr().is_terminal()
}

/// Standard error for the log, which writes it in visible characters itself.
pub(crate) fn errors() -> io::Stderr {
    io::stderr()
}

/// Standard error for a program that we start. What it writes is its own.
#[must_use]
pub fn errors_of_others() -> Stdio {
    Stdio::from(io::stderr())
}

/// Has panics told in visible characters: their messages may repeat anything.
pub fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        remark_text(panic);
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            remark_text(trace);
        }
    }));
}

fn write_out(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(NobodyReads.into()),
        other => Ok(other?),
    }
}

fn write_aside(text: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A line of which some parts have colours, if there are any.
#[derive(Debug)]
pub struct Painted {
    text: String,
    has_colors: bool,
}

impl Painted {
    #[must_use]
    pub fn new(has_colors: bool) -> Self {
        Self {
            text: String::new(),
            has_colors,
        }
    }

    /// Goes on in no colour.
    #[must_use]
    pub fn then(mut self, text: &str) -> Self {
        self.text += &sanitize::line(text);
        self
    }

    /// Goes on in a colour or style: the number of ECMA-48's SGR.
    #[must_use]
    pub fn paint(self, style: u8, text: &str) -> Self {
        if !self.has_colors {
            return self.then(text);
        }
        let mut painted = self;
        painted.text += &format!("\u{1b}[{style}m{}\u{1b}[0m", sanitize::line(text));
        painted
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}
