//! Where sending runs: threads of its own.

use anyhow::{Context, Result};
use switchhook_node::vitals::Vitals;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// How many threads accept, and how many send: half of the processors each.
#[must_use]
pub fn half_of_the_processors() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .div_ceil(2)
}

/// Where sending runs: threads of its own, so that accepting cannot starve it. It ends when this is dropped, and nobody waits
/// for that: whoever drops it may be where waiting for threads is not possible.
pub(super) struct Sending {
    pub(super) handle: Handle,
    _until_dropped: oneshot::Sender<()>,
}

impl Sending {
    pub(super) fn start(vitals: &Vitals) -> Result<Self> {
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
        let vitals = vitals.clone();
        // An error is what comes: the other end is never used but dropped.
        let run = move || {
            let _ = vitals.guard("thread that sends", || runtime.block_on(dropped));
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
