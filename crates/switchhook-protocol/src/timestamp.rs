//! An instant as the wire has it: a whole number of milliseconds since 1970, UTC.
//! Also the date of HTTP headers, because `Retry-After` may hold one. Reading a clock is nobody's business here.
//! Calendar work is left to jiff; everything else is integer arithmetic that cannot overflow.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::{rfc2822, strtime};
use serde::{Deserialize, Serialize};

use crate::text::quoted;

/// Unix milliseconds, UTC. In JSON a bare integer, as Dialpad sends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant that many milliseconds after the start of 1970.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the start of 1970.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// That much later; parts of a millisecond are dropped, and the end of time is not passed.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(duration)))
    }

    /// That much earlier; parts of a millisecond are dropped, and the start of time is not passed.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(whole_millis(duration)))
    }

    /// The time from `earlier` to this instant; zero if `earlier` is in fact later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        if self <= earlier {
            return Duration::ZERO;
        }
        Duration::from_millis(self.0.abs_diff(earlier.0))
    }

    fn calendar(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_millisecond(self.0).ok()
    }
}

/// RFC 3339 with milliseconds, `2026-11-21T09:30:00.250Z`. Beyond the year 9999 the bare number, which
/// [`FromStr`] reads as well.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.calendar() {
            Some(calendar) => write!(f, "{calendar:.3}"),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Reads RFC 3339 (`2026-11-21T09:30:00Z`, any offset) or unix milliseconds; finer parts are dropped.
impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(millis) = text.parse() {
            return Ok(Self(millis));
        }
        let calendar: Result<jiff::Timestamp, _> = text.parse();
        calendar.map(from_calendar).map_err(|_| InvalidTimestamp {
            given: quoted(text).into_owned(),
        })
    }
}

/// A text that is no instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not an instant; write it as 2026-11-21T09:30:00Z or as milliseconds since 1970")]
pub struct InvalidTimestamp {
    given: String,
}

/// Reads the date of an HTTP header in any of the three forms that RFC 9110, section 5.6.7, asks to accept.
///
/// Two-digit years of the second form are read as 1969 to 2068. `None` if it is no such date.
#[must_use]
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(calendar) = rfc2822::DateTimeParser::new().parse_timestamp(text) {
        return Some(from_calendar(calendar));
    }
    OBSOLETE_HTTP_DATES.iter().find_map(|format| {
        let civil = strtime::parse(format, text).ok()?.to_datetime().ok()?;
        let zoned = civil.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok()?;
        Some(from_calendar(zoned.timestamp()))
    })
}

/// Writes the date of an HTTP header, `Sat, 21 Nov 2026 09:30:00 GMT`; `None` before year 0 or beyond 9999.
#[must_use]
pub fn format_http_date(timestamp: Timestamp) -> Option<String> {
    rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&timestamp.calendar()?)
        .ok()
}

/// RFC 850's date and C's `asctime`: obsolete, but a recipient must understand them.
const OBSOLETE_HTTP_DATES: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

fn from_calendar(calendar: jiff::Timestamp) -> Timestamp {
    Timestamp(calendar.as_millisecond())
}

fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORNING: Timestamp = Timestamp::from_millis(1_795_253_400_250);

    #[test]
    fn it_shows_as_rfc_3339_with_milliseconds_and_reads_back() {
        assert_eq!(MORNING.to_string(), "2026-11-21T09:30:00.250Z");
        assert_eq!("2026-11-21T09:30:00.250Z".parse(), Ok(MORNING));
        assert_eq!("2026-11-21T10:30:00.25+01:00".parse(), Ok(MORNING));
        assert_eq!("1795253400250".parse(), Ok(MORNING));
    }

    #[test]
    fn instants_beyond_the_calendar_show_as_their_number() {
        for millis in [i64::MAX, i64::MIN] {
            let text = Timestamp(millis).to_string();
            assert_eq!(text, millis.to_string());
            assert_eq!(text.parse(), Ok(Timestamp(millis)));
        }
    }

    #[test]
    fn what_is_no_instant_says_how_to_write_one() {
        let error = "yesterday".parse::<Timestamp>().unwrap_err().to_string();
        assert!(error.contains("2026-11-21T09:30:00Z"), "{error}");
    }

    #[test]
    fn arithmetic_stops_at_the_ends_of_time() {
        assert_eq!(Timestamp(i64::MAX).plus(Duration::MAX), Timestamp(i64::MAX));
        assert_eq!(Timestamp(i64::MIN).minus(Duration::MAX).0, i64::MIN);
        assert_eq!(
            MORNING.since(MORNING.plus(Duration::from_secs(1))),
            Duration::ZERO
        );
        assert_eq!(
            MORNING.plus(Duration::from_secs(3)).since(MORNING),
            Duration::from_secs(3)
        );
        assert_eq!(
            Timestamp(i64::MAX).since(Timestamp(i64::MIN)),
            Duration::from_millis(u64::MAX)
        );
    }

    #[test]
    fn all_three_forms_of_an_http_date_are_read() {
        let expected = Some(Timestamp::from_millis(784_111_777_000));
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "  Sun, 06 Nov 1994 08:49:37 GMT ",
        ] {
            assert_eq!(parse_http_date(text), expected, "{text}");
        }
        for text in ["", "120", "tomorrow", "Sun, 06 Nov 1994"] {
            assert_eq!(parse_http_date(text), None, "{text}");
        }
    }

    #[test]
    fn an_http_date_is_written_in_the_form_of_rfc_9110() {
        let text = format_http_date(MORNING).unwrap();
        assert_eq!(text, "Sat, 21 Nov 2026 09:30:00 GMT");
        assert_eq!(format_http_date(Timestamp(i64::MAX)), None);
    }
}
