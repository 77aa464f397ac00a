//! Lengths of time as people write them: `250ms`, `60s`, `5m`, `1h30m`, `90d`.

use std::time::Duration;

use switchhook_protocol::quoted;

/// A text that is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time; write a number and a unit (ms, s, m, h, d), like 60s or 1h30m")]
pub struct InvalidDuration(String);

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a length of time.
///
/// # Errors
/// If a number lacks its unit, a unit is not known, or the sum is beyond what fits.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let invalid = || InvalidDuration(quoted(text).into_owned());
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut millis = 0_u64;
    while !rest.is_empty() {
        let (number, after) = split_at_first(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_at_first(after, |c| c.is_ascii_digit() || c == ' ');
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?;
        let number: u64 = number.parse().map_err(|_| invalid())?;
        let part = number.checked_mul(*factor).ok_or_else(invalid)?;
        millis = millis.checked_add(part).ok_or_else(invalid)?;
        rest = after.trim_start();
    }
    Ok(Duration::from_millis(millis))
}

/// Writes a length of time for a person, in at most two units: `1h 30m`, `12s 40ms`.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for (unit, factor) in UNITS {
        if rest >= factor && parts.len() < 2 {
            parts.push(format!("{}{unit}", rest / factor));
        } else if !parts.is_empty() {
            break;
        }
        rest %= factor;
    }
    if parts.is_empty() {
        "0s".to_owned()
    } else {
        parts.join(" ")
    }
}

fn split_at_first(text: &str, is_end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_end).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, millis: Option<u64>) {
        assert_eq!(
            parse_duration(text).ok(),
            millis.map(Duration::from_millis),
            "{text}"
        );
    }

    #[test]
    fn lengths_of_time_are_numbers_with_units() {
        check("250ms", Some(250));
        check("60s", Some(60_000));
        check("5m", Some(300_000));
        check("1h30m", Some(5_400_000));
        check("1h 30m", Some(5_400_000));
        check("90d", Some(7_776_000_000));
        check("0s", Some(0));
        for wrong in [
            "",
            "60",
            "s",
            "5 minutes",
            "-5s",
            "1.5h",
            "99999999999999999999d",
            "999999999999d",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn they_are_shown_in_at_most_two_units() {
        for (millis, shown) in [
            (0, "0s"),
            (40, "40ms"),
            (12_040, "12s 40ms"),
            (5_400_000, "1h 30m"),
            (3_600_250, "1h"),
        ] {
            assert_eq!(show_duration(Duration::from_millis(millis)), shown);
        }
    }
}
