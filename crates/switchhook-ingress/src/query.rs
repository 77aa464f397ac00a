//! The parameters of an address.

use std::borrow::Cow;

use http::Uri;
use url::form_urlencoded;

use crate::id::absent_if_empty;

/// The value of a parameter.
#[must_use]
pub fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<Cow<'a, str>> {
    value_of(uri.query().unwrap_or_default(), name)
}

/// The same of a query by itself.
#[must_use]
pub fn value_of<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    parameters.find_map(|(key, value)| if key == name { absent_if_empty(value) } else { None })
}
