//! One macro for the enums whose values have a spelling on the wire: each value is written once.
//! It makes the list of values, both directions of the conversion and serde from that one line.
//! Reading ignores case and separators (real traffic writes `Office` for `office`, `call_center` for `callcenter`);
//! writing uses the documented spelling.

use std::fmt;

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
    pub(crate) fn new(what: &'static str, given: &str, known: Vec<&'static str>) -> Self {
        let given = given.chars().take(LONGEST_WORD_SHOWN).collect();
        Self { what, given, known }
    }

    /// What the word should have been, in singular: `call state`, `target type`.
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

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, given, known } = self;
        write!(f, "`{given}` is not a {what}; known are: {}", known.join(", "))
    }
}

impl std::error::Error for UnknownWord {}

/// A word comes from outside: an error message must not repeat a megabyte of it.
const LONGEST_WORD_SHOWN: usize = 64;

/// Whether two words say the same: case, `_` and `-` do not count, because real traffic is not of one mind about them.
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

/// `enum Name: "what it is" { Variant = "spelling", … }` with `ALL`, `as_str`, `Display`, `FromStr` and serde.
macro_rules! spelled_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident: $what:literal {
            $( $(#[$variant_meta:meta])* $variant:ident = $spelling:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $( $(#[$variant_meta])* #[doc = concat!("`", $spelling, "`")] $variant, )+
        }

        impl $name {
            /// Every value, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The spelling on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $spelling, )+
                }
            }
        }

        $crate::spelling::spelled!($name: $what);
    };
}

/// `Display`, `FromStr` and serde for a type that has `ALL` and `as_str`.
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
                Self::ALL
                    .iter()
                    .copied()
                    .find(|known| $crate::same_word(known.as_str(), word))
                    .ok_or_else(|| {
                        let known = Self::ALL.iter().map(|known| known.as_str()).collect();
                        $crate::UnknownWord::new($what, word, known)
                    })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use {spelled, spelled_enum};
