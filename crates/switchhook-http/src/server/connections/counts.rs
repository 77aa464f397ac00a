//! Reports about connections: metrics, and now and then a line in the log if there were too many.

use std::io;
use std::time::Duration;

use metrics::{Counter, Gauge};
use tokio::time::Instant;
use tracing::warn;

use super::Connections;
use crate::server::connection::Overdue;

/// Interval of log lines about too many connections.
pub const SAY_EVERY: Duration = Duration::from_secs(10);

/// Metrics of connections; without effect on a server without metrics.
#[derive(Clone)]
pub struct ConnectionCounts {
    pub open: Gauge,
    pub accepted: Counter,
    pub overdue: [Counter; Overdue::ALL.len()],
    pub made_room: Counter,
    pub refused: Counter,
    pub without_file: Counter,
}

impl ConnectionCounts {
    /// Counts nothing.
    pub fn none() -> Self {
        Self {
            open: Gauge::noop(),
            accepted: Counter::noop(),
            overdue: Overdue::ALL.map(|_| Counter::noop()),
            made_room: Counter::noop(),
            refused: Counter::noop(),
            without_file: Counter::noop(),
        }
    }
}

/// Counts since the last log line.
#[derive(Debug, Default)]
pub(super) struct UnloggedCounts {
    pub(super) made_room: u64,
    pub(super) refused: u64,
    without_file: u64,
    error: Option<String>,
    said_at: Option<Instant>,
}

impl Connections {
    /// A connection could not be accepted because something is used up, most likely files.
    pub(in crate::server) fn had_no_file(&self, error: &io::Error) {
        self.counts.without_file.increment(1);
        {
            let mut unsaid = self.unsaid.lock();
            unsaid.without_file += 1;
            unsaid.error = Some(error.to_string());
        }
        self.make_room();
    }

    pub(super) fn say(&self) {
        let mut unsaid = self.unsaid.lock();
        let is_quiet = unsaid.made_room == 0 && unsaid.refused == 0 && unsaid.without_file == 0;
        if is_quiet || unsaid.said_at.is_some_and(|at| at.elapsed() < SAY_EVERY) {
            return;
        }
        let UnloggedCounts {
            made_room,
            refused,
            without_file,
            error,
            said_at: _,
        } = std::mem::take(&mut *unsaid);
        unsaid.said_at = Some(Instant::now());
        drop(unsaid);
        let max = self.max;
        if let Some(error) = error {
            warn!(
                error,
                times = without_file,
                made_room,
                "connections cannot be accepted: raise the limit of open files, or lower --max-connections"
            );
        } else {
            warn!(
                max,
                made_room,
                refused,
                "as many connections are open as there may be; those that had no request made room"
            );
        }
    }
}
