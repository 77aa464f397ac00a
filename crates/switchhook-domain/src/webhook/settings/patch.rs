//! Subject of a change of settings: nothing, credentials, or values that were shown masked.

use std::collections::BTreeMap;

use crate::credential::MASK;

use super::{SettingsPatch, WebhookSettings};

impl SettingsPatch {
    /// True if nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// True if the change reveals or decides something that requires seeing what the webhook gets: its secret, the
    /// form of the signature, templates, and the headers by which receivers authenticate us and proxies route.
    #[must_use]
    pub fn concerns_credentials(&self, before: &WebhookSettings) -> bool {
        let shows_secret = before.hide_secret && self.hide_secret == Some(false);
        shows_secret || self.changes_what_needs_clearance(before)
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

fn unknown_mask<'a>(headers: Option<&'a Headers>, before: &Headers) -> Option<&'a str> {
    let mut masked = headers?.iter().filter(|(_, value)| *value == MASK);
    let unknown = masked.find(|(name, _)| !before.contains_key(&name.to_ascii_lowercase()));
    unknown.map(|(name, _)| name.as_str())
}
