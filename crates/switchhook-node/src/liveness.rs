//! The parts of the server on which its promises depend, and whether one has failed.
//!
//! One rule for all: if one of them panics, or ends although it should not, the server is not ready any more, says so in the
//! log, and ends with exit code 1. Nothing is restarted inside: what a panic left behind nobody knows, while what was
//! acknowledged is in the store, from where the next process takes it up.
//!
//! What only one request, one read or one attempt depends on is no such part: a panic there is the end of just that.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::error;

/// Knows whether a part has failed. All copies know the same.
#[derive(Debug, Clone)]
pub struct Liveness {
    failure: Arc<watch::Sender<Option<String>>>,
    is_stopping: Arc<AtomicBool>,
}

impl Default for Liveness {
    fn default() -> Self {
        Self {
            failure: Arc::new(watch::Sender::new(None)),
            is_stopping: Arc::default(),
        }
    }
}

impl Liveness {
    /// Runs a part on `runtime`; a panic is its failure.
    pub fn spawn<T: Send + 'static>(
        &self,
        part: &'static str,
        runtime: &Handle,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let liveness = self.clone();
        runtime.spawn(async move {
            match AssertUnwindSafe(work).catch_unwind().await {
                Ok(done) => done,
                Err(panic) => {
                    liveness.fail(part, words_of(&*panic));
                    resume_unwind(panic)
                }
            }
        })
    }

    /// Runs a part on a thread of its own, which is the caller's; a panic is its failure.
    pub fn guard<T>(&self, part: &'static str, work: impl FnOnce() -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(work));
        done.inspect_err(|panic| self.fail(part, words_of(&**panic))).ok()
    }

    /// A part has failed. What failed first stays known: the rest may follow from it.
    pub fn fail(&self, part: &str, why: &str) {
        error!(part, why, "a part of the server has failed: the server ends");
        self.failure.send_if_modified(|failure| {
            let is_first = failure.is_none();
            if is_first {
                *failure = Some(format!("the {part} has failed: {why}"));
            }
            is_first
        });
    }

    /// The server was asked to stop: nobody new should be sent here.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// First failure of a part.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    /// Waits until something has failed, and answers what.
    pub async fn failed(&self) -> String {
        let mut failure = self.failure.subscribe();
        let failed = failure.wait_for(Option::is_some).await;
        failed
            .expect("this is one of those who tell")
            .clone()
            .expect("it was waited for")
    }
}

/// Message of a panic.
fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it panicked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_failure_is_known_to_all_with_the_name_of_the_part() {
        let liveness = Liveness::default();
        let here = Handle::current();
        liveness.spawn("well", &here, async {}).await.unwrap();
        assert_eq!(liveness.failure(), None);
        let ended = liveness.spawn("runner", &here, async { panic!("no {}", "legs") });
        assert!(ended.await.is_err(), "whoever waits for it learns it too");
        liveness.fail("other", "too late");
        assert_eq!(liveness.clone().failed().await, "the runner has failed: no legs");
    }

    #[test]
    fn a_thread_that_panics_is_a_failure_and_one_that_ends_is_none() {
        let liveness = Liveness::default();
        assert_eq!(liveness.guard("well", || 7), Some(7));
        assert_eq!(liveness.failure(), None);
        assert_eq!(
            liveness.guard("thread that sends", || panic!("no poll")),
            None::<()>
        );
        assert_eq!(
            liveness.failure().as_deref(),
            Some("the thread that sends has failed: no poll")
        );
    }
}
