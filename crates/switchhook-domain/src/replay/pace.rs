//! Pace of a replay, its number of deliveries, and its expected end.

use std::time::Duration;

use switchhook_protocol::Timestamp;

use super::{Replay, ReplayState};
use crate::id::{EventId, made_at};

/// Time by which deliveries are made before they are due.
pub const HORIZON: Duration = Duration::from_secs(2);

/// Due times of a replay's next deliveries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    start: Timestamp,
    rate: Option<f64>,
}

impl Pace {
    /// The pace of a replay at `now`. What it did not manage to do in the past it does not make up for.
    #[must_use]
    pub fn of(replay: &Replay, now: Timestamp) -> Self {
        Self {
            start: replay.next_due_at.max(now),
            rate: replay.rate,
        }
    }

    /// Number that may be made at `now`, so that none is due beyond the horizon.
    #[must_use]
    pub fn allowed(self, now: Timestamp) -> u32 {
        let Some(rate) = self.rate else {
            return u32::MAX;
        };
        let end = now.plus(HORIZON);
        if self.start > end {
            return 0;
        }
        // Saturates: a float as an integer never wraps.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is not negative, and a cast from a float saturates"
        )]
        let more = (end.since(self.start).as_secs_f64() * rate) as u32;
        more.saturating_add(1)
    }

    /// Due time of the delivery after `before` others.
    #[must_use]
    pub fn due_at(self, before: u32) -> Timestamp {
        self.start.plus(self.after(before))
    }

    /// Due time after `count` deliveries: rounded up, so that the rate is never exceeded.
    #[must_use]
    pub fn next_due_at(self, count: u32) -> Timestamp {
        let exact = self.after(count);
        let millis = Duration::from_millis(u64::try_from(exact.as_millis()).unwrap_or(u64::MAX));
        let rounding = Duration::from_millis(u64::from(exact > millis));
        self.start.plus(millis.saturating_add(rounding))
    }

    /// Time of the next look, if none are allowed now.
    #[must_use]
    pub fn look_again_at(self) -> Timestamp {
        self.start.minus(HORIZON / 2)
    }

    fn after(self, count: u32) -> Duration {
        let seconds = self.rate.map_or(0.0, |rate| f64::from(count) / rate);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

/// A count in the making: how many deliveries a replay would make, looked at from the oldest event on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events scanned.
    pub scanned: u64,
    /// Deliveries that would be made.
    pub planned: u64,
    /// Those that could not be made, because their webhook is gone.
    pub skipped: u64,
    /// The first event looked at.
    pub first: Option<EventId>,
    /// The last event looked at, if not all were, and the last one that there is.
    pub stopped_at: Option<(EventId, EventId)>,
}

/// Number of a replay's deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    pub total: u64,
    /// True if all were counted.
    pub is_exact: bool,
}

impl Estimate {
    /// Estimate from a count: if not all events were scanned, the rest is assumed to be as dense in time.
    #[must_use]
    pub fn of(tally: Tally) -> Self {
        let Some((stopped_at, last)) = tally.stopped_at.filter(|(seen, last)| seen < last) else {
            return Self {
                total: tally.planned,
                is_exact: true,
            };
        };
        let start = made_at(tally.first.unwrap_or(stopped_at).0);
        let seen = made_at(stopped_at.0).since(start).as_secs_f64().max(0.001);
        let whole = made_at(last.0).since(start).as_secs_f64().max(seen);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an estimate"
        )]
        let total = (tally.planned as f64 * whole / seen) as u64;
        Self {
            total: total.max(tally.planned),
            is_exact: false,
        }
    }
}

impl Replay {
    /// Number of its deliveries, as far as known by now.
    #[must_use]
    pub fn total(&self) -> Estimate {
        if self.is_all_created {
            return Estimate {
                total: self.progress.created,
                is_exact: true,
            };
        }
        Estimate {
            total: self.estimate.total.max(self.progress.created),
            is_exact: self.estimate.is_exact && self.progress.skipped == 0,
        }
    }

    /// Expected end at the present pace; `None` if it cannot be told.
    #[must_use]
    pub fn expected_end(&self, now: Timestamp) -> Option<Timestamp> {
        if self.state != ReplayState::Running {
            return None;
        }
        let ended = self.progress.ended();
        let left = self.total().total.saturating_sub(ended);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let seconds = match self.rate {
            Some(rate) if !self.is_all_created => left as f64 / rate,
            _ if ended == 0 => return None,
            _ => now.since(self.created_at).as_secs_f64() / ended as f64 * left as f64,
        };
        let wait = Duration::try_from_secs_f64(seconds).ok()?;
        Some(now.plus(wait))
    }
}

#[cfg(test)]
mod tests;
