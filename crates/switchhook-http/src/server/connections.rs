//! All connections of a server: how many there may be, which are closed because their clients took their time, and which
//! make room for new ones.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use metrics::{Counter, Gauge};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use super::connection::{Connection, Order, Overdue, Phase};
use super::limits::{ConnectionLimits, SPARE};

/// Of how many connections one is closed, with the others that it stands for, when there is room for no more.
const ROOM_OF: usize = 64;

/// A client that has been waited for so long may have to make room. Whoever comes to do something has done it by then.
const YOUNG_MS: u64 = 250;

/// How long is waited until somebody may have to, if nobody does yet.
const SOON: Duration = Duration::from_millis(20);

/// How long those that have just come may take to ask before the server stops.
const MOMENT: Duration = Duration::from_millis(250);

/// How often it is said that there are too many connections.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// What is counted of connections; of a server without metrics, nothing.
#[derive(Clone)]
pub struct ConnectionCounts {
    pub open: Gauge,
    pub accepted: Counter,
    pub overdue: [Counter; Overdue::ALL.len()],
    pub made_room: Counter,
    pub refused: Counter,
    pub without_file: Counter,
}

impl ConnectionCounts {
    /// Counts nothing.
    pub fn none() -> Self {
        Self {
            open: Gauge::noop(),
            accepted: Counter::noop(),
            overdue: Overdue::ALL.map(|_| Counter::noop()),
            made_room: Counter::noop(),
            refused: Counter::noop(),
            without_file: Counter::noop(),
        }
    }
}

/// What has not been said yet.
#[derive(Debug, Default)]
struct Unsaid {
    made_room: u64,
    refused: u64,
    without_file: u64,
    error: Option<String>,
    said_at: Option<Instant>,
}

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
    open: Mutex<Open>,
    /// Whether connections close with their next answer.
    is_draining: AtomicBool,
    is_stopping: AtomicBool,
    one_closed: Notify,
    unsaid: Mutex<Unsaid>,
}

/// Whether there is room for a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Others were told to close.
    Made,
    /// Others will have waited long enough in a moment.
    Soon,
    /// All are busy.
    None,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Arc<Connection>>,
    /// How many of them are beyond the bound.
    spare: usize,
    /// How many of them were told to close and have not yet.
    closing: usize,
}

/// A connection among the others, until this is dropped.
pub(super) struct Entry {
    pub(super) connection: Arc<Connection>,
}

impl Drop for Entry {
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

    /// The time, as exactly as the sweep goes round.
    pub(super) fn coarse_now(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How often the sweep goes round.
    pub(super) fn sweep_every(&self) -> Duration {
        let ConnectionLimits {
            head, idle, hurry, ..
        } = self.limits;
        let shortest = head.min(idle).min(hurry);
        (shortest / 8).clamp(Duration::from_millis(10), Duration::from_millis(500))
    }

    /// A place for a new connection: an ordinary one, one of the few that may only ask whether the server is well, or none.
    pub(super) async fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Entry> {
        let is_spare = loop {
            if self.active() < self.max {
                break false;
            }
            match self.make_room() {
                Room::Made => break false,
                Room::Soon => sleep(SOON).await,
                Room::None => break true,
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
        Some(Entry { connection })
    }

    /// Whether so many that were told to close have not yet that no more should come for a moment.
    pub(super) fn is_crowded(&self) -> bool {
        self.open.lock().connections.len() > self.max + self.max / 8 + SPARE
    }

    /// How many stay open as far as it is known, the spare ones left out.
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
        open.closing -= usize::from(connection.order() >= Order::Close);
        drop(open);
        self.counts.open.decrement(1.0);
        if self.is_stopping.load(Ordering::Relaxed) {
            self.one_closed.notify_one();
        }
    }

    /// Tells a connection to close; false if it was told before, or has closed.
    fn close(&self, connection: &Connection) -> bool {
        self.end(connection, Order::Close)
    }

    /// Tells a connection to end in this way.
    fn end(&self, connection: &Connection, order: Order) -> bool {
        let mut open = self.open.lock();
        let before = connection.order();
        let is_news = open.connections.contains_key(&connection.number) && connection.tell(order);
        open.closing += usize::from(is_news && before < Order::Close);
        is_news
    }

    /// Lets a connection go on that was to close: its client came on just in time.
    pub(super) fn spare(&self, connection: &Connection) {
        let mut open = self.open.lock();
        if connection.order() != Order::Close {
            return;
        }
        open.closing -= 1;
        connection.tell_again(if self.is_stopping.load(Ordering::Relaxed) {
            Order::Finish
        } else {
            Order::GoOn
        });
    }

    /// Closes what has been waiting longest for its client.
    pub(super) fn make_room(&self) -> Room {
        let wanted = (self.max / ROOM_OF).max(1);
        let waiting = self.longest_waiting(wanted);
        let some_wait = !waiting.is_empty();
        let old_enough = waiting.into_iter().filter(|(waited, _)| *waited >= YOUNG_MS);
        let closed = old_enough
            .filter(|(_, connection)| self.close(connection))
            .count() as u64;
        self.counts.made_room.increment(closed);
        self.unsaid.lock().made_room += closed;
        match (closed, some_wait) {
            (0, false) => Room::None,
            (0, true) => Room::Soon,
            _ => Room::Made,
        }
    }

    /// Connections that nothing is lost with, and for how long each has been waiting. First those that never brought a
    /// request, then those that wait for another one, then requests whose client is not coming on with it; what has just
    /// begun to wait is last. Among equals, those go first whose address has most of them, and then the oldest.
    fn longest_waiting(&self, wanted: usize) -> Vec<(u64, Arc<Connection>)> {
        let now = self.now();
        let open = self.open.lock();
        let all = open.connections.values();
        let mut found: Vec<_> = all
            .filter_map(|connection| {
                let (class, waited) = waiting(connection, now)?;
                let class = if waited < YOUNG_MS { LAST_CLASS } else { class };
                Some(((class, waited), connection))
            })
            .collect();
        let mut shares: HashMap<(u8, IpAddr), u32> = HashMap::new();
        for ((class, _), connection) in &found {
            *shares.entry((*class, connection.peer)).or_default() += 1;
        }
        let key = |((class, waited), connection): &((u8, u64), &Arc<Connection>)| {
            let share = shares.get(&(*class, connection.peer)).copied();
            (*class, Reverse(share), Reverse(*waited))
        };
        found.sort_unstable_by_key(key);
        found
            .into_iter()
            .take(wanted)
            .map(|((_, waited), connection)| (waited, Arc::clone(connection)))
            .collect()
    }

    /// A connection could not be accepted because something is used up, most likely files.
    pub(super) fn had_no_file(&self, error: &io::Error) {
        self.counts.without_file.increment(1);
        {
            let mut unsaid = self.unsaid.lock();
            unsaid.without_file += 1;
            unsaid.error = Some(error.to_string());
        }
        self.make_room();
    }

    /// Moves the clock on, and closes what is overdue.
    pub(super) fn sweep(&self) {
        let now = self.now();
        self.clock.store(now, Ordering::Relaxed);
        let patience = self.patience();
        let overdue: Vec<_> = {
            let open = self.open.lock();
            let all = open.connections.values();
            all.filter_map(|connection| {
                let why = connection.overdue(now, &self.limits, patience)?;
                Some((Arc::clone(connection), why))
            })
            .collect()
        };
        for (connection, why) in &overdue {
            let is_news = match why {
                Overdue::Body => {
                    connection.fail_bodies(now, patience);
                    true
                }
                // Others of its requests may go on, and the client that does not read an answer keeps it from ending.
                Overdue::Answer if connection.has_many() => self.end(connection, Order::Cut),
                Overdue::Head | Overdue::Idle | Overdue::Answer => self.close(connection),
            };
            if is_news {
                self.counts.overdue[*why as usize].increment(1);
            }
        }
        if !overdue.is_empty() {
            debug!(connections = overdue.len(), "clients took too long");
        }
        self.say();
    }

    /// How long a client may be behind, in milliseconds.
    fn patience(&self) -> u64 {
        let is_tight = self.held.load(Ordering::Relaxed) > self.limits.bodies / 2;
        let patience = if is_tight || self.is_stopping.load(Ordering::Relaxed) {
            self.limits.hurry
        } else {
            self.limits.patience
        };
        u64::try_from(patience.as_millis()).unwrap_or(u64::MAX)
    }

    fn say(&self) {
        let mut unsaid = self.unsaid.lock();
        let is_quiet = unsaid.made_room == 0 && unsaid.refused == 0 && unsaid.without_file == 0;
        if is_quiet || unsaid.said_at.is_some_and(|at| at.elapsed() < SAY_EVERY) {
            return;
        }
        let Unsaid {
            made_room,
            refused,
            without_file,
            error,
            said_at: _,
        } = std::mem::take(&mut *unsaid);
        unsaid.said_at = Some(Instant::now());
        drop(unsaid);
        let max = self.max;
        if let Some(error) = error {
            warn!(
                error,
                times = without_file,
                made_room,
                "connections cannot be accepted: raise the limit of open files, or lower --max-connections"
            );
        } else {
            warn!(
                max,
                made_room,
                refused,
                "as many connections are open as there may be; those that had no request made room"
            );
        }
    }

    /// Lets every connection end with the request that it has, and at once if it has none.
    pub(super) fn finish(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        self.tell_all(Order::Finish);
    }

    /// Lets every connection close with its next answer.
    pub(super) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Waits a moment for those that have just come to ask: what they send is on its way.
    pub(super) async fn hear_the_new(&self) {
        let until = Instant::now() + MOMENT;
        let is_new =
            |connection: &Arc<Connection>| matches!(connection.state().0, Phase::Fresh | Phase::Head);
        while Instant::now() < until && self.open.lock().connections.values().any(is_new) {
            sleep(SOON).await;
        }
    }

    /// Ends every connection.
    pub(super) fn cut(&self) {
        self.tell_all(Order::Cut);
    }

    fn tell_all(&self, order: Order) {
        let mut open = self.open.lock();
        let mut closing = open.closing;
        for connection in open.connections.values() {
            let before = connection.order();
            let is_news = connection.tell(order);
            closing += usize::from(is_news && order >= Order::Close && before < Order::Close);
        }
        open.closing = closing;
    }

    /// Waits until a connection has closed, once it is stopping.
    pub(super) async fn one_closed(&self) {
        self.one_closed.notified().await;
    }
}

const LAST_CLASS: u8 = 3;

/// In which order connections make room, and for how long they have been waiting; `None` for those that do not.
fn waiting(connection: &Connection, now: u64) -> Option<(u8, u64)> {
    if connection.is_spare || connection.order() >= Order::Close {
        return None;
    }
    let (phase, since) = connection.state();
    let waited = now.saturating_sub(since);
    let stalled = connection.stalled(now);
    match (phase, stalled) {
        (Phase::Upgraded, _) => None,
        (_, Some(behind)) => Some((2, behind)),
        (Phase::Request, None) => None,
        (Phase::Fresh | Phase::Head | Phase::Lingering, None) => Some((0, waited)),
        (Phase::Idle, None) => Some((1, waited)),
    }
}

/// Whose connection it is: an address, or of IPv6 the network that one customer has.
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
mod tests {
    use super::*;

    fn connections(max: usize) -> Arc<Connections> {
        Connections::new(ConnectionLimits::default(), max, ConnectionCounts::none())
    }

    fn peer(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    async fn many(connections: &Arc<Connections>, peer: IpAddr, count: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push(connections.admit(peer).await.unwrap());
        }
        entries
    }

    async fn pass(connections: &Connections, time: Duration) {
        sleep(time).await;
        connections.sweep();
    }

    #[tokio::test(start_paused = true)]
    async fn who_brought_no_request_makes_room_before_who_waits_for_another() {
        let all = connections(3);
        let idle = all.admit(peer(1)).await.unwrap();
        let part = idle.connection.begin_request();
        idle.connection.end_request(&part);
        let busy = all.admit(peer(2)).await.unwrap();
        busy.connection.begin_request();
        pass(&all, Duration::from_secs(5)).await;
        let half = all.admit(peer(3)).await.unwrap();
        half.connection.read();
        pass(&all, Duration::from_secs(2)).await;
        let orders = || [&idle, &busy, &half].map(|entry| entry.connection.order());
        let new = all.admit(peer(4)).await.unwrap();
        assert!(!new.connection.is_spare);
        assert_eq!(orders(), [Order::GoOn, Order::GoOn, Order::Close]);
        let newer = all.admit(peer(4)).await.unwrap();
        assert!(!newer.connection.is_spare);
        assert_eq!(orders(), [Order::Close, Order::GoOn, Order::Close]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_address_that_has_most_makes_room_first() {
        let all = connections(4);
        let genuine = all.admit(peer(1)).await.unwrap();
        let strangers = many(&all, peer(9), 3).await;
        pass(&all, Duration::from_secs(3)).await;
        let _new = all.admit(peer(1)).await.unwrap();
        assert_eq!(
            genuine.connection.order(),
            Order::GoOn,
            "although it is the oldest"
        );
        let closed = strangers
            .iter()
            .filter(|entry| entry.connection.order() == Order::Close);
        assert_eq!(closed.count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_just_come_is_given_the_time_to_say_what_it_wants() {
        let all = connections(1);
        let first = all.admit(peer(1)).await.unwrap();
        let began = Instant::now();
        let _second = all.admit(peer(1)).await.unwrap();
        assert!(began.elapsed() >= Duration::from_millis(YOUNG_MS));
        assert_eq!(first.connection.order(), Order::Close);
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_are_busy_a_few_may_ask_whether_the_server_is_well() {
        let all = connections(2);
        let busy = many(&all, peer(1), 2).await;
        for entry in &busy {
            entry.connection.begin_request();
        }
        pass(&all, Duration::from_secs(60)).await;
        let spare = many(&all, peer(2), SPARE).await;
        assert!(spare.iter().all(|entry| entry.connection.is_spare));
        for entry in &spare {
            entry.connection.begin_request();
        }
        assert!(all.admit(peer(2)).await.is_none());
        drop(busy);
        assert!(!all.admit(peer(2)).await.unwrap().connection.is_spare);
        drop(spare);
        assert_eq!(all.open.lock().spare, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_closes_by_itself_is_not_waited_for_to_close() {
        let all = connections(2);
        let [told, gone] = [
            all.admit(peer(1)).await.unwrap(),
            all.admit(peer(1)).await.unwrap(),
        ];
        let known = Arc::clone(&gone.connection);
        drop(gone);
        assert!(!all.close(&known));
        assert!(all.close(&told.connection) && !all.close(&told.connection));
        assert_eq!((all.remaining(), all.active()), (1, 0));
        drop(told);
        assert_eq!(all.open.lock().closing, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_overdue_is_closed_and_what_is_not_stays() {
        let all = connections(10);
        let entries: [Entry; 6] = many(&all, peer(1), 6).await.try_into().ok().unwrap();
        for entry in &entries {
            entry.connection.read();
        }
        let [fresh, head, idle, request, websocket, reader] = entries;
        fresh.connection.enter(Phase::Fresh);
        idle.connection.enter(Phase::Idle);
        request.connection.enter(Phase::Request);
        websocket.connection.enter(Phase::Upgraded);
        reader.connection.enter(Phase::Request);
        reader.connection.wrote(None);
        let closed = || {
            [&fresh, &head, &idle, &request, &websocket, &reader]
                .map(|entry| entry.connection.order() == Order::Close)
        };
        pass(&all, Duration::from_secs(9)).await;
        assert_eq!(closed(), [false; 6]);
        pass(&all, Duration::from_secs(2)).await;
        assert_eq!(closed(), [true, true, false, false, false, false]);
        pass(&all, Duration::from_secs(20)).await;
        assert_eq!(closed(), [true, true, false, false, false, true]);
        pass(&all, Duration::from_secs(50)).await;
        assert_eq!(closed(), [true, true, true, false, false, true]);
        pass(&all, Duration::from_secs(3_600)).await;
        assert_eq!(closed(), [true, true, true, false, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_are_waited_for_less_when_they_hold_much() {
        let all = connections(10);
        let entry = all.admit(peer(1)).await.unwrap();
        let part = entry.connection.begin_request();
        part.body_came(0, None, 1_024);
        pass(&all, Duration::from_secs(3)).await;
        assert!(!part.is_body_failed());
        all.held.store(all.limits.bodies / 2 + 1, Ordering::Relaxed);
        all.sweep();
        assert!(part.is_body_failed());
        assert_eq!(entry.connection.order(), Order::GoOn, "it is still answered");
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_requests_each_is_waited_for_by_itself() {
        let all = connections(1);
        let entry = all.admit(peer(1)).await.unwrap();
        let connection = &entry.connection;
        connection.carries_many();
        let [slow, quick] = [connection.begin_request(), connection.begin_request()];
        slow.body_came(0, None, 1_024);
        for _ in 0..31 {
            pass(&all, Duration::from_secs(1)).await;
            quick.body_came(all.coarse_now(), None, 1_024);
            quick.body_came(all.coarse_now(), Some(4_096), 1_024);
        }
        assert!(slow.is_body_failed() && !quick.is_body_failed());
        assert!(connection.is_working(), "with the other one");
        connection.end_request(&slow);
        quick.hand_over(all.coarse_now());
        pass(&all, Duration::from_secs(5)).await;
        assert!(!connection.is_working());
        drop(all.admit(peer(2)).await.unwrap());
        assert_eq!(connection.order(), Order::Close, "it makes room");
        all.spare(connection);
        pass(&all, Duration::from_secs(26)).await;
        assert_eq!(
            connection.order(),
            Order::Cut,
            "and is not waited for without end"
        );
        assert_eq!(all.open.lock().closing, 1);
    }
}
