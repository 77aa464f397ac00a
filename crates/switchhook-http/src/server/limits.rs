//! Limits for clients: time and bytes per connection, and the number of connections.

use std::time::Duration;

/// Most connections if nothing else is said; each may take some 20 KB, and 64 KB for a head.
pub const MOST_BY_DEFAULT: u64 = 10_000;

/// Files that the store, the log and the program itself have open.
const OTHER_FILES: u64 = 64;

/// Connections beyond the bound, for health checks.
pub const SPARE: usize = 16;

/// Limits for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Most connections; `None` for as many as the limit of open files allows, at most [`MOST_BY_DEFAULT`].
    pub max: Option<u32>,
    /// Time limit from opening a connection, or from the first byte of a head, to a complete head.
    pub head: Duration,
    /// Time limit between requests.
    pub idle: Duration,
    /// Time for which a body or the reader of an answer may stall, and be behind `rate` in all.
    pub patience: Duration,
    /// The same when there is no time: the server stops, or bodies take too much memory.
    pub hurry: Duration,
    /// Bytes per second that a body must bring, or the reader of an answer must take.
    pub rate: u32,
    /// Bound on the bytes of incomplete bodies.
    pub bodies: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max: None,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            patience: Duration::from_secs(30),
            hurry: Duration::from_secs(2),
            rate: 1_024,
            bodies: 256 * 1024 * 1024,
        }
    }
}

impl ConnectionLimits {
    /// Bound on connections for a process with so many open files, of which `others` are needed for other
    /// connections. Clients get half of them in any case.
    #[must_use]
    pub fn max_within(&self, open_files: u64, others: u64) -> usize {
        let spare = SPARE as u64 + OTHER_FILES;
        let possible = open_files.saturating_sub(spare).max(1);
        let remaining = possible.saturating_sub(others).max(possible / 2).max(1);
        let max = match self.max {
            Some(wanted) => u64::from(wanted.max(1)).min(possible),
            None => remaining.min(MOST_BY_DEFAULT),
        };
        usize::try_from(max).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(max: Option<u32>, open_files: u64, expected: usize) {
        let limits = ConnectionLimits {
            max,
            ..ConnectionLimits::default()
        };
        assert_eq!(limits.max_within(open_files, 2_048), expected);
    }

    #[test]
    fn connections_leave_files_for_everything_else() {
        check(None, 1_024, 472);
        check(None, 4_096, 2_008);
        check(None, 8_192, 6_064);
        check(None, 1_048_576, 10_000);
        check(Some(20_000), 1_048_576, 20_000);
        check(Some(20_000), 1_024, 944);
        check(Some(0), 1_024, 1);
        check(None, 10, 1);
    }
}
