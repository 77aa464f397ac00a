//! This node's share of what a webhook may have: caps and rates count for all nodes together, and each keeps to its part.
//! How many nodes there are is the store's to say, and changes while they run.

use super::dispatch::Dispatcher;

/// One part of as many as there are nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    nodes: u32,
}

impl Default for Share {
    fn default() -> Self {
        Self { nodes: 1 }
    }
}

impl Share {
    /// How many attempts this node may have under way, of those that all may. At least one, so that no node is left with
    /// deliveries that it may not send.
    pub(super) fn of_cap(self, cap: u32) -> u32 {
        cap.div_ceil(self.nodes).max(1)
    }

    /// How many attempts this node may start in a second, of those that all may.
    pub(super) fn of_rate(self, rate: f64) -> f64 {
        rate / f64::from(self.nodes)
    }
}

impl Dispatcher {
    /// Whether there are other nodes.
    pub(super) fn has_others(&self) -> bool {
        self.share.nodes > 1
    }

    /// Takes note of how many nodes there are now. A smaller share counts at once; a larger one is grown into.
    pub(super) fn share_anew(&mut self) {
        let share = Share {
            nodes: self.parts.store.nodes().max(1),
        };
        self.parts.telemetry.nodes(share.nodes);
        if share == self.share {
            return;
        }
        tracing::info!(nodes = share.nodes, "the work is shared by so many nodes now");
        self.share = share;
        for (id, entry) in &mut self.lanes {
            if let Some(destination) = self.parts.registry.destination(*id) {
                let cap = destination.webhook.settings.max_in_flight(&self.parts.defaults);
                entry.lane.lower_to(share.of_cap(cap));
            }
        }
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
}
