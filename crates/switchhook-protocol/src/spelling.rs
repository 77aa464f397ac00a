//! One macro for the enums whose values have a spelling on the wire, in a database or on a command line: each value
//! is written once. It makes the list of values, both directions of the conversion and serde from that one line.
//! Reading ignores case and separators (real traffic writes `Office` for `office`, `call_center` for `callcenter`);
//! writing uses the documented spelling.

use std::fmt;

use crate::text::quoted;

/// A word that is none of the known ones, where only those make sense (a filter, a request).
///
/// In payloads unknown words are no error: see [`Word`](crate::Word).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    what: &'static str,
    given: String,
    known: Vec<&'static str>,
}

impl UnknownWord {
    /// The error for `given`, which is not a `what` (in singular: `call state`, `target type`): those are `known`.
    #[must_use]
    pub fn new(what: &'static str, given: &str, known: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            what,
            given: quoted(given).into_owned(),
            known: known.into_iter().collect(),
        }
    }

    /// Noun for the word, in singular: `call state`, `target type`.
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// Every spelling that would have been understood.
    #[must_use]
    pub fn known(&self) -> &[&'static str] {
        &self.known
    }
}

/// `` `fast` is not a validation mode: use off, warn or strict ``.
impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, given, known } = self;
        let article = if what.starts_with(['a', 'e', 'i', 'o', 'u', 'A']) {
            "an"
        } else {
            "a"
        };
        write!(f, "`{given}` is not {article} {what}: use ")?;
        match known.as_slice() {
            [firsts @ .., last] if !firsts.is_empty() => write!(f, "{} or {last}", firsts.join(", ")),
            words => f.write_str(&words.concat()),
        }
    }
}

impl std::error::Error for UnknownWord {}

/// True if two words say the same: case, `_` and `-` do not count, because real traffic is not of one mind about them.
///
/// ```
/// assert!(switchhook_protocol::same_word("Call_Center", "callcenter"));
/// assert!(!switchhook_protocol::same_word("call_centre", "callcenter"));
/// ```
#[must_use]
pub fn same_word(one: &str, other: &str) -> bool {
    letters(one).eq(letters(other))
}

fn letters(word: &str) -> impl Iterator<Item = u8> {
    let is_separator = |byte: &u8| matches!(byte, b'_' | b'-');
    word.bytes()
        .filter(move |byte| !is_separator(byte))
        .map(|byte| byte.to_ascii_lowercase())
}

/// Declares an enum whose values have a spelling, with `ALL`, `as_str`, `Display`, `FromStr` and serde.
///
/// ```
/// switchhook_protocol::spelled_enum! {
///     /// How ripe a fruit is.
///     #[derive(Default)]
///     pub enum Ripeness: "degree of ripeness" {
///         /// Not yet to be eaten.
///         #[default]
///         Green = "green",
///         /// To be eaten today.
///         Ripe = "ripe",
///     }
/// }
///
/// assert_eq!("Ripe".parse(), Ok(Ripeness::Ripe));
/// let error = "rotten".parse::<Ripeness>().unwrap_err();
/// assert_eq!(error.to_string(), "`rotten` is not a degree of ripeness: use green or ripe");
/// ```
#[macro_export]
macro_rules! spelled_enum {
    (
        $(#[$meta:meta])*
        $visibility:vis enum $name:ident: $what:literal {
            $( $(#[$variant_meta:meta])* $variant:ident = $spelling:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility enum $name {
            $( $(#[$variant_meta])* #[doc = concat!("`", $spelling, "`")] $variant, )+
        }

        impl $name {
            /// Every value, in the order of the enum.
            $visibility const ALL: [Self; [$($spelling),+].len()] = [$(Self::$variant),+];

            /// The value's spelling.
            #[must_use]
            $visibility const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $spelling, )+
                }
            }
        }

        $crate::spelled!($name: $what);
    };
}

/// Makes `Display`, `FromStr` and serde for a type that has `ALL` and `as_str`; [`spelled_enum!`](crate::spelled_enum)
/// does it for enums.
#[macro_export]
macro_rules! spelled {
    ($name:ident: $what:literal) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                // Most words are spelled as they should be.
                let exact = Self::ALL.into_iter().find(|known| known.as_str() == word);
                exact
                    .or_else(|| {
                        let mut all = Self::ALL.into_iter();
                        all.find(|known| $crate::same_word(known.as_str(), word))
                    })
                    .ok_or_else(|| $crate::UnknownWord::new($what, word, Self::ALL.map(Self::as_str)))
            }
        }

        impl $crate::__serde::Serialize for $name {
            fn serialize<S: $crate::__serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> $crate::__serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::__serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use $crate::__serde::de::Error;

                let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                word.parse().map_err(D::Error::custom)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_is_answered_with_what_is_known() {
        for (what, known, expected) in [
            (
                "profile",
                &["durable", "dialpad"][..],
                "`x` is not a profile: use durable or dialpad",
            ),
            (
                "agent type",
                &["callcenter"],
                "`x` is not an agent type: use callcenter",
            ),
            (
                "API mode",
                &["a", "b", "c"],
                "`x` is not an API mode: use a, b or c",
            ),
        ] {
            assert_eq!(
                UnknownWord::new(what, "x", known.iter().copied()).to_string(),
                expected
            );
        }
        let long = UnknownWord::new("word", &"ä".repeat(1_000_000), ["a"]);
        assert!(long.to_string().len() < 200);
    }
}
