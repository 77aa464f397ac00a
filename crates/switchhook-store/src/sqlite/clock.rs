//! The time on the store's own threads, which tokio's does not reach.

use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "bounds and measures waits on threads without tokio's time"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}
