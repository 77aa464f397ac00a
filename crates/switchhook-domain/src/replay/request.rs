//! Validation of a requested replay.

use super::ReplayFilter;
use crate::webhook::HIGHEST_RATE;

/// The most events that one replay can name.
pub const MOST_NAMED: usize = 1_000;

/// The lowest rate, in events a second.
pub const LOWEST_RATE: f64 = 0.001;

/// Reason for which a replay cannot be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReplay {
    /// It would send everything, which nobody means who says nothing.
    #[error(
        "filter is required: say which events, for example {{\"since\": \"2026-11-21T09:00:00Z\"}} or {{\"not_delivered\": \
         true}}; {{\"since\": 0}} means all"
    )]
    NoFilter,
    /// `not_delivered` covers two states, so no other state can be given with it.
    #[error("filter.state and filter.not_delivered exclude each other: send one of them")]
    StateOfNotDelivered,
    /// Dead letters are found in another way.
    #[error("filter: dead letters are narrowed by webhook, failure, kind and time only")]
    NotOfDeadLetters,
    /// It names no event, or too many.
    #[error("filter.ids names {0} events: 1 to {MOST_NAMED} can be named; filter by time for more")]
    Named(usize),
    /// It would go too slowly or too fast.
    #[error("rate: {LOWEST_RATE} to {HIGHEST_RATE} events a second; leave it out to have no limit")]
    Rate,
}

impl ReplayFilter {
    /// Checks that a replay can have it.
    ///
    /// # Errors
    /// If not, with the reason.
    pub fn check(&self) -> Result<(), InvalidReplay> {
        if self.not_delivered && self.state.is_some() {
            return Err(InvalidReplay::StateOfNotDelivered);
        }
        let is_of_events =
            self.ids.is_some() || self.order_key.is_some() || self.state.is_some() || self.not_delivered;
        if (self.dead_letters && is_of_events) || (self.failure.is_some() && !self.dead_letters) {
            return Err(InvalidReplay::NotOfDeadLetters);
        }
        if self.is_empty() {
            return Err(InvalidReplay::NoFilter);
        }
        match &self.ids {
            Some(ids) if !(1..=MOST_NAMED).contains(&ids.len()) => Err(InvalidReplay::Named(ids.len())),
            _ => Ok(()),
        }
    }
}

/// Checks a rate.
///
/// # Errors
/// If it is too low or too high.
pub fn check_rate(rate: Option<f64>) -> Result<(), InvalidReplay> {
    match rate {
        Some(rate) if !(LOWEST_RATE..=HIGHEST_RATE).contains(&rate) => Err(InvalidReplay::Rate),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::Failure;
    use crate::delivery::StateName;
    use crate::id::EventId;

    #[track_caller]
    fn check(filter: &ReplayFilter, expected: Result<(), InvalidReplay>) {
        assert_eq!(filter.check(), expected);
    }

    #[test]
    fn a_filter_says_something_that_can_be() {
        let nothing = ReplayFilter::default;
        let named = |count: i64| ReplayFilter {
            ids: Some((0..count).map(EventId).collect()),
            ..nothing()
        };
        check(&nothing(), Err(InvalidReplay::NoFilter));
        check(&named(0), Err(InvalidReplay::Named(0)));
        check(&named(1_000), Ok(()));
        check(&named(1_001), Err(InvalidReplay::Named(1_001)));
        let lost = ReplayFilter {
            not_delivered: true,
            ..nothing()
        };
        check(&lost, Ok(()));
        let both = ReplayFilter {
            state: Some(StateName::Pending),
            ..lost
        };
        check(&both, Err(InvalidReplay::StateOfNotDelivered));
        let dead = ReplayFilter {
            dead_letters: true,
            failure: Some(Failure::Status(503)),
            ..nothing()
        };
        check(&dead, Ok(()));
        for other in [
            ReplayFilter {
                dead_letters: false,
                ..dead.clone()
            },
            ReplayFilter {
                dead_letters: true,
                ..named(1)
            },
        ] {
            check(&other, Err(InvalidReplay::NotOfDeadLetters));
        }
    }

    #[test]
    fn a_rate_is_bounded_and_no_number_is_none() {
        for rate in [0.0, 0.000_9, -1.0, 100_001.0, f64::NAN] {
            assert_eq!(check_rate(Some(rate)), Err(InvalidReplay::Rate), "{rate}");
        }
        for rate in [None, Some(LOWEST_RATE), Some(50.0), Some(HIGHEST_RATE)] {
            assert_eq!(check_rate(rate), Ok(()));
        }
    }
}
