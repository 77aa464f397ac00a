//! The log on standard error: one line of visible characters for each entry, as text or as JSON.
//!
//! No secret and no message text is ever logged.

use std::fmt::Debug;
use std::io::{self, Write};

use switchhook_node::sanitize;
use tracing::Subscriber;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;

use crate::terminal;

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    Text,
    /// One JSON object per line.
    Json,
}

/// Begins logging to standard error; `filter` is a level (`info`) or a list of `module=level`.
pub(crate) fn init(format: LogFormat, filter: &str) {
    let filter = filter
        .parse()
        .unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    // An error means that somebody logs already, as in tests.
    let _ = tracing::subscriber::set_global_default(logs(
        format,
        filter,
        terminal::stderr_is_terminal(),
        terminal::stderr,
    ));
}

/// Layer that writes log lines in visible characters.
fn logs<W: Write + 'static>(
    format: LogFormat,
    filter: Targets,
    has_colors: bool,
    out: impl Fn() -> W + Send + Sync + 'static,
) -> Box<dyn Subscriber + Send + Sync> {
    let logs = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(has_colors)
        .with_target(false);
    match format {
        LogFormat::Text => Box::new(
            logs.with_writer(out)
                .fmt_fields(debug_fn(write_field).delimited(" "))
                .finish()
                .with(filter),
        ),
        LogFormat::Json => Box::new(
            logs.with_writer(move || VisibleJson(out()))
                .json()
                .finish()
                .with(filter),
        ),
    }
}

/// A field of a line for people, on that line and without what could play tricks on a terminal.
fn write_field(out: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    let value = format!("{value:?}");
    let value = sanitize::line(&value);
    match field.name() {
        "message" => write!(out, "{value}"),
        name if out.has_ansi_escapes() => write!(out, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{value}"),
        name => write!(out, "{name}={value}"),
    }
}

/// Writes JSON in visible characters.
struct VisibleJson<W>(W);

impl<W: Write> Write for VisibleJson<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(sanitize::json(text).as_bytes())?,
            Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    const HOSTILE: &str = "Ann\u{1b}[2J\u{9b}31m\u{202e}\nERROR forged\u{7f}";

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, has_colors: bool) -> String {
        let kept = Kept::default();
        let out = kept.clone();
        let logs = logs(
            format,
            Targets::new().with_default(LevelFilter::TRACE),
            has_colors,
            move || out.clone(),
        );
        tracing::subscriber::with_default(logs, || {
            let error = io::Error::other(HOSTILE);
            let span = tracing::info_span!("span", name = HOSTILE);
            let _in = span.enter();
            tracing::error!(%error, text = HOSTILE, debug = ?HOSTILE, source = &error as &dyn std::error::Error, "{HOSTILE}");
        });
        let bytes = kept.0.lock().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_log_line_is_one_line_of_visible_characters() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(format, false);
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            let text = text.trim_end();
            assert!(!text.contains(sanitize::is_deceptive), "{text:?}");
        }
        let text = logged(LogFormat::Text, false);
        assert!(
            text.contains("error=Ann\\u{1b}[2J\\u{9b}31m\\u{202e}\\nERROR forged"),
            "{text}"
        );
        let colored = logged(LogFormat::Text, true);
        assert!(
            colored.contains('\u{1b}') && !colored.contains("\u{1b}[2J") && !colored.contains('\u{202e}'),
            "{colored:?}"
        );
    }

    #[test]
    fn a_log_line_in_json_means_what_was_logged() {
        let line: serde_json::Value = serde_json::from_str(&logged(LogFormat::Json, false)).unwrap();
        assert_eq!(line["fields"]["message"], HOSTILE);
        assert_eq!(line["fields"]["error"], HOSTILE);
    }
}
