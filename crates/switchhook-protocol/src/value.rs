//! The small values inside a payload, each kept as it stood in the event's bytes.
//! Numbers stay text, because an int64 id or a long fraction must not lose a digit on its way through.
//! How they are found and read is in `reading`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use crate::outline::Value;
use crate::reading::Read;
use crate::text::Text;

/// An id, which Dialpad sends as a bare integer (up to int64), in some places as a string.
///
/// Two ids are equal if their texts are, so `5` and `"5"` are the same id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<'a>(Text<'a>);

impl<'a> Id<'a> {
    /// The id's text, digit for digit as it was sent, without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as a number, if it is a whole one within int64.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        // Rust would read a `+`, and a telephone number is no id.
        if self.0.starts_with('+') {
            return None;
        }
        // What came through a language without integers may end with `.0`.
        let (whole, fraction) = self.0.split_once('.').unwrap_or((&self.0, ""));
        let is_whole = fraction.bytes().all(|digit| digit == b'0');
        whole.parse().ok().filter(|_| is_whole)
    }

    /// The text itself.
    #[must_use]
    pub fn into_text(self) -> Text<'a> {
        self.0
    }
}

impl<'a> Read<'a> for Id<'a> {
    fn read(value: Value<'_, 'a>) -> Option<Self> {
        if value.is_number() {
            return Some(Self(Cow::Borrowed(value.json())));
        }
        value.text().filter(|text| !text.is_empty()).map(Self)
    }
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A length of time. Dialpad sends its durations in **milliseconds**, most of them with a fraction.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Milliseconds(f64);

impl Milliseconds {
    /// Milliseconds with their fraction. Always finite.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0
    }

    /// The same as a [`Duration`]; zero if the number is negative, [`Duration::MAX`] if it is too large.
    #[must_use]
    pub fn as_duration(self) -> Duration {
        Duration::try_from_secs_f64(self.0.max(0.0) / 1000.0).unwrap_or(Duration::MAX)
    }
}

impl<'a> Read<'a> for Milliseconds {
    fn read(value: Value<'_, 'a>) -> Option<Self> {
        f64::read(value).map(Self)
    }
}

/// A word from an open set: kept as text, known if it is one of `T`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Word<'a, T> {
    text: Text<'a>,
    kind: PhantomData<fn() -> T>,
}

impl<T> Word<'_, T> {
    /// The word as it was sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<T: FromStr> Word<'_, T> {
    /// The word's meaning, whatever its case; `None` if this program does not know it.
    #[must_use]
    pub fn known(&self) -> Option<T> {
        self.text.parse().ok()
    }
}

impl<'a, T> Read<'a> for Word<'a, T> {
    fn read(value: Value<'_, 'a>) -> Option<Self> {
        let text = value.text().filter(|text| !text.is_empty())?;
        Some(Self {
            text,
            kind: PhantomData,
        })
    }
}

impl<T> fmt::Debug for Word<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Word").field(&self.text).finish()
    }
}

impl<T> fmt::Display for Word<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// A value without a fixed form, as its JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// The JSON text, byte for byte as it was sent.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

impl<'a> Read<'a> for Json<'a> {
    fn read(value: Value<'_, 'a>) -> Option<Self> {
        (!value.is_nothing()).then(|| Self(value.json()))
    }
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::read_alone;

    #[track_caller]
    fn check_id(json: &str, text: Option<&str>, number: Option<i64>) {
        read_alone(json, |value| {
            let id = Id::read(value);
            assert_eq!(id.as_ref().map(Id::as_str), text, "{json}");
            assert_eq!(id.and_then(|id| id.as_i64()), number, "{json}");
        });
    }

    #[test]
    fn an_id_keeps_every_digit() {
        check_id("9223372036854775807", Some("9223372036854775807"), Some(i64::MAX));
        check_id("9223372036854775808", Some("9223372036854775808"), None);
        check_id(
            "4513924407164928",
            Some("4513924407164928"),
            Some(4_513_924_407_164_928),
        );
        check_id(
            r#""4513924407164928""#,
            Some("4513924407164928"),
            Some(4_513_924_407_164_928),
        );
        check_id("5556.0", Some("5556.0"), Some(5_556));
        check_id("5556.5", Some("5556.5"), None);
        check_id("1e400", Some("1e400"), None);
        check_id(r#""local_Kx2""#, Some("local_Kx2"), None);
        check_id(r#""+15550100""#, Some("+15550100"), None);
    }

    #[test]
    fn what_is_no_id_is_absent() {
        for json in ["null", "true", "{}", "[]", r#""""#] {
            check_id(json, None, None);
        }
    }

    #[test]
    fn milliseconds_are_not_seconds() {
        let read = |json| {
            read_alone(json, |value| {
                Milliseconds::read(value).map(Milliseconds::as_duration)
            })
        };
        assert_eq!(read("8951.03"), Some(Duration::from_nanos(8_951_030_000)));
        assert_eq!(read("-1"), Some(Duration::ZERO));
        assert_eq!(read("1e300"), Some(Duration::MAX));
        assert_eq!(read("1e400"), None);
    }

    #[test]
    fn a_free_value_is_absent_when_it_holds_nothing() {
        for json in ["null", "{}", "{ }", "[]", "[\n]"] {
            read_alone(json, |value| assert_eq!(Json::read(value), None, "{json}"));
        }
        for json in ["{\"a\":1}", "[0]", "\"\"", "0"] {
            read_alone(json, |value| {
                assert_eq!(Json::read(value).map(Json::as_str), Some(json));
            });
        }
    }
}
