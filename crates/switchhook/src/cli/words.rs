//! Options that take one of a few words: the help lists them, shells complete them, and the word's own type reads them.

use std::error::Error;
use std::ffi::OsStr;
use std::marker::PhantomData;
use std::str::FromStr;

use clap::builder::{PossibleValue, TypedValueParser};
use switchhook_domain::Kind;

/// Reads a word. Other spellings than the known ones are the type's to take or to refuse.
#[derive(Debug)]
pub(super) struct Words<T> {
    known: Vec<&'static str>,
    read_as: PhantomData<fn() -> T>,
}

/// A word of which these are known.
pub(super) fn of<T>(known: impl IntoIterator<Item = &'static str>) -> Words<T> {
    Words {
        known: known.into_iter().collect(),
        read_as: PhantomData,
    }
}

/// A kind of events.
pub(super) fn kinds() -> Words<Kind> {
    of(Kind::ALL.map(Kind::route))
}

impl<T> Clone for Words<T> {
    fn clone(&self) -> Self {
        Self {
            known: self.known.clone(),
            read_as: PhantomData,
        }
    }
}

impl<T> TypedValueParser for Words<T>
where
    T: FromStr<Err: Error + Send + Sync> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        T::from_str.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.known.iter().map(PossibleValue::new)))
    }
}
