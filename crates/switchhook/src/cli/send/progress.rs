//! Progress of a long input on a terminal.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::terminal;

/// Least number of bytes for a progress bar.
const LONG: u64 = 1 << 20;

/// Least number of events for a progress bar, if the length is not known.
const MANY: u64 = 2_000;

/// A progress bar, or a count if the length is not known; hidden if standard error is not a terminal or the input is short.
pub(super) struct Progress {
    bar: ProgressBar,
    read: Arc<AtomicU64>,
    is_long: bool,
}

impl Progress {
    pub(super) fn new(length: Option<u64>) -> Self {
        let (bar, template) = match length {
            Some(length) => (
                ProgressBar::new(length),
                "{bar:30} {bytes}/{total_bytes}  {msg}  {binary_bytes_per_sec}, {eta} to go",
            ),
            None => (
                ProgressBar::no_length(),
                "{spinner} {bytes}  {msg}  {binary_bytes_per_sec}",
            ),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self {
            bar: bar.with_style(style),
            read: Arc::default(),
            is_long: length.is_some_and(|length| length >= LONG),
        }
    }

    /// A reader that counts its bytes.
    pub(super) fn counting<R: Read>(&self, source: R) -> impl Read + use<R> {
        CountingReader {
            source,
            read: Arc::clone(&self.read),
        }
    }

    /// Shows the number of answered events.
    pub(super) fn show(&self, events: u64) {
        if self.is_long || events >= MANY {
            self.bar.set_position(self.read.load(Ordering::Relaxed));
            terminal::set_message(&self.bar, format_args!("{events} events"));
        }
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

struct CountingReader<R> {
    source: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
