//! Connections that stand and wait to be used again: a bounded stack for each origin.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use super::connection::Connection;

/// Bound on the idle connections per origin. Many webhooks may share one, with as many attempts at once as a node
/// makes: with fewer, most of those would open a connection each time.
const PER_ORIGIN: usize = 1_024;

/// Bound on all idle connections, because each is an open file.
const IN_ALL: usize = 2_048;

/// Idle connections, by origin.
#[derive(Default)]
pub(super) struct Pool {
    waiting: DashMap<Arc<str>, VecDeque<IdleConnection>>,
    count: AtomicUsize,
}

struct IdleConnection {
    since: Instant,
    connection: parking_lot::Mutex<Connection>,
}

impl Pool {
    /// The connection to `origin` that was used last and still stands.
    pub(super) fn take(&self, origin: &str) -> Option<Connection> {
        let mut waiting = self.waiting.get_mut(origin)?;
        while let Some(kept) = waiting.pop_back() {
            self.count.fetch_sub(1, Ordering::Relaxed);
            let mut connection = kept.connection.into_inner();
            if connection.is_reusable() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection, unless there are enough.
    pub(super) fn put(&self, origin: &Arc<str>, connection: Connection) {
        if self.count.load(Ordering::Relaxed) >= IN_ALL {
            return;
        }
        let mut waiting = self.waiting.entry(Arc::clone(origin)).or_default();
        if waiting.len() < PER_ORIGIN {
            waiting.push_back(IdleConnection {
                since: Instant::now(),
                connection: connection.into(),
            });
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Drops what nobody has used for `idle_for`.
    pub(super) fn drop_idle(&self, now: Instant, idle_for: Duration) {
        self.waiting.retain(|_, waiting| {
            while waiting
                .front()
                .is_some_and(|kept| now.duration_since(kept.since) > idle_for)
            {
                waiting.pop_front();
                self.count.fetch_sub(1, Ordering::Relaxed);
            }
            !waiting.is_empty()
        });
    }
}
