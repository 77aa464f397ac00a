//! Reports of a store about its work, for metrics and logs.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use switchhook_domain::id::DeliveryId;
use tokio::task::JoinHandle;

/// Statistics of one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// Number of callers' operations in it; 0 for one whose operations were answered before it.
    pub operations: usize,
    /// From its first statement until it was durable.
    pub duration: Duration,
}

/// Wants to know of every commit. Called on the thread that commits: it must be quick.
pub trait CommitObserver: Send + Sync + 'static {
    /// A commit is durable; its callers are about to be answered.
    fn committed(&self, commit: Commit);

    /// A part of the store has panicked, without which it does not keep its promises. It does not work any more.
    fn failed(&self, part: &'static str, why: &str) {
        let _ = (part, why);
    }

    /// A delivery was set aside, because its row is damaged.
    fn set_aside(&self, set_aside: &SetAside) {
        let _ = set_aside;
    }
}

impl<F: Fn(Commit) + Send + Sync + 'static> CommitObserver for F {
    fn committed(&self, commit: Commit) {
        self(commit);
    }
}

/// A delivery that was set aside, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    pub delivery_id: DeliveryId,
    /// Reason, for a person.
    pub why: String,
}

/// Observer that is told when a part fails.
#[derive(Clone, Default)]
pub(crate) struct FailureObserver(pub(crate) Option<Arc<dyn CommitObserver>>);

impl FailureObserver {
    /// Runs a part on this thread.
    pub(crate) fn over(&self, part: &'static str, work: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            self.report(part, &*panic);
        }
    }

    /// Runs a part as a task.
    pub(crate) fn over_task(
        &self,
        part: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let watch = self.clone();
        let task = tokio::spawn(work);
        tokio::spawn(async move {
            if let Err(ended) = task.await
                && let Ok(panic) = ended.try_into_panic()
            {
                watch.report(part, &*panic);
            }
        })
    }

    fn report(&self, part: &'static str, panic: &(dyn Any + Send)) {
        let text = panic.downcast_ref::<&str>().copied();
        let why = text
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("it panicked");
        tracing::error!(part, why, "a part of the store has failed");
        if let Some(observer) = &self.0 {
            observer.failed(part, why);
        }
    }
}
