//! The time on the store's own threads, which tokio's does not reach.

use std::time::{Duration, Instant};

/// How many times as long everything takes that goes by the clock. A server that is built to have its instructions counted
/// runs some fifty times as slowly, and would else have fifty times as many commits and checkpoints for an event.
const SLOWNESS: u64 = if option_env!("SWITCHHOOK_IS_COUNTED").is_some() {
    50
} else {
    1
};

/// So many milliseconds, in the time of this program.
pub(super) const fn millis(count: u64) -> Duration {
    Duration::from_millis(count * SLOWNESS)
}

#[expect(
    clippy::disallowed_methods,
    reason = "bounds and measures waits on threads without tokio's time"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}
