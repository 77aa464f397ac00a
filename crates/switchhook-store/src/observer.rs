//! What a store tells of its work to whoever counts it.

use std::time::Duration;

use switchhook_domain::id::DeliveryId;

/// What one commit was like, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// How many callers' operations it held.
    pub operations: usize,
    /// From its first statement until it was durable.
    pub duration: Duration,
}

/// Wants to know of every commit. Called on the thread that commits: it must be quick.
pub trait CommitObserver: Send + Sync + 'static {
    /// A commit is durable; its callers are about to be answered.
    fn committed(&self, commit: Commit);

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
    /// Which delivery.
    pub delivery_id: DeliveryId,
    /// What is wrong with it, for a person.
    pub why: String,
}
