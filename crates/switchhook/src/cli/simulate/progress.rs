//! Progress on a terminal: number of events, rate, and the company's time.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use switchhook_domain::Timestamp;
use tokio::time::Instant;

use super::results::Results;
use crate::terminal;

/// A line on standard error; hidden if that is not a terminal.
pub(super) struct Progress {
    bar: ProgressBar,
    begun: Instant,
}

impl Progress {
    pub(super) fn begin() -> Self {
        let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}");
        let bar =
            ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(120));
        Self {
            bar,
            begun: Instant::now(),
        }
    }

    pub(super) fn show(&self, results: &Results, company_time: Timestamp) {
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        let time = company_time.to_string();
        let clock = time.get(11..19).unwrap_or(&time);
        terminal::set_message(
            &self.bar,
            format_args!(
                "{}, {:.0} a second, {clock} at the company",
                results.in_words(),
                results.sent() as f64 / seconds
            ),
        );
    }

    /// Shows the reason for waiting at the end.
    pub(super) fn wait_for(&self, what: &str) {
        terminal::set_message(&self.bar, what);
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
