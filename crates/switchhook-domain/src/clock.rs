//! Time as an argument: the one trait through which the rest of the system learns what time it is.

use switchhook_protocol::Timestamp;

use crate::lease::Lease;

/// Tells the time. The real one lives in the binary; tests bring their own.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time now.
    fn now(&self) -> Timestamp;

    /// Relation of the machine's clock to the one that counts for all nodes.
    fn agreement(&self) -> ClockAgreement {
        ClockAgreement::Alone
    }
}

impl<F: Fn() -> Timestamp + Send + Sync + 'static> Clock for F {
    fn now(&self) -> Timestamp {
        self()
    }
}

/// Relation of a machine's clock to the one that counts for all nodes, the database's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockAgreement {
    /// There is no other clock.
    Alone,
    /// It is so many milliseconds ahead, or behind if they are negative. The node's time makes up for that.
    Off {
        /// In milliseconds.
        ahead_ms: i64,
    },
    /// Nobody knows: one of the clocks was set, or the database has not answered for a while.
    Unknown,
}

impl ClockAgreement {
    /// True if another node's claim whose lease looks expired may be taken for lost.
    #[must_use]
    pub fn may_judge_leases(self, lease: Lease) -> bool {
        self != Self::Unknown && !self.is_trouble(lease)
    }

    fn is_trouble(self, lease: Lease) -> bool {
        let Self::Off { ahead_ms } = self else {
            return false;
        };
        u128::from(ahead_ms.unsigned_abs()) > lease.tolerance().as_millis()
    }

    /// Problem of the machine's clock, as a sentence.
    #[must_use]
    pub fn trouble(self, lease: Lease) -> Option<String> {
        let Self::Off { ahead_ms } = self else { return None };
        let seconds = ahead_ms.unsigned_abs() as f64 / 1_000.0;
        let way = if ahead_ms > 0 { "ahead of" } else { "behind" };
        self.is_trouble(lease).then(|| {
            format!(
                "this machine's clock is {seconds:.1} s {way} the database's, which is more than a quarter of a lease ({} s)",
                lease.0.as_secs_f64()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_is_off_by_more_than_a_quarter_of_a_lease_is_trouble() {
        let lease = Lease(Duration::from_secs(60));
        for (ahead_ms, is_trouble) in [
            (0, false),
            (15_000, false),
            (15_001, true),
            (-15_000, false),
            (-70_000, true),
        ] {
            let agreement = ClockAgreement::Off { ahead_ms };
            assert_eq!(agreement.trouble(lease).is_some(), is_trouble, "{ahead_ms}");
            assert_eq!(agreement.may_judge_leases(lease), !is_trouble, "{ahead_ms}");
        }
        let said = ClockAgreement::Off { ahead_ms: -70_000 }.trouble(lease).unwrap();
        assert!(said.contains("70.0 s behind the database's"), "{said}");
        assert!(ClockAgreement::Alone.may_judge_leases(lease));
        assert!(
            !ClockAgreement::Unknown.may_judge_leases(lease)
                && ClockAgreement::Unknown.trouble(lease).is_none()
        );
    }
}
