//! Choice of the connections that make room for new ones at the bound.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::Connections;
use crate::server::connection::{Connection, Directive, Phase};

/// Of how many connections one is closed, with the others that it stands for, when there is room for no more.
const ROOM_OF: usize = 64;

/// A client that has been waited for so long may have to make room. Whoever comes to do something has done it by then.
pub const YOUNG_MS: u64 = 250;

/// Capacity for a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Capacity {
    /// Others were told to close.
    Made,
    /// Others will have waited long enough in a moment.
    Soon,
    /// All connections are busy.
    None,
}

impl Connections {
    /// Closes what has been waiting longest for its client.
    pub(super) fn make_room(&self) -> Capacity {
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
            (0, false) => Capacity::None,
            (0, true) => Capacity::Soon,
            _ => Capacity::Made,
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
}

const LAST_CLASS: u8 = 3;

/// In which order connections make room, and for how long they have been waiting; `None` for those that do not.
fn waiting(connection: &Connection, now: u64) -> Option<(u8, u64)> {
    if connection.is_spare || connection.order() >= Directive::Close {
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
