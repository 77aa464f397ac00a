//! Phone numbers in bytes: whether one occurs in an event, however it is written there.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The longest number there is (E.164), and the shortest that is looked for: fewer digits are in every event.
const LONGEST: usize = 15;
const SHORTEST: usize = 7;

/// How many separators may stand between two digits of a number: `+1 (555) …` has two.
const MOST_SEPARATORS: usize = 3;

/// A phone number with its country code. Its `Debug` and `Display` show the last two digits only.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber {
    digits: Vec<u8>,
}

/// A text that is no phone number. It does not repeat the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a phone number: write it with its country code, as +15551234567 ({SHORTEST} to {LONGEST} digits)"
)]
pub struct InvalidNumber;

impl FromStr for PhoneNumber {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        let text = text.trim();
        let rest = text.strip_prefix('+').ok_or(InvalidNumber)?;
        if !rest
            .bytes()
            .all(|byte| byte.is_ascii_digit() || is_separator(byte))
        {
            return Err(InvalidNumber);
        }
        let digits: Vec<u8> = rest.bytes().filter(u8::is_ascii_digit).collect();
        if (SHORTEST..=LONGEST).contains(&digits.len()) {
            Ok(Self { digits })
        } else {
            Err(InvalidNumber)
        }
    }
}

impl PhoneNumber {
    /// Whether the number occurs in `text`: its digits, all of them and no others beside them, with a few separators
    /// between them or none. JSON's escapes are seen through.
    ///
    /// ```
    /// use switchhook_domain::phone_number::PhoneNumber;
    ///
    /// let number: PhoneNumber = "+15551234567".parse().unwrap();
    /// assert!(number.occurs_in(br#"{"from_number":"+15551234567"}"#));
    /// assert!(number.occurs_in(br#"{"text":"call me: 1 (555) 123-4567!"}"#));
    /// assert!(!number.occurs_in(br#"{"call_id":155512345678}"#));
    /// ```
    #[must_use]
    pub fn occurs_in(&self, text: &[u8]) -> bool {
        let text = without_escapes(text);
        let begins = |at: usize| text[at] == self.digits[0] && (at == 0 || !text[at - 1].is_ascii_digit());
        (0..text.len()).any(|at| begins(at) && self.stands_at(&text[at..]))
    }

    fn stands_at(&self, text: &[u8]) -> bool {
        let mut rest = text;
        for (place, digit) in self.digits.iter().enumerate() {
            if place > 0 {
                let separators = rest.iter().take_while(|byte| is_separator(**byte)).count();
                if separators > MOST_SEPARATORS {
                    return false;
                }
                rest = &rest[separators..];
            }
            match rest.split_first() {
                Some((byte, after)) if byte == digit => rest = after,
                _ => return false,
            }
        }
        !rest.first().is_some_and(u8::is_ascii_digit)
    }
}

/// What people put between digits; the last two bytes are a space that does not break.
fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'(' | b')' | b'/' | 0xC2 | 0xA0)
}

/// The text with `\u0031` written as `1`.
fn without_escapes(text: &[u8]) -> Cow<'_, [u8]> {
    const ESCAPE: &[u8] = b"\\u00";
    if !text.windows(ESCAPE.len()).any(|window| window == ESCAPE) {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        match escaped(rest) {
            Some(letter) => {
                plain.push(letter);
                rest = &rest[ESCAPE.len() + 2..];
            }
            None => {
                plain.push(*byte);
                rest = after;
            }
        }
    }
    Cow::Owned(plain)
}

fn escaped(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(b"\\u00")?.get(..2)?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = &self.digits[self.digits.len() - 2..];
        write!(f, "+…{}", String::from_utf8_lossy(last))
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, occurs: bool) {
        let number: PhoneNumber = "+15551234567".parse().unwrap();
        assert_eq!(number.occurs_in(text.as_bytes()), occurs, "{text}");
    }

    #[test]
    fn a_number_is_found_however_it_is_written() {
        for text in [
            r#"{"from_number":"+15551234567"}"#,
            r#"{"to_number":["+15550000000","+15551234567"]}"#,
            r#"{"external_number":"15551234567"}"#,
            r#"{"text":"ring +1 555 123-4567 or +1 (555) 123.4567"}"#,
            r#"{"text":"1\u00205551234567"}"#,
            r#"{"text":"+\u0031\u0035551234567"}"#,
            "{\"text\":\"+1\u{a0}555\u{a0}1234567\"}",
            "15551234567",
        ] {
            check(text, true);
        }
    }

    #[test]
    fn a_part_of_a_longer_number_is_another_number() {
        for text in [
            r#"{"call_id":155512345670}"#,
            r#"{"call_id":9915551234567}"#,
            r#"{"from_number":"+155512345678"}"#,
            r#"{"text":"5551234567"}"#,
            r#"{"text":"1555123456"}"#,
            r#"{"text":"1    5551234567"}"#,
            r#"{"text":"1,555,1234567"}"#,
            "",
        ] {
            check(text, false);
        }
    }

    #[test]
    fn what_is_no_number_is_refused_and_not_repeated() {
        for text in [
            "",
            "+",
            "15551234567",
            "+1555",
            "+1234567890123456",
            "+1555123456x",
            "hunter2",
        ] {
            let refused = text.parse::<PhoneNumber>().unwrap_err().to_string();
            assert!(
                text.len() < 2 || text == "+1555" || !refused.contains(&format!("`{text}`")),
                "{refused}"
            );
        }
        let number: PhoneNumber = "+1 (555) 123-4567".parse().unwrap();
        assert_eq!(format!("{number} {number:?}"), "+…67 PhoneNumber(+…67)");
    }
}
