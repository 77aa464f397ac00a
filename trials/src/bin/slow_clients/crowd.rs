//! So many slow clients at any time, and how their connections ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::stranger::{Ending, Manner, Target};

type Endings = BTreeMap<(Manner, Ending), u64>;

pub(crate) struct Crowd {
    size: usize,
    open: Arc<AtomicUsize>,
    endings: Arc<Mutex<Endings>>,
    /// They leave when this is dropped.
    _clients: JoinSet<()>,
}

impl Crowd {
    /// As many of each manner.
    pub(crate) fn gather(target: Target, size: usize) -> Self {
        let target = Arc::new(target);
        let (open, endings) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Endings>>::default());
        let mut clients = JoinSet::new();
        for manner in Manner::ALL.into_iter().cycle().take(size) {
            let (target, open, endings) = (Arc::clone(&target), Arc::clone(&open), Arc::clone(&endings));
            clients.spawn(async move {
                let opened = || {
                    open.fetch_add(1, Ordering::Relaxed);
                };
                let ended = |ending| {
                    if ending != Ending::Refused {
                        open.fetch_sub(1, Ordering::Relaxed);
                    }
                    *endings.lock().entry((manner, ending)).or_default() += 1;
                };
                target.hold_on(manner, opened, ended).await;
            });
        }
        Self {
            size,
            open,
            endings,
            _clients: clients,
        }
    }

    /// Number of connections that stand, as their clients see it.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Waits until nearly all do, or for a quarter of a minute where there is no room for all.
    pub(crate) async fn wait_until_there(&self) {
        for _ in 0..150 {
            if self.open() * 10 >= self.size * 9 {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends all; answers what came of them before.
    pub(crate) fn disperse(self) -> Endings {
        std::mem::take(&mut self.endings.lock())
    }
}
