//! Outages: times in which every attempt to send to a webhook failed.
//!
//! Owns when failures in a row are an outage. One is written down when it begins, now and then while it lasts, and when it
//! ends; what is shown of a webhook's condition and what people are notified of follow from that.

use std::time::Duration;

use switchhook_protocol::Timestamp;

use crate::attempt::{Attempt, CountsAs, Failure, OutcomeClass};
use crate::id::DeliveryId;

/// Least number of consecutive failures that are an outage.
pub const FAILURES: u32 = 2;

/// Over how long they must be, so that two bad answers within a busy second are none. An open breaker needs no more time.
pub const LASTING: Duration = Duration::from_secs(3);

/// Time after which failures that no attempt has followed are an outage, however few: the next attempt may be far
/// off, or there may be none.
pub const SILENT: Duration = Duration::from_secs(10);

/// Shortest interval between two writes of a lasting outage.
const WRITTEN_EVERY: Duration = Duration::from_secs(5);

/// A time in which every attempt to send to a webhook failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// First failure.
    pub since: Timestamp,
    /// Next success; `None` while it lasts.
    pub until: Option<Timestamp>,
    /// Number of failed attempts.
    pub attempts: u32,
    /// The last of them.
    pub last: LastFailure,
}

/// The last attempt of an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastFailure {
    pub at: Timestamp,
    pub delivery_id: DeliveryId,
    pub attempt_number: u32,
    /// Failure, if it is known.
    pub failure: Option<Failure>,
}

impl LastFailure {
    /// Failure as the end of a sentence about the receiver: `answered 500`, `refused the connection`.
    #[must_use]
    pub fn in_words(&self) -> String {
        self.failure
            .map_or_else(|| "did not answer".to_owned(), Failure::in_words)
    }

    /// The failure that a delivery's attempt was.
    #[must_use]
    pub const fn of(delivery_id: DeliveryId, attempt: &Attempt) -> Self {
        Self {
            at: attempt.finished_at,
            delivery_id,
            attempt_number: attempt.number,
            failure: Failure::of(&attempt.outcome),
        }
    }
}

/// The attempts of a webhook that failed since the last that succeeded, as one node counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Streak {
    /// First failure.
    since: Option<Timestamp>,
    /// Failures beyond those that were written.
    unsaved: u32,
    /// Number of failures.
    failures: u32,
    /// Time of the last write; `None` if these failures are no outage yet.
    written_at: Option<Timestamp>,
    /// The last of them.
    last: Option<LastFailure>,
}

/// Effect of an attempt's end on a webhook's outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreakChange {
    /// Nothing that is to be written down.
    None,
    /// An outage began or goes on, with so many failures that are not written down yet.
    Fails {
        /// First failure.
        since: Timestamp,
        /// Number of further failures.
        more: u32,
        /// The last of them.
        last: LastFailure,
    },
    /// The outage is over.
    Ended,
}

impl Streak {
    /// Takes note of how an attempt ended at `now`, which is the last failure if it failed; `is_open`: whether the webhook's breaker is
    /// open after it.
    pub fn note(
        &mut self,
        class: OutcomeClass,
        last: LastFailure,
        is_open: bool,
        now: Timestamp,
    ) -> StreakChange {
        match class.consequences().counts_as {
            CountsAs::Nothing => StreakChange::None,
            CountsAs::Success => {
                let was = std::mem::take(self);
                match was.written_at {
                    Some(_) => StreakChange::Ended,
                    None => StreakChange::None,
                }
            }
            CountsAs::Answered | CountsAs::Unanswered => self.fail(last, is_open, now),
        }
    }

    fn fail(&mut self, last: LastFailure, is_open: bool, now: Timestamp) -> StreakChange {
        self.last = Some(last);
        let since = *self.since.get_or_insert(now);
        self.unsaved = self.unsaved.saturating_add(1);
        self.failures = self.failures.saturating_add(1);
        let is_due = match self.written_at {
            Some(at) => now.since(at) >= WRITTEN_EVERY,
            None => is_open || (self.failures >= FAILURES && now.since(since) >= LASTING),
        };
        if !is_due {
            return StreakChange::None;
        }
        self.write_down(since, last, now)
    }

    fn write_down(&mut self, since: Timestamp, last: LastFailure, now: Timestamp) -> StreakChange {
        self.written_at = Some(now);
        let more = std::mem::take(&mut self.unsaved);
        StreakChange::Fails { since, more, last }
    }

    /// Change to the stored outage, if failures remain that no attempt has followed for a while; `is_alone`: no other
    /// node may have reached the receiver meanwhile.
    pub fn settle_outage(&mut self, is_alone: bool, now: Timestamp) -> StreakChange {
        let is_known = is_alone || self.is_outage();
        match (self.since, self.last) {
            (Some(since), Some(last)) if is_known && self.unsaved > 0 && now.since(last.at) >= SILENT => {
                self.write_down(since, last, now)
            }
            _ => StreakChange::None,
        }
    }

    /// Takes note of an outage that another node, or this one in an earlier life, wrote down, or that there is none.
    pub fn note_stored(&mut self, lasting: Option<&Outage>) {
        match (lasting, self.written_at) {
            (Some(outage), None) => {
                self.since = Some(self.since.map_or(outage.since, |since| since.min(outage.since)));
                self.failures = self.failures.max(outage.attempts);
                self.written_at = Some(outage.last.at);
            }
            // Another node reached the receiver.
            (None, Some(_)) => *self = Self::default(),
            _ => {}
        }
    }

    /// True if the failures are an outage.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        self.written_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_790_000_000_000 + millis)
    }

    fn last(millis: i64) -> LastFailure {
        LastFailure {
            at: at(millis),
            delivery_id: DeliveryId(1),
            attempt_number: 1,
            failure: Some(Failure::Status(500)),
        }
    }

    fn note(streak: &mut Streak, class: OutcomeClass, is_open: bool, millis: i64) -> StreakChange {
        streak.note(class, last(millis), is_open, at(millis))
    }

    fn fails(streak: &mut Streak, millis: i64) -> StreakChange {
        note(streak, OutcomeClass::Failed, false, millis)
    }

    #[test]
    fn failures_are_an_outage_when_they_last_or_open_the_breaker() {
        let mut streak = Streak::default();
        assert_eq!(fails(&mut streak, 0), StreakChange::None);
        assert_eq!(fails(&mut streak, 2_999), StreakChange::None);
        let begun = StreakChange::Fails {
            since: at(0),
            more: 3,
            last: last(3_000),
        };
        assert_eq!(fails(&mut streak, 3_000), begun);
        let mut streak = Streak::default();
        assert_eq!(fails(&mut streak, 0), StreakChange::None);
        let opened = note(&mut streak, OutcomeClass::Unanswered, true, 5);
        assert_eq!(
            opened,
            StreakChange::Fails {
                since: at(0),
                more: 2,
                last: last(5),
            }
        );
    }

    #[test]
    fn every_answer_but_2xx_counts_and_what_is_lost_does_not() {
        for class in OutcomeClass::ALL {
            let mut streak = Streak::default();
            note(&mut streak, class, false, 0);
            let second = note(&mut streak, class, false, 4_000);
            let is_outage = !class.is_success() && class != OutcomeClass::Lost;
            assert_eq!(second != StreakChange::None, is_outage, "{class}");
        }
    }

    #[test]
    fn an_outage_is_written_down_now_and_then_with_all_its_failures_and_when_it_ends() {
        let mut streak = Streak::default();
        fails(&mut streak, 0);
        fails(&mut streak, 3_000);
        assert_eq!(fails(&mut streak, 4_000), StreakChange::None);
        let goes_on = StreakChange::Fails {
            since: at(0),
            more: 2,
            last: last(8_000),
        };
        assert_eq!(fails(&mut streak, 8_000), goes_on);
        assert_eq!(
            note(&mut streak, OutcomeClass::Accepted, false, 9_000),
            StreakChange::Ended
        );
        assert_eq!(
            note(&mut streak, OutcomeClass::Accepted, false, 9_000),
            StreakChange::None
        );
        assert_eq!(fails(&mut streak, 10_000), StreakChange::None, "it counts anew");
    }

    #[test]
    fn a_failure_that_nothing_follows_is_an_outage_after_a_while() {
        let mut streak = Streak::default();
        assert_eq!(streak.settle_outage(true, at(0)), StreakChange::None);
        fails(&mut streak, 0);
        assert_eq!(streak.settle_outage(true, at(9_999)), StreakChange::None);
        let begun = StreakChange::Fails {
            since: at(0),
            more: 1,
            last: last(0),
        };
        let by_others = streak.settle_outage(false, at(60_000));
        assert_eq!(
            by_others,
            StreakChange::None,
            "another node may have had a success"
        );
        assert_eq!(streak.settle_outage(true, at(10_000)), begun);
        assert_eq!(
            streak.settle_outage(true, at(30_000)),
            StreakChange::None,
            "it is written down"
        );
        assert_eq!(
            note(&mut streak, OutcomeClass::Accepted, false, 40_000),
            StreakChange::Ended
        );
        assert_eq!(streak.settle_outage(true, at(60_000)), StreakChange::None);
    }

    #[test]
    fn what_another_node_wrote_down_ends_with_the_first_success_here() {
        let outage = Outage {
            since: at(0),
            until: None,
            attempts: 7,
            last: last(5_000),
        };
        let mut streak = Streak::default();
        streak.note_stored(Some(&outage));
        assert!(streak.is_outage());
        assert_eq!(
            note(&mut streak, OutcomeClass::Accepted, false, 6_000),
            StreakChange::Ended
        );
        streak.note_stored(Some(&outage));
        streak.note_stored(None);
        assert_eq!(streak, Streak::default(), "another node saw its end");
        assert_eq!(fails(&mut streak, 7_000), StreakChange::None);
        streak.note_stored(None);
        assert_eq!(
            fails(&mut streak, 10_000),
            StreakChange::Fails {
                since: at(7_000),
                more: 2,
                last: last(10_000),
            }
        );
    }
}
