//! Memory of handled events: their keys and times, in the order they came.

use std::collections::{HashMap, HashSet, VecDeque};

use switchhook_protocol::{RepeatKey, Timestamp};

use super::Bounds;

#[derive(Debug)]
pub(super) struct Memory {
    bounds: Bounds,
    done_at: HashMap<RepeatKey, Timestamp>,
    /// Oldest first. May hold a key twice if it was remembered again; the younger entry counts.
    order: VecDeque<(Timestamp, RepeatKey)>,
    /// Bounded by the requests that are open at the same time: each holds one claim.
    pub(super) under_way: HashSet<RepeatKey>,
    /// Number of lines in the file, if there is one.
    pub(super) lines: u64,
}

impl Memory {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            done_at: HashMap::new(),
            order: VecDeque::new(),
            under_way: HashSet::new(),
            lines: 0,
        }
    }

    pub(super) fn is_known(&self, key: RepeatKey, now: Timestamp) -> bool {
        let window = key.window().unwrap_or(self.bounds.age).min(self.bounds.age);
        self.done_at.get(&key).is_some_and(|at| now.since(*at) < window)
    }

    pub(super) fn remember(&mut self, key: RepeatKey, at: Timestamp) {
        self.lines += 1;
        self.done_at.insert(key, at);
        self.order.push_back((at, key));
        self.forget_older_than(at);
    }

    pub(super) fn forget(&mut self, key: RepeatKey) {
        self.done_at.remove(&key);
    }

    /// Forgets what is too old at this time, and what is too much.
    pub(super) fn forget_older_than(&mut self, now: Timestamp) {
        while let Some((at, key)) = self.order.front().copied() {
            let is_too_old = now.since(at) >= self.bounds.age;
            if !is_too_old && self.order.len() <= self.bounds.events {
                return;
            }
            self.order.pop_front();
            if self.done_at.get(&key) == Some(&at) {
                self.done_at.remove(&key);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.done_at.len()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (RepeatKey, Timestamp)> {
        let is_current = |(at, key): &&(Timestamp, RepeatKey)| self.done_at.get(key) == Some(at);
        self.order.iter().filter(is_current).map(|(at, key)| (*key, *at))
    }

    /// True if the file holds more than twice what is remembered. Not for a few lines.
    pub(super) fn is_worth_compacting(&self) -> bool {
        self.lines > 2 * self.len() as u64 + 10_000
    }
}
