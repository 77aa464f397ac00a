//! Credentials in answers: a webhook's secret, and those in its URL and headers.
//!
//! `traffic.rs` decides who sees how much, because it knows what goes to the webhook.

use std::collections::BTreeMap;

use switchhook_domain::credential::{shown_url, shown_value};
use switchhook_domain::secret::Secret;
use switchhook_domain::webhook::{Webhook, WebhookSettings};

/// Extent to which an answer shows secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretDisplay {
    /// Unless the webhook hides its own.
    AsSet,
    /// No: the server hides them.
    Never,
    /// No, nor any credential beside them: whoever asks may not know them.
    Masked,
    /// Yes: this is the one time.
    Always,
}

impl SecretDisplay {
    /// The secret, if it is shown.
    pub fn of(self, secret: &Secret, settings: &WebhookSettings) -> Option<String> {
        let is_shown = match self {
            Self::AsSet => !settings.hide_secret,
            Self::Never | Self::Masked => false,
            Self::Always => true,
        };
        is_shown.then(|| secret.expose().to_owned())
    }
}

/// A webhook's address, which may have credentials in it.
pub fn shown_hook_url(webhook: &Webhook, shown: SecretDisplay) -> String {
    match shown {
        SecretDisplay::Masked => shown_url(&webhook.hook_url).into_owned(),
        _ => webhook.hook_url.clone(),
    }
}

/// A webhook's settings: some of its headers are credentials as the secret is, and hidden with it.
pub fn shown_settings(settings: WebhookSettings, shown: SecretDisplay) -> WebhookSettings {
    WebhookSettings {
        headers: shown_headers(settings.headers, shown),
        event_headers: shown_headers(settings.event_headers, shown),
        ..settings
    }
}

fn shown_headers(headers: BTreeMap<String, String>, shown: SecretDisplay) -> BTreeMap<String, String> {
    if shown == SecretDisplay::AsSet {
        return headers;
    }
    let shown = |(name, value): (String, String)| {
        let value = shown_value(&name, &value).into_owned();
        (name, value)
    };
    headers.into_iter().map(shown).collect()
}
