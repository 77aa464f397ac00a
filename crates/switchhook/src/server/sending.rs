//! Runtime for sending, with threads of its own.

use anyhow::{Context, Result};
use switchhook_node::liveness::Liveness;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Number of threads that accept, and of those that send: half of the processors each.
#[must_use]
pub fn half_of_the_processors() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .div_ceil(2)
}

/// Runtime for sending, with threads of its own, so that accepting cannot starve it. It ends when this is dropped,
/// without waiting: the dropping thread may be one that must not block.
pub(super) struct SendingRuntime {
    pub(super) handle: Handle,
    _until_dropped: oneshot::Sender<()>,
}

impl SendingRuntime {
    pub(super) fn start(liveness: &Liveness) -> Result<Self> {
        // On a single thread tasks run in turns, so that attempts that ended together reach the engine together. With the
        // other scheduler each would be let in by itself, ahead of the rest.
        let mut builder = match half_of_the_processors() {
            1 => Builder::new_current_thread(),
            threads => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(threads).thread_name("sending");
                builder
            }
        };
        let no_threads = "no threads can be started";
        let runtime = builder.enable_all().build().context(no_threads)?;
        let handle = runtime.handle().clone();
        let (until_dropped, dropped) = oneshot::channel();
        let liveness = liveness.clone();
        // An error is what comes: the other end is never used but dropped.
        let run = move || {
            let _ = liveness.guard("thread that sends", || runtime.block_on(dropped));
            runtime.shutdown_background();
        };
        std::thread::Builder::new()
            .name("sending".to_owned())
            .spawn(run)
            .context(no_threads)?;
        Ok(Self {
            handle,
            _until_dropped: until_dropped,
        })
    }
}
