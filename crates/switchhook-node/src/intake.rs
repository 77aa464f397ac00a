//! Whether what comes in is kept. A store may answer whoever asks how it is, and still keep no event: another session holds a
//! lock on a table of its database, for example.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long events may wait while none is kept.
const PATIENCE: Duration = Duration::from_secs(5);

/// What waits to be kept, and since when nothing was.
#[derive(Debug)]
pub struct Intake {
    began: Instant,
    waiting: AtomicU32,
    /// When something was kept last, or the first of those came that wait: in milliseconds from `began`.
    moved_at: AtomicU64,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            waiting: AtomicU32::new(0),
            moved_at: AtomicU64::new(0),
        }
    }
}

impl Intake {
    /// Keeps something; meanwhile it waits.
    pub(crate) async fn keep<T, E>(&self, keeping: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let _waiting = Waiting::in_line(self);
        let kept = keeping.await;
        if kept.is_ok() {
            self.note();
        }
        kept
    }

    /// Why this node should get no events now, if it should not.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
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
struct Waiting<'a>(&'a Intake);

impl<'a> Waiting<'a> {
    fn in_line(intake: &'a Intake) -> Self {
        if intake.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            intake.note();
        }
        Self(intake)
    }
}

impl Drop for Waiting<'_> {
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
        let intake = Arc::new(Intake::default());
        advance(Duration::from_secs(3_600)).await;
        let held = Arc::clone(&intake);
        let held = tokio::spawn(async move { held.keep(pending::<Result<(), ()>>()).await });
        tokio::task::yield_now().await;
        advance(Duration::from_secs(4)).await;
        assert_eq!(intake.trouble(), None);
        advance(Duration::from_secs(2)).await;
        assert!(
            intake
                .trouble()
                .is_some_and(|why| why.contains("none was kept for 6 s"))
        );
        let _ = intake.keep(ready(Err::<(), ()>(()))).await;
        assert!(intake.trouble().is_some(), "what fails is not kept");
        let _ = intake.keep(ready(Ok::<(), ()>(()))).await;
        assert_eq!(intake.trouble(), None);
        advance(Duration::from_secs(6)).await;
        assert!(intake.trouble().is_some());
        held.abort();
        let _ = held.await;
        assert_eq!(intake.trouble(), None, "nobody waits any more");
    }
}
