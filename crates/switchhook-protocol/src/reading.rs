//! How a view is read out of an event's bytes: one pass over the top level, each wanted value looked at once more.
//! Values are cut out as raw JSON text first, so that a number too large for a double, an unexpected type or a
//! broken escape costs its own field and nothing else. Which fields there are is in the file of each kind.
//!
//! serde's derive is not used because it refuses a repeated key; here the last one wins.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::timestamp::Timestamp;
use crate::value::Text;

/// A value that can be read from JSON text known to be valid. `None` means absent or of another type.
pub(crate) trait Read<'a>: Sized {
    fn read(json: &'a str) -> Option<Self>;
}

/// What may stand behind a key: a value or none, or a list.
pub(crate) trait Field<'a>: Default {
    fn read(json: &'a str) -> Self;
}

impl<'a, T: Read<'a>> Field<'a> for Option<T> {
    fn read(json: &'a str) -> Self {
        T::read(json)
    }
}

/// A single value counts as a list of one; elements of another type are left out.
impl<'a, T: Read<'a>> Field<'a> for Vec<T> {
    fn read(json: &'a str) -> Self {
        if !json.starts_with('[') {
            return T::read(json).into_iter().collect();
        }
        let mut list = Self::new();
        // Valid JSON text that begins like an array is one, so there is no error to tell about.
        let _ = walk_array(json, |element| list.extend(T::read(element)));
        list
    }
}

/// An object whose fields are set one by one as the pass meets their keys.
pub(crate) trait View<'a>: Default {
    fn set(&mut self, key: &str, json: &'a str);
}

/// Reads a whole body. An empty object is a view without any field.
pub(crate) fn read_view<'a, T: View<'a>>(body: &'a str) -> Result<T, serde_json::Error> {
    let mut view = T::default();
    walk_object(body, |key, json| view.set(key, json))?;
    Ok(view)
}

/// A nested object; an empty one is how real traffic writes an absent one.
impl<'a, T: View<'a>> Read<'a> for T {
    fn read(json: &'a str) -> Option<Self> {
        if !json.starts_with('{') {
            return None;
        }
        let mut view = T::default();
        let mut is_empty = true;
        let read = walk_object(json, |key, json| {
            is_empty = false;
            view.set(key, json);
        });
        (read.is_ok() && !is_empty).then_some(view)
    }
}

impl<'a> Read<'a> for Text<'a> {
    fn read(json: &'a str) -> Option<Self> {
        read_text(json)
    }
}

impl<'a> Read<'a> for bool {
    fn read(json: &'a str) -> Option<Self> {
        match json {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

impl<'a> Read<'a> for f64 {
    fn read(json: &'a str) -> Option<Self> {
        let number: Self = is_number(json).then(|| json.parse().ok())??;
        number.is_finite().then_some(number)
    }
}

/// Whole milliseconds, whether sent as an integer, with a fraction, or as a string of digits.
impl<'a> Read<'a> for Timestamp {
    fn read(json: &'a str) -> Option<Self> {
        if is_number(json) {
            return json
                .parse()
                .ok()
                .or_else(|| within_int64(f64::read(json)?))
                .map(Self::from_millis);
        }
        read_text(json)?.parse().ok().map(Self::from_millis)
    }
}

fn within_int64(number: f64) -> Option<i64> {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the fraction is meant to go; the range is checked"
    )]
    (-BOUND..BOUND).contains(&number).then_some(number as i64)
}

pub(crate) fn is_number(json: &str) -> bool {
    json.starts_with(|first: char| first == '-' || first.is_ascii_digit())
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

/// Calls `each` with every key and the JSON text of its value, in order, repeated keys included.
pub(crate) fn walk_object<'a>(
    json: &'a str,
    each: impl FnMut(&str, &'a str),
) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_map(EachMember(each))?;
    deserializer.end()
}

fn walk_array<'a>(json: &'a str, each: impl FnMut(&'a str)) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_seq(EachElement(each))?;
    deserializer.end()
}

struct EachMember<F>(F);

impl<'a, F: FnMut(&str, &'a str)> Visitor<'a> for EachMember<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut members: A) -> Result<(), A::Error> {
        // Keys are cut out raw too: decoding them would refuse keys that are valid JSON (a lone surrogate).
        while let Some((key, value)) = members.next_entry::<&RawValue, &RawValue>()? {
            if let Some(key) = read_text(key.get()) {
                (self.0)(&key, value.get());
            }
        }
        Ok(())
    }
}

struct EachElement<F>(F);

impl<'a, F: FnMut(&'a str)> Visitor<'a> for EachElement<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<&RawValue>()? {
            (self.0)(element.get());
        }
        Ok(())
    }
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

/// A struct of fields together with the key each is read from: its own name, unless `= "key"` follows.
macro_rules! view {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident<$life:lifetime> {
            $( $(#[$field_meta:meta])* $field:ident: $type:ty $(= $key:literal)?, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        $visibility struct $name<$life> {
            $( $(#[$field_meta])* pub $field: $type, )+
        }

        impl<$life> $crate::reading::View<$life> for $name<$life> {
            fn set(&mut self, key: &str, json: &$life str) {
                $(
                    if key == $crate::reading::key!($field $($key)?) {
                        self.$field = $crate::reading::Field::read(json);
                        return;
                    }
                )+
            }
        }
    };
}

macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

pub(crate) use {key, view};

#[cfg(test)]
mod tests {
    use super::*;

    view! {
        /// A view for these tests.
        struct Sample<'a> {
            /// Text.
            name: Option<Text<'a>>,
            /// Renamed.
            size: Option<f64> = "type",
            /// A list.
            tags: Vec<Text<'a>>,
            /// Nested.
            inner: Option<Box<Nested<'a>>>,
            /// An instant.
            at: Option<Timestamp>,
        }
    }

    view! {
        /// Nested.
        struct Nested<'a> {
            /// Text.
            name: Option<Text<'a>>,
        }
    }

    impl<'a> Read<'a> for Box<Nested<'a>> {
        fn read(json: &'a str) -> Option<Self> {
            Nested::read(json).map(Self::new)
        }
    }

    fn sample(json: &str) -> Sample<'_> {
        read_view(json).expect("the sample is an object")
    }

    #[test]
    fn a_field_of_another_type_is_absent_and_harms_no_other() {
        let view = sample(r#"{"name": 5, "type": "x", "tags": {"a": 1}, "inner": [], "at": 12.9}"#);
        let expected = Sample {
            at: Some(Timestamp::from_millis(12)),
            ..Sample::default()
        };
        assert_eq!(view, expected);
    }

    #[test]
    fn of_a_repeated_key_the_last_wins_even_if_it_is_null() {
        assert_eq!(sample(r#"{"name":"a","name":"b"}"#).name.as_deref(), Some("b"));
        assert_eq!(sample(r#"{"name":"a","name":null}"#).name, None);
        assert_eq!(sample(r#"{"tags":["a"],"tags":["b"]}"#).tags, ["b"]);
    }

    #[test]
    fn escapes_are_decoded_in_keys_and_values_and_nothing_else_is_copied() {
        let view = sample(r#"{"n\u0061me": "caf\u00e9", "tags": ["plain"]}"#);
        assert_eq!(view.name.as_deref(), Some("café"));
        assert!(matches!(view.tags[..], [Cow::Borrowed("plain")]));
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced_and_as_a_key_ignored() {
        assert_eq!(
            sample(r#"{"name":"a\ud83d"}"#).name.as_deref(),
            Some("a\u{fffd}\u{fffd}\u{fffd}")
        );
        assert_eq!(sample(r#"{"\ud83d":1,"name":"b"}"#).name.as_deref(), Some("b"));
    }

    #[test]
    fn an_empty_object_is_absent_and_a_bare_value_is_a_list_of_one() {
        assert_eq!(sample(r#"{"inner":{}}"#).inner, None);
        assert!(sample(r#"{"inner":{"other":1}}"#).inner.is_some());
        assert_eq!(sample(r#"{"tags":"one"}"#).tags, ["one"]);
        assert_eq!(sample(r#"{"tags":null}"#).tags, Vec::<Text<'_>>::new());
        assert_eq!(sample(r#"{"tags":["a",5,null,"b"]}"#).tags, ["a", "b"]);
    }

    #[test]
    fn instants_are_read_from_integers_floats_and_digits() {
        let at = |json: &str| sample(json).at.map(Timestamp::as_millis);
        assert_eq!(at(r#"{"at":9223372036854775807}"#), Some(i64::MAX));
        assert_eq!(at(r#"{"at":1795253400250.75}"#), Some(1_795_253_400_250));
        assert_eq!(at(r#"{"at":"1795253400250"}"#), Some(1_795_253_400_250));
        assert_eq!(at(r#"{"at":1e400}"#), None);
        assert_eq!(at(r#"{"at":9223372036854775808}"#), None);
    }
}
