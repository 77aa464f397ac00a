//! Query parameters.

use std::borrow::Cow;

use url::form_urlencoded;

use crate::id::absent_if_empty;

/// Value of a parameter; an empty one is absent.
#[must_use]
pub fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    parameters.find_map(|(key, value)| if key == name { absent_if_empty(value) } else { None })
}
