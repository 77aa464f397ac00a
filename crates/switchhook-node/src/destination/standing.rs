//! What stands in every request to a webhook: its headers, and what is kept of it in each attempt's record.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use switchhook_domain::attempt::{AttemptRequest, HeaderRecord};
use switchhook_domain::credential::{MASK, is_credential, shown_url};
use switchhook_domain::webhook::{Authentication, Webhook};
use switchhook_http::address::Address;
use switchhook_protocol::headers;

use super::own_headers::add_places;
use super::standard::SIGNATURE;

/// How we introduce ourselves.
const OUR_NAME: &str = concat!("Switchhook/", env!("CARGO_PKG_VERSION"));

/// The `Authorization` that a webhook always has.
fn authorization(auth: Option<&Authentication>) -> Option<HeaderValue> {
    let text = match auth? {
        Authentication::Bearer { token } => format!("Bearer {token}"),
        Authentication::Basic { username, password } => {
            format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
        }
        Authentication::Oauth2 { .. } | Authentication::Mtls { .. } => return None,
    };
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What is kept of the requests to a webhook: credentials are left out.
pub(super) fn record(webhook: &Webhook, headers: &HeaderMap, has_signature: bool) -> AttemptRequest {
    let shown = headers
        .iter()
        .filter(|(name, _)| *name != HOST)
        .map(|(name, value)| {
            let text = if value.is_sensitive() {
                MASK.into()
            } else {
                String::from_utf8_lossy(value.as_bytes())
            };
            (sent_name(name), text)
        });
    // It differs with each attempt, and can be made again by whoever has the secret.
    let signature = has_signature.then(|| (sent_name(&SIGNATURE), MASK.into()));
    let has_token = matches!(webhook.settings.auth.0, Some(Authentication::Oauth2 { .. }));
    let token = has_token.then(|| (sent_name(&AUTHORIZATION), MASK.into()));
    let shown = shown.chain(signature).chain(token);
    AttemptRequest {
        url: shown_url(&webhook.hook_url).into(),
        headers: HeaderRecord::of(shown),
    }
}

/// A header's name as it is sent over HTTP/1.1, each word with a capital: some receivers compare letter by letter.
#[must_use]
pub fn sent_name(name: &HeaderName) -> String {
    let mut sent = String::with_capacity(name.as_str().len());
    for letter in name.as_str().chars() {
        let is_first = sent.is_empty() || sent.ends_with('-');
        sent.push(if is_first {
            letter.to_ascii_uppercase()
        } else {
            letter
        });
    }
    sent
}

pub(super) fn standing_headers(webhook: &Webhook, address: Option<&Address>) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(10 + webhook.settings.headers.len());
    for (name, value) in &webhook.settings.headers {
        if let (Ok(name), Ok(mut value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            value.set_sensitive(is_credential(name.as_str()));
            map.insert(name, value);
        }
    }
    add_places(&mut map, &webhook.settings);
    // Some frameworks refuse, or answer with a page, who does not say what he takes.
    map.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    let content_type = match (webhook.sends_jwt(), &webhook.settings.jwt_content_type) {
        (false, _) => webhook
            .settings
            .content_type
            .as_deref()
            .unwrap_or(headers::CONTENT_TYPE_JSON),
        (true, Some(own)) => own,
        (true, None) => headers::CONTENT_TYPE_JWT,
    };
    let fallback = HeaderValue::from_static(headers::CONTENT_TYPE_JWT);
    map.insert(
        CONTENT_TYPE,
        HeaderValue::from_str(content_type).unwrap_or(fallback),
    );
    map.insert(USER_AGENT, HeaderValue::from_static(OUR_NAME));
    if let Some(address) = address {
        map.insert(HOST, address.host_header.clone());
        if let Some(authorization) = &address.authorization {
            map.entry(AUTHORIZATION).or_insert_with(|| authorization.clone());
        }
    }
    if let Some(authorization) = authorization(webhook.settings.auth.0.as_ref()) {
        map.insert(AUTHORIZATION, authorization);
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_headers_are_sent_with_capitals() {
        for (name, expected) in [
            ("switchhook-event-id", "Switchhook-Event-Id"),
            ("x--api-key", "X--Api-Key"),
            ("etag", "Etag"),
        ] {
            assert_eq!(sent_name(&HeaderName::from_static(name)), expected);
        }
    }
}
