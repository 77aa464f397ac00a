//! Text from outside: out of an event's JSON, its escapes resolved, and as a message can bear it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

/// Text out of an event: borrowed from its bytes unless it held escapes.
pub type Text<'a> = Cow<'a, str>;

/// The longest that a message quotes what came from outside, in characters.
const LONGEST_QUOTED: usize = 64;

/// A text from outside as a message quotes it, in one line: of a long one the beginning, and `…`.
///
/// ```
/// use switchhook_protocol::quoted;
///
/// assert_eq!(quoted("fax"), "fax");
/// assert_eq!(quoted("fax\nerror: forged"), r"fax\nerror: forged");
/// assert_eq!(quoted(&"x".repeat(1_000_000)).chars().count(), 65);
/// ```
#[must_use]
pub fn quoted(text: &str) -> Cow<'_, str> {
    let short = shortened(text, LONGEST_QUOTED);
    if !short.contains(char::is_control) {
        return short;
    }
    let mut line = String::new();
    for letter in short.chars() {
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    Cow::Owned(line)
}

/// At most so many characters of a text; `…` follows if there are more.
///
/// ```
/// assert_eq!(switchhook_protocol::shortened("naïveté", 3), "naï…");
/// ```
#[must_use]
pub fn shortened(text: &str, longest: usize) -> Cow<'_, str> {
    match text.char_indices().nth(longest) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Bytes as hexadecimal digits, in lower case.
///
/// ```
/// assert_eq!(switchhook_protocol::hex(&[0, 0x7f, 0xff]), "007fff");
/// ```
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// A JSON string's text. Half a surrogate pair (a text cut inside an emoji) becomes U+FFFD characters.
pub(crate) fn read_text(json: &str) -> Option<Text<'_>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.as_bytes().contains(&b'\\') {
        return Some(Cow::Borrowed(inner));
    }
    let Lossy(text) = serde_json::from_str(json).ok()?;
    Some(Cow::Owned(text))
}

struct Lossy(String);

impl<'de> Deserialize<'de> for Lossy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Lossy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Lossy, E> {
                Ok(Lossy(String::from_utf8_lossy(bytes).into_owned()))
            }
        }

        // As bytes, because as a string serde_json refuses half a surrogate pair.
        deserializer.deserialize_bytes(Bytes)
    }
}
