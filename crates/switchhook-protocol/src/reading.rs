//! Reading of views from an event's outline: one pass over the members, and one more look at each wanted value.
//! Values are JSON text until then, so that a number too large for a double, an unexpected type or a broken escape
//! costs its own field and nothing else. The fields are in the file of each kind.
//!
//! serde's derive is not used because it refuses a repeated key; here the last one wins.

use crate::outline::{JsonType, Outline, Value};
use crate::text::Text;
use crate::timestamp::Timestamp;

/// Type that can be read from a value. `None` means absent or of another type.
pub(crate) trait Read<'a>: Sized {
    fn read(value: Value<'_, 'a>) -> Option<Self>;
}

/// Type of a field: a value or none, or a list.
pub(crate) trait Field<'a>: Default {
    fn read(value: Value<'_, 'a>) -> Self;
}

impl<'a, T: Read<'a>> Field<'a> for Option<T> {
    fn read(value: Value<'_, 'a>) -> Self {
        T::read(value)
    }
}

/// A single value counts as a list of one; elements of another type are left out.
impl<'a, T: Read<'a>> Field<'a> for Vec<T> {
    fn read(value: Value<'_, 'a>) -> Self {
        if value.sort() == JsonType::Array {
            value.elements().filter_map(T::read).collect()
        } else {
            T::read(value).into_iter().collect()
        }
    }
}

/// An object whose fields are set one by one as the pass meets their keys.
pub(crate) trait View<'a>: Default {
    fn set(&mut self, key: &str, value: Value<'_, 'a>);
}

/// Reads a whole event. An empty object is a view without any field.
pub(crate) fn read_view<'a, T: View<'a>>(outline: &Outline<'a>) -> T {
    let mut view = T::default();
    for (key, value) in outline.root().members() {
        view.set(&key, value);
    }
    view
}

/// A nested object; an empty one is how real traffic writes an absent one.
impl<'a, T: View<'a>> Read<'a> for T {
    fn read(value: Value<'_, 'a>) -> Option<Self> {
        let mut members = value.members().peekable();
        members.peek()?;
        let mut view = T::default();
        for (key, value) in members {
            view.set(&key, value);
        }
        Some(view)
    }
}

impl<'a> Read<'a> for Text<'a> {
    fn read(value: Value<'_, 'a>) -> Option<Self> {
        value.text()
    }
}

impl<'a> Read<'a> for bool {
    fn read(value: Value<'_, 'a>) -> Option<Self> {
        (value.sort() == JsonType::Boolean).then(|| value.json() == "true")
    }
}

impl<'a> Read<'a> for f64 {
    fn read(value: Value<'_, 'a>) -> Option<Self> {
        let number: Self = value.is_number().then(|| value.json().parse().ok())??;
        number.is_finite().then_some(number)
    }
}

/// Whole milliseconds, whether sent as an integer, with a fraction, or as a string of digits.
impl<'a> Read<'a> for Timestamp {
    fn read(value: Value<'_, 'a>) -> Option<Self> {
        let millis = if value.is_number() {
            let whole = value.json().parse().ok();
            whole.or_else(|| within_int64(f64::read(value)?))
        } else {
            value.text()?.parse().ok()
        };
        millis.map(Self::from_millis)
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
            fn set(&mut self, key: &str, value: $crate::outline::Value<'_, $life>) {
                $(
                    if key == $crate::reading::key!($field $($key)?) {
                        self.$field = $crate::reading::Field::read(value);
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

/// Reads a JSON text that is a value by itself.
#[cfg(test)]
pub(crate) fn read_alone<T>(json: &str, read: impl FnOnce(Value<'_, '_>) -> T) -> T {
    let object = format!(r#"{{"it":{json}}}"#);
    let outline = Outline::read(object.as_bytes()).expect("a value stands in it");
    let (_name, value) = outline.root().members().next().expect("it has a member");
    read(value)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

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
        struct Nested<'a> {
            /// Text.
            name: Option<Text<'a>>,
        }
    }

    impl<'a> Read<'a> for Box<Nested<'a>> {
        fn read(value: Value<'_, 'a>) -> Option<Self> {
            Nested::read(value).map(Self::new)
        }
    }

    fn sample(json: &str) -> Sample<'_> {
        read_view(&Outline::read(json.as_bytes()).expect("the sample is an object"))
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
