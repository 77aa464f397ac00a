//! Limits as people read them. What a text says of a limit is made from the limit, so that it cannot say another.

use std::time::Duration;

/// A number of things: `10,000`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things with their noun, in singular or plural: `2 deliveries`.
#[must_use]
pub fn many(count: usize, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (count, Some(stem)) => format!("{count} {stem}ies"),
        (count, None) => format!("{count} {noun}s"),
    }
}

/// A number of bytes: `16 KiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let fitting = units
        .into_iter()
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    let (unit, factor) = fitting.unwrap_or(("bytes", 1));
    format!("{} {unit}", count(bytes / factor))
}

/// A length of time in the largest unit that people count it in: `24 hours`, `30 days`.
#[must_use]
pub fn time(length: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let seconds = length.as_secs();
    let units = [
        ("year", 365 * DAY, 2),
        ("day", DAY, 3),
        ("hour", 60 * 60, 1),
        ("minute", 60, 1),
    ];
    let fitting = units
        .into_iter()
        .find(|(_, unit, least)| seconds >= unit * least && seconds.is_multiple_of(*unit));
    let (unit, factor, _) = fitting.unwrap_or(("second", 1, 0));
    let number = seconds / factor;
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {unit}{plural}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_people_read_them() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        for (number, noun, text) in [
            (1, "delivery", "1 delivery"),
            (2, "delivery", "2 deliveries"),
            (0, "event", "0 events"),
        ] {
            assert_eq!(many(number, noun), text);
        }
        for (bytes, text) in [
            (100, "100 bytes"),
            (1_024, "1 KiB"),
            (1_500, "1,500 bytes"),
            (64 << 20, "64 MiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        const HOUR: u64 = 60 * 60;
        for (seconds, text) in [
            (1, "1 second"),
            (90, "90 seconds"),
            (60, "1 minute"),
            (HOUR, "1 hour"),
            (48 * HOUR, "48 hours"),
            (90 * 24 * HOUR, "90 days"),
            (365 * 24 * HOUR, "365 days"),
            (3_650 * 24 * HOUR, "10 years"),
        ] {
            assert_eq!(time(Duration::from_secs(seconds)), text);
        }
    }
}
