//! Options that take one of a few words: the help lists them, shells complete them, and the word's own type reads them.

use std::error::Error;
use std::ffi::OsStr;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use clap::builder::{PossibleValue, TypedValueParser};
use switchhook_domain::Kind;
use switchhook_domain::credential::shown_url;
use switchhook_domain::delivery::StateName;
use switchhook_protocol::{UnknownWord, quoted};
use url::Url;

/// Parser of a word. The help lists the known words; `read` may accept more.
#[derive(Debug)]
pub(crate) struct Words<T, E> {
    known: Vec<&'static str>,
    read: fn(&str) -> Result<T, E>,
}

/// One of the known words of a type. Spaces around it are ignored, since lists are written with them.
pub(crate) fn one_of<T: FromStr>(known: impl IntoIterator<Item = &'static str>) -> Words<T, T::Err> {
    Words {
        known: known.into_iter().collect(),
        read: |text| text.trim().parse(),
    }
}

/// A boolean as programs and people write it.
pub(crate) fn yes_no() -> Words<bool, String> {
    Words {
        known: vec!["true", "false"],
        read: parse_yes_no,
    }
}

fn parse_yes_no(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
        _ => Err(format!(
            "`{}` is neither yes nor no: write true or false",
            quoted(text)
        )),
    }
}

/// One of the known words, or anything else that `read` accepts.
pub(crate) fn one_of_or<T, E>(
    known: impl IntoIterator<Item = &'static str>,
    read: fn(&str) -> Result<T, E>,
) -> Words<T, E> {
    Words {
        known: known.into_iter().collect(),
        read,
    }
}

/// A whole number in this range.
pub(crate) fn whole_number<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: FromStr + PartialOrd + fmt::Display + Clone,
{
    move |text| {
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            let (min, max) = (range.start(), range.end());
            format!("`{}` is not a whole number from {min} to {max}", quoted(text))
        })
    }
}

/// Parses a rate: a positive number, with a fraction or without.
pub(crate) fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text
        .trim()
        .parse()
        .ok()
        .filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| {
        format!(
            "`{}` is not a rate; write a number above 0, such as 10 or 0.5",
            quoted(text)
        )
    })
}

/// An HTTP URL, such as `example`.
pub(crate) fn url(example: &'static str) -> impl Fn(&str) -> Result<Url, String> + Clone {
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    move |text| {
        let url = text.parse().ok().filter(is_web);
        url.ok_or_else(|| format!("`{}` is not a URL; write it as {example}", shown_url(text)))
    }
}

/// A kind of events.
pub(crate) fn kinds() -> Words<Kind, UnknownWord> {
    one_of(Kind::ALL.map(Kind::route))
}

/// A kind that a kept event can be of.
pub(crate) fn kept_kinds() -> Words<Kind, UnknownWord> {
    Words {
        known: Kind::KEPT.map(Kind::route).into(),
        read: |text| Kind::of_kept(text.trim()),
    }
}

/// A state of deliveries.
pub(crate) fn states() -> Words<StateName, String> {
    Words {
        known: StateName::ALL.map(StateName::as_str).into(),
        read: parse_state,
    }
}

/// Lists show words such as `retrying` that are not states; the error names the state to use.
fn parse_state(text: &str) -> Result<StateName, String> {
    let text = text.trim();
    let used_word = |state| {
        format!(
            "{} is how lists put it: use {state}, the state of such deliveries",
            quoted(text)
        )
    };
    text.parse().map_err(|unknown: UnknownWord| match text {
        "failed" => used_word(StateName::Exhausted),
        "sending" | "retrying" | "held" | "waiting" => used_word(StateName::Pending),
        _ => unknown.to_string(),
    })
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
