//! Sweep that closes connections of slow clients, and its clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::debug;

use super::Connections;
use crate::server::connection::{Directive, Overdue};
use crate::server::limits::ConnectionLimits;

impl Connections {
    /// The time, as exactly as the sweep goes round.
    pub(in crate::server) fn coarse_now(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Interval of the sweep.
    pub(in crate::server) fn sweep_every(&self) -> Duration {
        let ConnectionLimits {
            head, idle, hurry, ..
        } = self.limits;
        let shortest = head.min(idle).min(hurry);
        (shortest / 8).clamp(Duration::from_millis(10), Duration::from_millis(500))
    }

    /// Moves the clock on, and closes what is overdue.
    pub(in crate::server) fn sweep(&self) {
        let now = self.now();
        self.clock.store(now, Ordering::Relaxed);
        let patience = self.patience();
        let overdue: Vec<_> = {
            let open = self.open.lock();
            let all = open.connections.values();
            all.filter_map(|connection| {
                let why = connection.overdue(now, &self.limits, patience)?;
                Some((Arc::clone(connection), why))
            })
            .collect()
        };
        for (connection, why) in &overdue {
            let is_news = match why {
                Overdue::Body => {
                    connection.fail_bodies(now, patience);
                    true
                }
                // Others of its requests may go on, and the client that does not read an answer keeps it from ending.
                Overdue::Answer if connection.has_many() => self.end(connection, Directive::Cut),
                Overdue::Head | Overdue::Idle | Overdue::Answer => self.close(connection),
            };
            if is_news {
                self.counts.overdue[*why as usize].increment(1);
            }
        }
        if !overdue.is_empty() {
            debug!(connections = overdue.len(), "clients took too long");
        }
        self.say();
    }

    /// Time for which a client may be behind, in milliseconds.
    fn patience(&self) -> u64 {
        let is_tight = self.held.load(Ordering::Relaxed) > self.limits.bodies / 2;
        let patience = if is_tight || self.is_stopping.load(Ordering::Relaxed) {
            self.limits.hurry
        } else {
            self.limits.patience
        };
        u64::try_from(patience.as_millis()).unwrap_or(u64::MAX)
    }
}
