//! Amounts that may be unlimited: `30d`, `10GB`, `none`.

use std::time::Duration;

use switchhook_node::duration::parse_duration;
use switchhook_protocol::quoted;

/// Bound on what is kept; `None` keeps everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound<T>(pub Option<T>);

/// Reads a length of time, or `none`.
///
/// # Errors
/// If it is neither.
pub fn parse_age(text: &str) -> Result<Bound<Duration>, String> {
    if text.trim() == "none" {
        return Ok(Bound(None));
    }
    let age = parse_duration(text).map_err(|error| format!("{error}; or none, to keep everything"))?;
    Ok(Bound(Some(age)))
}

const UNITS: [(&str, u64); 9] = [
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("b", 1),
];

/// Reads a number of bytes with its unit, or `none`.
///
/// # Errors
/// If it is neither.
pub fn parse_size(text: &str) -> Result<Bound<u64>, String> {
    let word = text.trim().to_ascii_lowercase();
    if word == "none" {
        return Ok(Bound(None));
    }
    let end = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (number, unit) = word.split_at(end);
    let unit = UNITS.iter().find(|(name, _)| *name == unit.trim());
    let bytes = unit.and_then(|(_, factor)| number.parse::<u64>().ok()?.checked_mul(*factor));
    bytes.map(|bytes| Bound(Some(bytes))).ok_or_else(|| {
        format!(
            "`{}` is not a size; write a number and a unit (MB, GB, GiB, …), like 10GB, or none",
            quoted(text)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_a_unit_or_is_none() {
        for (text, bytes) in [
            ("10GB", Some(10_000_000_000)),
            ("512 mib", Some(512 << 20)),
            ("7b", Some(7)),
            ("none", None),
        ] {
            assert_eq!(parse_size(text), Ok(Bound(bytes)), "{text}");
        }
        for wrong in ["", "10", "GB", "-1GB", "1.5GB", "99999999999TB", "10 apples"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            parse_age("30d"),
            Ok(Bound(Some(Duration::from_secs(30 * 86_400))))
        );
        assert_eq!(parse_age("none"), Ok(Bound(None)));
        assert!(parse_age("30").is_err());
    }
}
