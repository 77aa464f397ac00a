//! The task that runs a node's replays, and the counting of what one would do. Who makes and cancels them is `replays`.
//!
//! Everything that matters is in the store; the task in `replay/runner.rs` has nothing to lose. What a replay selects and makes is the domain's.

pub mod runner;
mod tally;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::IdSequence;
use switchhook_domain::webhook::DeliveryDefaults;
use switchhook_store::Store;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub(crate) use self::tally::tally;

use self::runner::Runner;
use crate::liveness::Liveness;
use crate::registry::Registry;

/// Parts of the node that replays use.
pub struct ReplayParts {
    pub store: Arc<dyn Store>,
    pub registry: Arc<Registry>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdSequence>,
    /// Settings for webhooks that do not set their own.
    pub defaults: DeliveryDefaults,
}

/// The handle of the task that runs this node's replays. It ends when the handle is dropped.
pub struct Replays {
    wake: Arc<Notify>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Replays {
    /// Starts running replays on `runtime`: those that ran before, first of all.
    #[must_use]
    pub fn start(parts: ReplayParts, liveness: &Liveness, runtime: &Handle) -> Self {
        let wake = Arc::new(Notify::new());
        let (stop, stopped) = watch::channel(false);
        let runner = Runner {
            parts,
            wake: Arc::clone(&wake),
            stopped,
            waiting: HashMap::new(),
        };
        let task = liveness.spawn("replay runner", runtime, runner.run());
        Self {
            wake,
            stop,
            task: Mutex::new(Some(task)),
        }
    }

    /// Tells the task that there is a new replay.
    pub fn nudge(&self) {
        self.wake.notify_one();
    }

    /// Ends the task after the step that it is at. Replays go on at the next start.
    pub async fn stop(&self) {
        let _ = self.stop.send(true);
        let task = self.task.lock().take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("the task that runs replays had panicked");
        }
    }
}
