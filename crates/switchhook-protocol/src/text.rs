//! Text out of an event's JSON, its escapes resolved.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

/// Text out of an event: borrowed from its bytes unless it held escapes.
pub type Text<'a> = Cow<'a, str>;

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
