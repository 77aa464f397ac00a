//! Quiet hours: when a webhook is sent nothing, day after day. What comes then waits for their end.

use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;
use switchhook_protocol::Timestamp;

/// Bound on the days that are added up for a longer time.
const MOST_DAYS: usize = 100;

/// Hours of each day, in a time zone.
#[derive(Debug, Clone)]
pub struct QuietHours {
    from: Time,
    until: Time,
    zone: TimeZone,
}

impl QuietHours {
    /// Reads `22:00-07:00 Europe/Berlin`; a zone can also be an offset (`+02:00`), and without one it is UTC.
    ///
    /// # Errors
    /// Says what cannot be read, and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (hours, zone) = text.split_once(' ').unwrap_or((text, "+00:00"));
        let Some((from, until)) = hours.split_once('-') else {
            return Err(format!(
                "`{hours}` are not hours of a day: write 22:00-07:00 Europe/Berlin"
            ));
        };
        let (from, until) = (time_of_day(from)?, time_of_day(until)?);
        if from == until {
            return Err("they begin when they end: pause the webhook to send it nothing at all".to_owned());
        }
        let zone = zone.trim();
        let zone = DateTimeParser::new().parse_time_zone(zone).map_err(|_error| {
            format!(
                "`{zone}` is not a time zone: write a name such as Europe/Berlin, or an offset such as +02:00"
            )
        })?;
        Ok(Self { from, until, zone })
    }

    /// End of the quiet hours, if `now` is in them.
    #[must_use]
    pub fn end_at(&self, now: Timestamp) -> Option<Timestamp> {
        let mut days = self.days(now);
        // Those that began yesterday may last.
        let (from, until) = days.find(|(_, until)| *until > now)?;
        (from <= now).then_some(until)
    }

    /// Quiet time between `start` and `end`; of months, in the first hundred days.
    #[must_use]
    pub fn within(&self, start: Timestamp, end: Timestamp) -> Duration {
        let days = self.days(start).take(MOST_DAYS);
        let days = days.take_while(|(from, _)| *from < end);
        days.map(|(from, until)| until.min(end).since(from.max(start)))
            .sum()
    }

    /// From when to when they are, day by day, beginning with the day before `start`.
    fn days(&self, start: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let start = jiff::Timestamp::from_millisecond(start.as_millis()).ok();
        let today = start.map(|start| self.zone.to_datetime(start).date());
        let yesterday = today.and_then(|today| today.yesterday().ok());
        let days = std::iter::successors(yesterday, |day| day.tomorrow().ok());
        days.map_while(|day| self.on(day))
    }

    /// From when to when they are that begin on a day.
    fn on(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let last = if self.until > self.from {
            day
        } else {
            day.tomorrow().ok()?
        };
        Some((self.at(day, self.from)?, self.at(last, self.until)?))
    }

    /// A time that does not exist, when clocks are put forward, is an hour later.
    fn at(&self, day: Date, time: Time) -> Option<Timestamp> {
        let zoned = day.to_datetime(time).to_zoned_datetime(self.zone.clone()).ok()?;
        Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
    }
}

fn time_of_day(text: &str) -> Result<Time, String> {
    Time::strptime("%H:%M", text.trim())
        .map_err(|_error| format!("`{text}` is not a time of day: write it as 22:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(hours: &str, now: &str, end: Option<&str>) {
        let hours = QuietHours::parse(hours).unwrap();
        assert_eq!(hours.end_at(at(now)), end.map(at));
    }

    #[test]
    fn they_end_in_the_morning_of_their_zone() {
        let night = "22:00-07:00 Europe/Berlin";
        check(night, "2026-09-21T19:59:59.999Z", None);
        check(night, "2026-09-21T20:00:00Z", Some("2026-09-22T05:00:00Z"));
        check(night, "2026-09-22T04:59:59.999Z", Some("2026-09-22T05:00:00Z"));
        check(night, "2026-09-22T05:00:00Z", None);
        check(
            "12:00-13:30",
            "2026-09-21T12:15:00Z",
            Some("2026-09-21T13:30:00Z"),
        );
        check("12:00-13:30", "2026-09-21T13:45:00Z", None);
        check(
            "22:00-07:00 -05:00",
            "2026-09-21T03:00:00Z",
            Some("2026-09-21T12:00:00Z"),
        );
    }

    #[test]
    fn clocks_that_are_put_forward_or_back_do_not_matter() {
        let night = "22:00-07:00 Europe/Berlin";
        // Winter time begins on 25 October 2026, summer time on 28 March 2027.
        check(night, "2026-10-24T23:30:00Z", Some("2026-10-25T06:00:00Z"));
        check(night, "2027-03-28T01:30:00Z", Some("2027-03-28T05:00:00Z"));
        check("02:30-03:30 Europe/Berlin", "2027-03-28T01:15:00Z", None);
        let hours = QuietHours::parse(night).unwrap();
        let of = |from, to| hours.within(at(from), at(to));
        assert_eq!(of("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"), HOUR * 10);
        assert_eq!(of("2027-03-27T12:00:00Z", "2027-03-28T12:00:00Z"), HOUR * 8);
    }

    #[test]
    fn what_they_take_of_a_longer_time_is_counted() {
        let hours = QuietHours::parse("22:00-06:00").unwrap();
        let of = |from, to| hours.within(at(from), at(to));
        assert_eq!(of("2026-09-21T23:00:00Z", "2026-09-21T23:30:00Z"), HOUR / 2);
        assert_eq!(of("2026-09-21T05:00:00Z", "2026-09-21T23:00:00Z"), HOUR * 2);
        assert_eq!(of("2026-09-21T12:00:00Z", "2026-09-24T12:00:00Z"), HOUR * 24);
        assert_eq!(of("2026-09-21T12:00:00Z", "2026-09-21T13:00:00Z"), Duration::ZERO);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (text, message) in [
            ("night", "`night` are not hours of a day"),
            ("22-7", "`22` is not a time of day"),
            ("22:00-25:00", "`25:00` is not a time of day"),
            ("22:00-22:00 UTC", "pause the webhook"),
            ("22:00-07:00 Berlin", "`Berlin` is not a time zone"),
        ] {
            let error = QuietHours::parse(text).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
