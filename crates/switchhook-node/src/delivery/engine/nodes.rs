//! The nodes that share a database. Caps and rates of webhooks count for all of them together, and each keeps to its part;
//! what one learns of a receiver through its breaker, the others read in the store.

use std::time::Duration;

use tokio::time::Instant;

/// Interval of reading the other nodes' breakers.
const READ_BREAKERS_EVERY: Duration = Duration::from_secs(2);

/// The nodes, this one included. How many there are is the store's to say, and changes while they run.
#[derive(Debug)]
pub(super) struct Nodes {
    count: u32,
    next_reading: Instant,
}

/// This node's part of what all nodes may have together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    nodes: u32,
}

impl Share {
    /// The share of a node that is alone.
    pub(super) const ALL: Self = Self { nodes: 1 };

    /// This node's part of a cap on attempts in flight. At least one, because otherwise deliveries could be stuck on
    /// a node that may not send them.
    pub(super) fn of_cap(self, cap: u32) -> u32 {
        cap.div_ceil(self.nodes).max(1)
    }

    /// This node's part of a rate per second.
    pub(super) fn of_rate(self, rate: f64) -> f64 {
        rate / f64::from(self.nodes)
    }
}

impl Nodes {
    /// A single node.
    pub(super) fn new() -> Self {
        Self {
            count: 1,
            next_reading: Instant::now(),
        }
    }

    /// Takes note of how many nodes there are; answers this one's share if that has changed.
    pub(super) fn set_count(&mut self, count: u32) -> Option<Share> {
        let count = count.max(1);
        let before = std::mem::replace(&mut self.count, count);
        (count != before).then_some(Share { nodes: count })
    }

    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// True at most once per interval.
    pub(super) fn should_read_breakers(&mut self) -> bool {
        let is_time = self.count > 1 && Instant::now() >= self.next_reading;
        if is_time {
            self.next_reading = Instant::now() + READ_BREAKERS_EVERY;
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(nodes: u32, cap: u32, expected: u32) {
        assert_eq!(Share { nodes }.of_cap(cap), expected, "{cap} by {nodes}");
    }

    #[test]
    fn nodes_have_equal_shares_of_a_cap_and_at_least_one() {
        check(1, 64, 64);
        check(3, 64, 22);
        check(3, 3, 1);
        check(3, 1, 1);
        check(64, 10, 1);
    }

    #[test]
    fn nodes_have_equal_shares_of_a_rate_however_slow_it_is() {
        assert!((Share { nodes: 4 }.of_rate(1.0) - 0.25).abs() < f64::EPSILON);
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_is_new_only_once_and_there_is_always_this_node() {
        let mut nodes = Nodes::new();
        assert_eq!(nodes.set_count(0), None);
        assert_eq!(nodes.set_count(2), Some(Share { nodes: 2 }));
        assert_eq!(nodes.set_count(2), None);
        assert_eq!(nodes.set_count(1), Some(Share::ALL));
    }

    #[tokio::test(start_paused = true)]
    async fn breakers_are_read_now_and_then_and_only_if_there_are_others() {
        let mut nodes = Nodes::new();
        assert!(!nodes.should_read_breakers(), "there is nobody else");
        nodes.set_count(2);
        assert!(nodes.should_read_breakers());
        assert!(!nodes.should_read_breakers(), "they were read just now");
        tokio::time::advance(READ_BREAKERS_EVERY).await;
        assert!(nodes.should_read_breakers());
    }
}
