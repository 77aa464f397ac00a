//! Window of a trial, which senders and receivers share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Runs from the trial's begin. What was due before the window or after it is not counted.
pub(super) struct Watch {
    begin: Instant,
    from_us: AtomicU64,
    until_us: AtomicU64,
}

impl Watch {
    pub(super) fn start() -> Self {
        Self {
            begin: Instant::now(),
            from_us: AtomicU64::new(u64::MAX),
            until_us: AtomicU64::new(u64::MAX),
        }
    }

    /// The time since the trial began.
    pub(super) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Waits for a time; late by a millisecond or two, as timers are.
    pub(super) async fn wait_until(&self, time: Duration) {
        tokio::time::sleep_until(self.begin + time).await;
    }

    /// Counts what is due from one time until another.
    pub(super) fn set_window(&self, from: Duration, until: Duration) {
        self.from_us.store(micros(from), Ordering::Relaxed);
        self.until_us.store(micros(until), Ordering::Relaxed);
    }

    /// True if events due then are measured.
    pub(super) fn counts(&self, due: Duration) -> bool {
        let window = self.from_us.load(Ordering::Relaxed)..self.until_us.load(Ordering::Relaxed);
        window.contains(&micros(due))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
