//! Deliveries of one webhook in the store, as far as this node knows: the next due time, and the claim in flight.

use std::time::Duration;

use switchhook_domain::Timestamp;

/// Pause after a claim that brought nothing although something was due. Each further one doubles it, up to two
/// seconds.
const FRUITLESS_WAIT: Duration = Duration::from_millis(60);

/// The deliveries of one webhook that this node has not claimed.
#[derive(Debug, Default)]
pub(in crate::delivery) struct Backlog {
    /// Due time of the first of them.
    due_at: Option<Timestamp>,
    claim: Option<ClaimUnderWay>,
    /// Claims in a row that brought nothing although something was due, because other nodes have it.
    empty_claims: u32,
}

/// A claim that the store has not answered yet.
#[derive(Debug, Default)]
struct ClaimUnderWay {
    /// Earliest due time heard of since the claim, which its answer may not include.
    due_at: Option<Timestamp>,
}

impl Backlog {
    /// The store has a delivery that is due at `due_at`.
    pub(in crate::delivery) fn due(&mut self, due_at: Timestamp) {
        self.due_at = earlier(self.due_at, Some(due_at));
        if let Some(claim) = &mut self.claim {
            claim.due_at = earlier(claim.due_at, Some(due_at));
        }
    }

    /// Time of the next claim; `None` if there is nothing to claim, or a claim is in flight.
    pub(super) fn next_claim_at(&self) -> Option<Timestamp> {
        self.due_at.filter(|_| self.claim.is_none())
    }

    /// There is no room for what is due: it is asked for at `at` instead.
    pub(in crate::delivery) fn postpone(&mut self, at: Timestamp) {
        self.due_at = Some(at);
    }

    /// A claim is under way.
    pub(in crate::delivery) fn claim_began(&mut self) {
        self.claim = Some(ClaimUnderWay::default());
    }

    /// The store answered the claim: so many deliveries were `claimed`, and the next one is due at `next_due_at`.
    pub(in crate::delivery) fn claim_ended(
        &mut self,
        claimed: u32,
        next_due_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        let meanwhile = self.claim.take().and_then(|claim| claim.due_at);
        let is_fruitless = claimed == 0 && next_due_at.is_some_and(|due_at| due_at <= now);
        self.empty_claims = if is_fruitless { self.empty_claims + 1 } else { 0 };
        let not_before = now.plus(FRUITLESS_WAIT * (1 << self.empty_claims.min(6)) / 2);
        let next_due_at = next_due_at.map(|due_at| match self.empty_claims {
            0 => due_at,
            _ => due_at.max(not_before),
        });
        self.due_at = earlier(next_due_at, meanwhile);
    }

    /// The claim could not be made: what was due still is.
    pub(in crate::delivery) fn claim_failed(&mut self) {
        self.claim = None;
    }

    /// True if nothing is known to wait in the store.
    pub(super) const fn is_empty(&self) -> bool {
        self.due_at.is_none() && self.claim.is_none()
    }
}

/// The earlier of two times, or the only one.
pub(super) fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    #[test]
    fn what_became_due_during_a_claim_is_not_forgotten_by_its_answer() {
        let mut backlog = Backlog::default();
        backlog.due(NOW);
        backlog.claim_began();
        assert_eq!(backlog.next_claim_at(), None);
        backlog.due(NOW);
        backlog.claim_ended(1, None, NOW);
        assert_eq!(backlog.next_claim_at(), Some(NOW));
    }

    #[test]
    fn a_claim_that_brings_nothing_is_not_made_again_at_once() {
        let mut backlog = Backlog::default();
        let mut waits = Vec::new();
        for _ in 0..8 {
            backlog.claim_began();
            backlog.claim_ended(0, Some(NOW), NOW);
            waits.push(backlog.next_claim_at().unwrap().since(NOW).as_millis());
        }
        assert_eq!(waits, [60, 120, 240, 480, 960, 1_920, 1_920, 1_920]);
        backlog.claim_began();
        backlog.claim_ended(1, Some(NOW), NOW);
        assert_eq!(backlog.next_claim_at(), Some(NOW));
    }

    #[test]
    fn what_was_due_still_is_after_a_claim_that_failed() {
        let mut backlog = Backlog::default();
        backlog.due(NOW);
        backlog.claim_began();
        assert!(!backlog.is_empty());
        backlog.claim_failed();
        assert_eq!(backlog.next_claim_at(), Some(NOW));
    }

    #[test]
    fn a_backlog_is_empty_once_the_store_says_so() {
        let mut backlog = Backlog::default();
        assert!(backlog.is_empty());
        backlog.due(NOW);
        assert!(!backlog.is_empty());
        backlog.claim_began();
        backlog.claim_ended(3, None, NOW);
        assert!(backlog.is_empty());
    }
}
