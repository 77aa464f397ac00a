//! Progress of ingest, for readiness. A store may answer queries and still accept no events, for example while
//! another session holds a lock on a table.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Longest wait of events without progress before the node is not ready.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Number of events that wait to be stored, and the time of the last progress.
#[derive(Debug)]
pub struct IngestProgress {
    began: Instant,
    waiting: AtomicU32,
    /// Time of the last progress, or of the first wait after it: in milliseconds from `began`.
    moved_at: AtomicU64,
}

impl Default for IngestProgress {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            waiting: AtomicU32::new(0),
            moved_at: AtomicU64::new(0),
        }
    }
}

impl IngestProgress {
    /// Keeps something; meanwhile it waits.
    pub(crate) async fn keep<T, E>(&self, keeping: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let _waiting = WaitingWrite::in_line(self);
        let kept = keeping.await;
        if kept.is_ok() {
            self.note();
        }
        kept
    }

    /// Reason for which this node should get no events now.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let moved_at = Duration::from_millis(self.moved_at.load(Ordering::Relaxed));
        let since = self.began.elapsed().saturating_sub(moved_at);
        let is_stuck = self.waiting.load(Ordering::Relaxed) > 0 && since > PATIENCE;
        is_stuck.then(|| {
            format!(
                "events wait and none was kept for {} s: the store may be overloaded, or somebody else holds a lock on it",
                since.as_secs()
            )
        })
    }

    fn note(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved_at.fetch_max(now, Ordering::Relaxed);
    }
}

/// Somebody who waits, also if nobody waits for him any more.
struct WaitingWrite<'a>(&'a IngestProgress);

impl<'a> WaitingWrite<'a> {
    fn in_line(progress: &'a IngestProgress) -> Self {
        if progress.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            progress.note();
        }
        Self(progress)
    }
}

impl Drop for WaitingWrite<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::Arc;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn events_that_wait_while_none_is_kept_are_trouble() {
        let progress = Arc::new(IngestProgress::default());
        advance(Duration::from_secs(3_600)).await;
        let held = Arc::clone(&progress);
        let held = tokio::spawn(async move { held.keep(pending::<Result<(), ()>>()).await });
        tokio::task::yield_now().await;
        advance(Duration::from_secs(4)).await;
        assert_eq!(progress.problem(), None);
        advance(Duration::from_secs(2)).await;
        assert!(
            progress
                .problem()
                .is_some_and(|why| why.contains("none was kept for 6 s"))
        );
        let _ = progress.keep(ready(Err::<(), ()>(()))).await;
        assert!(progress.problem().is_some(), "what fails is not kept");
        let _ = progress.keep(ready(Ok::<(), ()>(()))).await;
        assert_eq!(progress.problem(), None);
        advance(Duration::from_secs(6)).await;
        assert!(progress.problem().is_some());
        held.abort();
        let _ = held.await;
        assert_eq!(progress.problem(), None, "nobody waits any more");
    }
}
