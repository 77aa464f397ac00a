//! Calendar of the company: working hours, and the rate of events. Its clocks are in UTC.

use switchhook_protocol::{Timestamp, spelled_enum};

use crate::company::{FEWEST_USERS, MOST_USERS};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Rate of events, on average, while the company is fully at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    per_hour: u64,
}

spelled_enum! {
    /// Distribution of the rate over hours and weekdays.
    #[derive(Default)]
    pub enum Rhythm: "rhythm" {
        /// The same at any time.
        #[default]
        Steady = "steady",
        /// Monday to Friday from eight to six, busiest at ten and at two, with a lunch break; little in the evenings and on
        /// Saturdays; next to nothing at night and on Sundays.
        Workweek = "workweek",
    }
}

/// Rate of each hour of a day, in thousandths of the busiest.
const WORKDAY: [u64; 24] = [
    5, 3, 2, 2, 3, 8, 25, 120, 480, 860, 1000, 940, 620, 700, 980, 930, 800, 560, 260, 120, 70, 40, 20, 10,
];
const SATURDAY: [u64; 24] = [
    4, 2, 2, 2, 2, 4, 8, 25, 90, 180, 220, 210, 170, 120, 80, 50, 35, 25, 20, 15, 10, 8, 6, 5,
];
const SUNDAY: [u64; 24] = [
    4, 2, 2, 2, 2, 2, 4, 8, 15, 20, 25, 25, 20, 20, 20, 20, 15, 15, 15, 12, 10, 8, 6, 5,
];

impl Rate {
    /// So many events an hour; none is taken for one.
    #[must_use]
    pub const fn per_hour(events: u64) -> Self {
        Self {
            per_hour: if events == 0 { 1 } else { events },
        }
    }

    /// So many events a second.
    #[must_use]
    pub const fn per_second(events: u64) -> Self {
        Self::per_hour(events.saturating_mul(3_600))
    }

    /// The events of an hour.
    #[must_use]
    pub const fn events_per_hour(self) -> u64 {
        self.per_hour
    }

    /// Number of people that such a rate takes.
    pub(crate) fn people(self) -> usize {
        let people = usize::try_from(self.per_hour / 300).unwrap_or(MOST_USERS);
        people.clamp(FEWEST_USERS, MOST_USERS)
    }
}

impl Rhythm {
    /// Rate at that time, in thousandths.
    pub(crate) fn thousandths(self, at: Timestamp) -> u64 {
        let hour = (of_day(at) / HOUR_MS) as usize;
        match (self, weekday(at)) {
            (Self::Steady, _) => 1_000,
            (Self::Workweek, 5) => SATURDAY[hour],
            (Self::Workweek, 6) => SUNDAY[hour],
            (Self::Workweek, _) => WORKDAY[hour],
        }
    }
}

/// True on working days.
pub(crate) const fn is_workday(at: Timestamp) -> bool {
    weekday(at) < 5
}

/// Milliseconds since midnight.
pub(crate) const fn of_day(at: Timestamp) -> i64 {
    at.as_millis().rem_euclid(DAY_MS)
}

/// Milliseconds from `at` to that hour of this day, or of the next if it is past.
pub(crate) const fn until_hour(at: Timestamp, hour: i64) -> u64 {
    (hour * HOUR_MS - of_day(at)).rem_euclid(DAY_MS) as u64
}

/// 0 on Mondays. The first day of 1970 was a Thursday.
const fn weekday(at: Timestamp) -> i64 {
    (at.as_millis().div_euclid(DAY_MS) + 3).rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(at: &str, thousandths: u64, is_at_work: bool) {
        let at: Timestamp = at.parse().unwrap();
        assert_eq!(Rhythm::Workweek.thousandths(at), thousandths);
        assert_eq!(is_workday(at), is_at_work);
        assert_eq!(Rhythm::Steady.thousandths(at), 1_000);
    }

    #[test]
    fn the_week_has_its_hours() {
        check("2026-11-23T10:59:59Z", 1_000, true);
        check("2026-11-27T03:00:00Z", 2, true);
        check("2026-11-28T10:00:00Z", 220, false);
        check("2026-11-29T23:59:59Z", 5, false);
        check("1969-12-31T10:00:00Z", 1_000, true);
    }

    #[test]
    fn an_hour_that_is_past_is_tomorrows() {
        let noon: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        assert_eq!(until_hour(noon, 13), 3_600_000);
        assert_eq!(until_hour(noon, 8), 20 * 3_600_000);
        assert_eq!(until_hour(noon, 12), 0);
    }
}
