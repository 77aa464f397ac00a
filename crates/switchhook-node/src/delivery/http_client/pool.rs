//! Connections that stand and wait to be used again: a bounded stack for each origin.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use super::exchange::Connection;

/// How many connections to one origin may wait. Many webhooks may lead to one, with as many attempts at once as a node makes:
/// with fewer, most of those would make a connection of their own and close it.
const PER_ORIGIN: usize = 1_024;

/// How many connections may wait in all: each is an open file.
const IN_ALL: usize = 2_048;

/// Connections by origin.
#[derive(Default)]
pub(super) struct Pool {
    waiting: DashMap<Arc<str>, VecDeque<Kept>>,
    count: AtomicUsize,
}

struct Kept {
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
            waiting.push_back(Kept {
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
