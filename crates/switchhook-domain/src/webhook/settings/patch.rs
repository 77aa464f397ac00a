//! Subject of a change of settings: nothing, credentials, or values that were shown masked.

use std::collections::BTreeMap;

use crate::credential::{MASK, shown_value};
use crate::webhook::authentication::Authentication;

use super::{SettingsPatch, Value, WebhookSettings};

impl SettingsPatch {
    /// True if nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// True if the change reveals or decides something that requires seeing what the webhook gets: its secret, the
    /// form of the signature, templates, and the headers by which receivers authenticate us and proxies route.
    ///
    /// A credential among the headers counts even if it equals the present one, because that must not be found out by
    /// trying.
    #[must_use]
    pub fn concerns_credentials(&self, before: &WebhookSettings) -> bool {
        let shows_secret = before.hide_secret && self.hide_secret == Some(false);
        let shows_otherwise = self.auth.as_ref().is_some_and(|auth| {
            let names_secret = auth.0.as_ref().is_some_and(Authentication::names_secret);
            names_secret || auth.clone().kept_over(&before.auth) != before.auth
        }) || self.ca.as_ref().is_some_and(|ca| *ca != before.ca);
        let makes_otherwise = self
            .template
            .as_ref()
            .is_some_and(|template| *template != before.template)
            || self
                .content_type
                .as_ref()
                .is_some_and(|content_type| *content_type != before.content_type);
        let tells_otherwise = changes(self.headers.as_ref(), &before.headers)
            || changes(self.event_headers.as_ref(), &before.event_headers);
        shows_secret
            || shows_otherwise
            || tells_otherwise
            || makes_otherwise
            || self.jwt.is_some_and(|jwt| jwt != before.jwt)
            || self
                .standard_webhooks
                .is_some_and(|standard| standard != before.standard_webhooks)
    }

    /// The header whose masked value was sent back although none is set, with the name of its setting.
    #[must_use]
    pub fn unknown_mask(&self, before: &WebhookSettings) -> Option<(&'static str, &str)> {
        let unknown = unknown_mask(self.headers.as_ref(), &before.headers);
        let of_events = || unknown_mask(self.event_headers.as_ref(), &before.event_headers);
        let unknown = unknown.map(|name| ("headers", name));
        unknown.or_else(|| of_events().map(|name| ("event_headers", name)))
    }

    /// True if masked credentials came back although none of their type are set.
    #[must_use]
    pub fn has_unknown_auth(&self, before: &WebhookSettings) -> bool {
        let auth = self.auth.as_ref();
        auth.is_some_and(|auth| auth.has_unknown_mask(&before.auth))
    }
}

type Headers = BTreeMap<String, String>;

/// True if headers change, or credentials are named in them.
fn changes(headers: Option<&Headers>, before: &Headers) -> bool {
    let names_credential = |headers: &Headers| {
        let mut named = headers.iter();
        named.any(|(name, value)| value != MASK && shown_value(name, value) != *value)
    };
    headers.is_some_and(|headers| {
        names_credential(headers) || headers.clone().in_place_of(before.clone()) != *before
    })
}

fn unknown_mask<'a>(headers: Option<&'a Headers>, before: &Headers) -> Option<&'a str> {
    let mut masked = headers?.iter().filter(|(_, value)| *value == MASK);
    let unknown = masked.find(|(name, _)| !before.contains_key(&name.to_ascii_lowercase()));
    unknown.map(|(name, _)| name.as_str())
}
