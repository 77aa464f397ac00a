//! Options that take one of a few words: the help lists them, shells complete them, and the word's own type reads them.

use std::error::Error;
use std::ffi::OsStr;
use std::str::FromStr;

use clap::builder::{PossibleValue, TypedValueParser};
use switchhook_domain::Kind;
use switchhook_domain::delivery::StateName;
use switchhook_protocol::UnknownWord;

/// Reads a word. Other spellings than the known ones are the reader's to take or to refuse.
#[derive(Debug)]
pub(crate) struct Words<T, E> {
    known: Vec<&'static str>,
    read: fn(&str) -> Result<T, E>,
}

/// A word that a type has, of which these are known.
pub(crate) fn of<T: FromStr>(known: impl IntoIterator<Item = &'static str>) -> Words<T, T::Err> {
    Words {
        known: known.into_iter().collect(),
        read: T::from_str,
    }
}

/// A kind of events.
pub(crate) fn kinds() -> Words<Kind, UnknownWord> {
    of(Kind::ALL.map(Kind::route))
}

/// A kind that a kept event can be of.
pub(crate) fn kept_kinds() -> Words<Kind, UnknownWord> {
    Words {
        known: Kind::KEPT.map(Kind::route).into(),
        read: Kind::of_kept,
    }
}

/// A state of deliveries.
pub(crate) fn states() -> Words<StateName, UnknownWord> {
    of(StateName::ALL.map(StateName::as_str))
}

impl<T, E> Clone for Words<T, E> {
    fn clone(&self) -> Self {
        Self {
            known: self.known.clone(),
            read: self.read,
        }
    }
}

impl<T, E> TypedValueParser for Words<T, E>
where
    T: Clone + Send + Sync + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        self.read.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.known.iter().map(PossibleValue::new)))
    }
}
