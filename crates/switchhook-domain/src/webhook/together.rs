//! What of a webhook goes together: each part of it may be fine by itself, and not beside another.

use switchhook_protocol::{Timestamp, headers, is_broken_standard_secret};
use url::Url;

use super::{Authentication, Webhook, WebhookChange, WebhookSettings};

impl Webhook {
    /// Refuses a webhook of which something does not go together.
    ///
    /// # Errors
    /// Says what, and what to change.
    pub fn check(&self) -> Result<(), String> {
        violations(self).into_iter().next().map_or(Ok(()), Err)
    }

    /// The webhook after a change, unless that leaves something that does not go together. What was so before can be changed
    /// otherwise.
    ///
    /// # Errors
    /// Says what, and what to change.
    pub fn checked_change(&self, change: WebhookChange, now: Timestamp) -> Result<Self, String> {
        let known = violations(self);
        let changed = self.clone().changed(change, now);
        let new = violations(&changed)
            .into_iter()
            .find(|wrong| !known.contains(wrong));
        new.map_or(Ok(changed), Err)
    }
}

fn violations(webhook: &Webhook) -> Vec<String> {
    let signing = signing(webhook).map(str::to_owned);
    let tls = tls(webhook).map(str::to_owned);
    signing
        .into_iter()
        .chain(tls)
        .chain(headers(&webhook.settings))
        .collect()
}

/// Secret that its signatures are made with.
fn signing(webhook: &Webhook) -> Option<&'static str> {
    match &webhook.secret {
        _ if !webhook.settings.standard_webhooks => None,
        None => Some(
            "standard_webhooks: there is no secret to make the signatures with: set `secret` too, or turn \
             standard_webhooks off",
        ),
        Some(secret) if is_broken_standard_secret(secret.expose()) => Some(
            "secret: it begins with `whsec_`, and what follows is not base64: copy it again, or use a text without that \
             prefix",
        ),
        Some(_) => None,
    }
}

/// Settings that are shown and trusted over TLS only.
fn tls(webhook: &Webhook) -> Option<&'static str> {
    let is_plain = Url::parse(&webhook.hook_url).is_ok_and(|url| url.scheme() == "http");
    match (&webhook.settings.auth.0, &webhook.settings.ca) {
        _ if !is_plain => None,
        (Some(Authentication::Mtls { .. }), _) => {
            Some("auth: a client certificate is shown over https only: change hook_url, or leave out auth")
        }
        (_, Some(_)) => {
            Some("ca: the receiver shows a certificate over https only: change hook_url, or leave out ca")
        }
        _ => None,
    }
}

/// Headers that two settings make: one would silently take the place of the other.
fn headers(settings: &WebhookSettings) -> impl Iterator<Item = String> {
    let own = settings.headers.keys().map(|name| ("headers", name));
    let made = settings.event_headers.keys().map(|name| ("event_headers", name));
    own.chain(made).filter_map(|(setting, name)| {
        let other = maker_of(name, settings)?;
        Some(format!(
            "{setting}: `{name}` is made by {other}: leave out one of the two"
        ))
    })
}

/// The setting that makes a header.
fn maker_of(name: &str, settings: &WebhookSettings) -> Option<&'static str> {
    let has_authorization = !matches!(settings.auth.0, None | Some(Authentication::Mtls { .. }));
    match name {
        "authorization" if has_authorization => Some("auth"),
        headers::IDEMPOTENCY_KEY if settings.idempotency_key => Some("idempotency_key"),
        headers::WEBHOOK_ID | headers::WEBHOOK_TIMESTAMP | headers::WEBHOOK_SIGNATURE
            if settings.standard_webhooks =>
        {
            Some("standard_webhooks")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{CompanyId, WebhookId};
    use crate::webhook::Auth;

    #[track_caller]
    fn check_tls(url: &str, settings: WebhookSettings, expected: Option<&str>) {
        let webhook = Webhook::new(WebhookId(1), CompanyId(1), url, Timestamp::from_millis(0));
        let wrong = violations(&webhook.with_settings(settings)).into_iter().next();
        assert_eq!(wrong.is_some(), expected.is_some(), "{wrong:?}");
        assert!(
            wrong
                .unwrap_or_default()
                .starts_with(expected.unwrap_or_default())
        );
    }

    #[test]
    fn what_only_tls_shows_is_for_urls_with_tls() {
        let ca = WebhookSettings {
            ca: Some("PEM".to_owned()),
            ..WebhookSettings::default()
        };
        let mtls = WebhookSettings {
            auth: Auth(Some(Authentication::Mtls {
                cert: "PEM".to_owned(),
                key: "PEM".to_owned(),
            })),
            ..WebhookSettings::default()
        };
        check_tls("https://example.com", ca.clone(), None);
        check_tls("https://example.com", mtls.clone(), None);
        check_tls(
            "HTTP://example.com",
            ca,
            Some("ca: the receiver shows a certificate over https only"),
        );
        check_tls(
            "http://example.com",
            mtls,
            Some("auth: a client certificate is shown over https only"),
        );
        check_tls("http://example.com", WebhookSettings::default(), None);
    }
}
