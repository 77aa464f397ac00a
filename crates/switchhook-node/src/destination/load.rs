//! A webhook's deliveries in this node's memory, its health, and what other nodes say of that. It outlives changes of
//! the webhook.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use parking_lot::RwLock;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::OutcomeClass;
use switchhook_domain::breaker::{Breaker, Transition};
use switchhook_domain::outage::{LastFailure, Outage, Streak, StreakChange};
use switchhook_domain::suspension::{Suspension, SuspensionReason};
use switchhook_domain::webhook::Webhook;
use switchhook_store::SuspensionRecord;

/// A webhook's deliveries in this node's memory, and their bound. Whoever accepts events reads the bound, and the
/// engine sets it.
#[derive(Debug)]
pub struct Load {
    /// Deliveries in memory.
    pub handed_over: AtomicU32,
    /// Bytes of those.
    pub bytes: AtomicUsize,
    /// Bound on the deliveries in memory.
    pub allowance: AtomicU32,
    /// Recent suspensions, and the breaker.
    pub health: RwLock<Health>,
}

/// Health of a webhook's receiver.
#[derive(Debug, Default)]
pub struct Health {
    /// Pauses and openings of the breaker, oldest first.
    pub suspensions: Vec<Suspension>,
    pub breaker: Breaker,
    /// The attempts that failed since the last success.
    streak: Streak,
    /// True after a request to retry: the next success releases everything that waits.
    is_retry_asked: bool,
    /// Last success from this node.
    succeeded_at: Option<Timestamp>,
}

/// Effect of the end of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthChange {
    pub transition: Transition,
    pub outage: StreakChange,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            handed_over: AtomicU32::new(0),
            bytes: AtomicUsize::new(0),
            allowance: AtomicU32::new(INITIAL_ALLOWANCE),
            health: RwLock::default(),
        }
    }
}

/// Bound on the suspensions remembered.
const MOST_SUSPENSIONS: usize = 256;

/// Bound on the deliveries in memory until the engine knows the webhook.
const INITIAL_ALLOWANCE: u32 = 256;

impl Health {
    /// Notes how an attempt ended, which is the last failure if it failed; `has_breaker`: whether failures open the webhook's breaker.
    pub fn note(
        &mut self,
        class: OutcomeClass,
        last: LastFailure,
        has_breaker: bool,
        now: Timestamp,
    ) -> HealthChange {
        let mut transition = match has_breaker {
            true => self.note_breaker(class, now),
            false => Transition::None,
        };
        if class.is_success() {
            self.succeeded_at = self.succeeded_at.max(Some(now));
            if std::mem::take(&mut self.is_retry_asked) {
                transition = Transition::Recovered;
            }
        }
        let outage = self.streak.note(class, last, self.breaker.is_open(), now);
        HealthChange { transition, outage }
    }

    fn note_breaker(&mut self, class: OutcomeClass, now: Timestamp) -> Transition {
        let was_open = self.breaker.is_open();
        let transition = self.breaker.note(class, now);
        match self.breaker {
            Breaker::Open { since, .. } if !was_open => self.open(SuspensionReason::Breaker, since),
            Breaker::Closed { .. } if was_open => self.close(SuspensionReason::Breaker, now),
            _ => {}
        }
        transition
    }

    /// Somebody wants it tried now: an open breaker lets one attempt through at once.
    pub fn ask_to_retry(&mut self, now: Timestamp) {
        self.is_retry_asked = true;
        self.breaker.probe_at_once(now);
    }

    /// Closes an open breaker, because the cause of the failures may be solved.
    pub fn reset_breaker(&mut self, now: Timestamp) {
        if self.breaker.is_open() {
            self.breaker = Breaker::default();
            self.close(SuspensionReason::Breaker, now);
        }
    }

    fn open(&mut self, reason: SuspensionReason, from: Timestamp) {
        if self.suspensions.len() >= MOST_SUSPENSIONS {
            self.suspensions.remove(0);
        }
        self.suspensions.push(Suspension {
            reason,
            from,
            until: None,
        });
    }

    fn close(&mut self, reason: SuspensionReason, until: Timestamp) {
        for suspension in self
            .suspensions
            .iter_mut()
            .filter(|suspension| suspension.reason == reason && suspension.until.is_none())
        {
            suspension.until = Some(until);
        }
    }
}

impl Load {
    /// Takes note of a suspension of an earlier life.
    pub(crate) fn remember(&self, record: &SuspensionRecord) {
        let mut health = self.health.write();
        if !health.suspensions.contains(&record.suspension) {
            health.suspensions.push(record.suspension);
        }
        if let Some(breaker) = record.breaker() {
            health.breaker = breaker;
        }
    }

    /// Takes note of how the breaker of another node is, and answers whether that changes anything here.
    ///
    /// One that opened counts unless this node has had a success since; its probes need not be made twice. One that closed
    /// after this one opened says that the receiver works again.
    pub(crate) fn note_suspension(&self, record: &SuspensionRecord) -> bool {
        let mut health = self.health.write();
        match (record.suspension.until, health.breaker, record.breaker()) {
            (None, Breaker::Closed { .. }, Some(theirs)) => {
                let is_news = health.succeeded_at.is_none_or(|at| at < record.suspension.from);
                if is_news {
                    health.breaker = theirs;
                    health.open(SuspensionReason::Breaker, record.suspension.from);
                }
                is_news
            }
            (None, ours @ Breaker::Open { .. }, Some(theirs)) if theirs.not_before() > ours.not_before() => {
                health.breaker = theirs;
                true
            }
            (Some(until), Breaker::Open { since, .. }, _)
                if record.suspension.reason == SuspensionReason::Breaker && since <= until =>
            {
                health.breaker = Breaker::default();
                health.close(SuspensionReason::Breaker, until);
                true
            }
            _ => false,
        }
    }

    /// Takes note of the outage that lasts, or that none does, as the store knows it.
    pub(crate) fn note_outage(&self, lasting: Option<&Outage>) {
        let is_news = lasting.is_some() || self.health.read().streak.is_outage();
        if is_news {
            self.health.write().streak.note_stored(lasting);
        }
    }

    /// Change to the stored outage, if failures remain that no attempt has followed for a while.
    pub(crate) fn settle_outage(&self, is_alone: bool, now: Timestamp) -> StreakChange {
        self.health.write().streak.settle_outage(is_alone, now)
    }

    /// Takes note that the webhook was paused or resumed.
    pub(crate) fn pause_changed(&self, before: Option<Timestamp>, webhook: &Webhook) {
        match (before, webhook.paused_at) {
            (None, Some(since)) => self.health.write().open(SuspensionReason::Paused, since),
            (Some(_), None) => self
                .health
                .write()
                .close(SuspensionReason::Paused, webhook.updated_at),
            _ => {}
        }
    }

    /// True if one more delivery may be handed over.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.handed_over.load(Ordering::Relaxed) < self.allowance.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use switchhook_domain::id::{DeliveryId, WebhookId};
    use switchhook_domain::suspension::suspended_time;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// Breaker state that another node reports.
    fn theirs(from: i64, until: Option<i64>, probe: i64) -> SuspensionRecord {
        SuspensionRecord {
            webhook_id: WebhookId(1),
            suspension: Suspension {
                reason: SuspensionReason::Breaker,
                from: at(from),
                until: until.map(at),
            },
            probe_at: Some(at(probe)),
            failures: 10,
        }
    }

    fn last(seconds: i64) -> LastFailure {
        LastFailure {
            at: at(seconds),
            delivery_id: DeliveryId(1),
            attempt_number: 1,
            failure: None,
        }
    }

    #[test]
    fn a_breaker_that_opened_elsewhere_counts_unless_sending_went_well_since() {
        let load = Load::default();
        assert!(load.note_suspension(&theirs(100, None, 105)));
        assert_eq!(load.health.read().breaker.not_before(), Some(at(105)));
        assert!(
            load.note_suspension(&theirs(100, None, 110)),
            "the other node has probed"
        );
        assert!(
            !load.note_suspension(&theirs(100, None, 105)),
            "which this one knows"
        );
        assert!(load.note_suspension(&theirs(100, Some(120), 110)));
        assert!(!load.health.read().breaker.is_open());
        assert_eq!(
            suspended_time(&load.health.read().suspensions, at(0), at(200)),
            Duration::from_secs(20)
        );
        load.health
            .write()
            .note(OutcomeClass::Accepted, last(130), true, at(130));
        assert!(
            !load.note_suspension(&theirs(125, None, 140)),
            "it went well after that"
        );
    }

    #[test]
    fn what_another_breaker_did_before_this_one_opened_says_nothing() {
        let load = Load::default();
        for _ in 0..10 {
            load.health
                .write()
                .note(OutcomeClass::Failed, last(100), true, at(100));
        }
        assert!(!load.note_suspension(&theirs(50, Some(90), 60)));
        assert!(load.health.read().breaker.is_open());
    }
}
