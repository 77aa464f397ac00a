//! Masks what the API shows and no assistant needs: secrets, credentials in headers, passwords in URLs.

use serde_json::Value;
use switchhook_domain::credential::{MASK, shown_url, shown_value};

/// Members that are secrets.
const SECRETS: [&str; 2] = ["secret", "standard_secret"];

/// An answer without credentials. Payloads stay as the API sends them.
pub(super) fn masked(data: Value) -> Value {
    match data {
        Value::Array(elements) => elements.into_iter().map(masked).collect(),
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| {
                let value = match (name.as_str(), value) {
                    ("payload", value) => value,
                    (name, Value::String(_)) if SECRETS.contains(&name) => MASK.into(),
                    ("headers", Value::Object(headers)) => {
                        let shown = headers.into_iter().map(|(name, value)| {
                            let shown = value
                                .as_str()
                                .map(|text| shown_value(&name, text).into_owned().into());
                            (name, shown.unwrap_or(value))
                        });
                        Value::Object(shown.collect())
                    }
                    (name, Value::String(text)) if name.ends_with("url") => {
                        shown_url(&text).into_owned().into()
                    }
                    (_, value) => masked(value),
                };
                (name, value)
            });
            Value::Object(members.collect())
        }
        value => value,
    }
}
