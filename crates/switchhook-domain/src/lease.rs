//! A claim's lease: how its time is divided.
//!
//! An attempt starts only if its lease lasts until its outcome can be stored, whatever the receiver does. So that there is
//! always something that can start, no attempt may take as long as a lease: whoever claims has time left.

use std::time::Duration;

/// Duration of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease(pub Duration);

impl Lease {
    /// A lease unless the server is told otherwise: four times the longest attempt of the profile `durable`.
    pub const DEFAULT: Self = Self(Duration::from_secs(60));

    /// The most that is set aside for storing an outcome, and as much again for waiting between the claim and the start.
    const LONGEST_MARGIN: Duration = Duration::from_secs(5);

    fn margin(self) -> Duration {
        (self.0 / 8).min(Self::LONGEST_MARGIN)
    }

    /// By how much clocks may differ: beyond that, what looks over may not be.
    #[must_use]
    pub fn tolerance(self) -> Duration {
        self.0 / 4
    }

    /// The longest that an attempt may take, whatever its webhook says.
    #[must_use]
    pub fn longest_attempt(self) -> Duration {
        self.0.saturating_sub(2 * self.margin())
    }

    /// True if an attempt of at most `timeout` may start with `left` of its lease.
    #[must_use]
    pub fn suffices(self, left: Duration, timeout: Duration) -> bool {
        left >= timeout + self.margin()
    }

    /// Time after the claim until which an attempt may start.
    #[must_use]
    pub fn time_to_start(self, timeout: Duration) -> Duration {
        self.0.saturating_sub(timeout + self.margin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_claimed_can_start_at_once_and_for_a_while() {
        for seconds in [1, 2, 15, 25, 60, 600] {
            let lease = Lease(Duration::from_secs(seconds));
            let longest = lease.longest_attempt();
            let time = lease.time_to_start(longest);
            assert!(time >= lease.0 / 8 || time >= Duration::from_secs(5), "{lease:?}");
            assert!(lease.suffices(lease.0.saturating_sub(time), longest), "{lease:?}");
            let too_late = lease.0.saturating_sub(time + Duration::from_millis(1));
            assert!(!lease.suffices(too_late, longest), "{lease:?}");
        }
    }
}
