//! All connections of a server: how many there may be, and that each is told once how to end.
//!
//! Which make room for new ones is `connections/capacity.rs`, which are closed because their clients took their time is
//! `connections/sweep.rs`, and how all of them end is `connections/ending.rs`.

pub mod capacity;
pub mod counts;
mod ending;
mod sweep;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use self::capacity::Capacity;
pub use self::counts::ConnectionCounts;
use self::counts::UnloggedCounts;
use super::connection::{Connection, Directive};
use super::limits::{ConnectionLimits, SPARE};

/// Next look at the connections while none is behind.
const SOON: Duration = Duration::from_millis(20);

/// All connections of a server.
pub(super) struct Connections {
    pub(super) limits: ConnectionLimits,
    max: usize,
    counts: ConnectionCounts,
    began: Instant,
    /// Milliseconds since then, moved on by the sweep.
    clock: AtomicU64,
    /// Bytes of bodies that are not complete.
    pub(super) held: AtomicUsize,
    open: Mutex<OpenConnections>,
    /// True if connections close with their next answer.
    is_draining: AtomicBool,
    is_stopping: AtomicBool,
    one_closed: Notify,
    unsaid: Mutex<UnloggedCounts>,
}

#[derive(Default)]
struct OpenConnections {
    next: u64,
    connections: HashMap<u64, Arc<Connection>>,
    /// Number of connections beyond the bound.
    spare: usize,
    /// Number of connections that were told to close and have not yet.
    closing: usize,
}

/// A connection among the others, until this is dropped.
pub(super) struct ConnectionGuard {
    pub(super) connection: Arc<Connection>,
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.connection.all.remove(self.connection.number);
    }
}

impl Connections {
    pub(super) fn new(limits: ConnectionLimits, max: usize, counts: ConnectionCounts) -> Arc<Self> {
        Arc::new(Self {
            limits,
            max,
            counts,
            began: Instant::now(),
            clock: AtomicU64::new(0),
            held: AtomicUsize::new(0),
            open: Mutex::default(),
            is_draining: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            one_closed: Notify::new(),
            unsaid: Mutex::default(),
        })
    }

    /// A place for a new connection: an ordinary one, one of the few that may only ask whether the server is well, or none.
    pub(super) async fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<ConnectionGuard> {
        let is_spare = loop {
            if self.active() < self.max {
                break false;
            }
            match self.make_room() {
                Capacity::Made => break false,
                Capacity::Soon => sleep(SOON).await,
                Capacity::None => break true,
            }
        };
        let now = self.now();
        let mut open = self.open.lock();
        if is_spare {
            if open.spare >= SPARE {
                drop(open);
                self.counts.refused.increment(1);
                self.unsaid.lock().refused += 1;
                return None;
            }
            open.spare += 1;
        }
        let number = open.next;
        open.next += 1;
        let all = Arc::clone(self);
        let connection = Arc::new(Connection::new(all, number, share_of(peer), is_spare, now));
        open.connections.insert(number, Arc::clone(&connection));
        drop(open);
        self.counts.accepted.increment(1);
        self.counts.open.increment(1.0);
        Some(ConnectionGuard { connection })
    }

    /// True if so many are closing that accepting should pause.
    pub(super) fn is_crowded(&self) -> bool {
        self.open.lock().connections.len() > self.max + self.max / 8 + SPARE
    }

    /// Number of connections that stay open as far as known, without the spare ones.
    fn active(&self) -> usize {
        let open = self.open.lock();
        let ordinary = open.connections.len() - open.spare;
        ordinary.saturating_sub(open.closing)
    }

    pub(super) fn remaining(&self) -> usize {
        self.open.lock().connections.len()
    }

    fn remove(&self, number: u64) {
        let mut open = self.open.lock();
        let Some(connection) = open.connections.remove(&number) else {
            return;
        };
        open.spare -= usize::from(connection.is_spare);
        open.closing -= usize::from(connection.order() >= Directive::Close);
        drop(open);
        self.counts.open.decrement(1.0);
        if self.is_stopping.load(Ordering::Relaxed) {
            self.one_closed.notify_one();
        }
    }

    /// Tells a connection to close; false if it was told before, or has closed.
    fn close(&self, connection: &Connection) -> bool {
        self.end(connection, Directive::Close)
    }

    /// Tells a connection to end in this way.
    fn end(&self, connection: &Connection, order: Directive) -> bool {
        let mut open = self.open.lock();
        let before = connection.order();
        let is_news = open.connections.contains_key(&connection.number) && connection.tell(order);
        open.closing += usize::from(is_news && before < Directive::Close);
        is_news
    }

    /// Lets a connection go on that was to close: its client came on just in time.
    pub(super) fn spare(&self, connection: &Connection) {
        let mut open = self.open.lock();
        if connection.order() != Directive::Close {
            return;
        }
        open.closing -= 1;
        connection.repeat_directive(if self.is_stopping.load(Ordering::Relaxed) {
            Directive::Finish
        } else {
            Directive::GoOn
        });
    }
}

/// Key by which connections are shared out: an address, or of IPv6 the network of one customer.
fn share_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            Ipv6Addr::from(network).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests;
