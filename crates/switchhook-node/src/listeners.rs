//! Listeners: the connections to websockets that this node has, and what wakes and ends them.

use std::sync::Arc;

use dashmap::DashMap;
use switchhook_domain::id::CompanyId;
use tokio::sync::{Semaphore, watch};

/// Most connections of a node.
pub const MOST_CONNECTIONS: usize = 1_000;

/// Wakes those on this node who wait for events.
#[derive(Debug)]
pub struct Listeners {
    /// Wakes a company's connections. There is none for a company that nobody ever listened to.
    wakers: DashMap<CompanyId, watch::Sender<()>>,
    pub(crate) stopping: watch::Sender<bool>,
    /// The places of the connections that there are.
    pub(crate) places: Arc<Semaphore>,
}

impl Default for Listeners {
    fn default() -> Self {
        Self {
            wakers: DashMap::new(),
            stopping: watch::Sender::new(false),
            places: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
        }
    }
}

impl Listeners {
    /// Something new is in the company's log.
    pub fn wake(&self, company_id: CompanyId) {
        if let Some(waker) = self.wakers.get(&company_id) {
            waker.send_replace(());
        }
    }

    /// Something may be new in any log.
    pub fn wake_all(&self) {
        for waker in &self.wakers {
            waker.send_replace(());
        }
    }

    /// Lets every connection end.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Rings whenever something new may be in the company's log.
    pub(crate) fn waker(&self, company_id: CompanyId) -> watch::Receiver<()> {
        let waker = self.wakers.entry(company_id).or_default();
        waker.subscribe()
    }
}
