//! The headers of the requests to a webhook, as they are sent and as they are kept: those that always stand, those that are made
//! of the event, and those that follow from the delivery and its attempt.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::{AttemptRequest, HeaderRecord};
use switchhook_domain::credential::{MASK, is_credential, shown_url};
use switchhook_domain::delivery::Delivery;
use switchhook_domain::id::CompanyId;
use switchhook_domain::template::TemplateContext;
use switchhook_domain::webhook::{Authentication, Webhook, WebhookSettings};
use switchhook_http::OUR_NAME;
use switchhook_http::address::Address;
use switchhook_protocol::headers;

use super::standard::{SIGNATURE, id_and_time};
use crate::templates::{TemplateSource, Templates, WorkerPenalty};

/// Placeholder for the idempotency key in stored requests, since it follows from the delivery.
const KEY: &str = "(the delivery's id)";

/// Placeholder for values rendered from the event, which are not stored because not everybody may see the whole
/// event.
const OF_EVENT: &str = "(made from the event)";

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static(headers::IDEMPOTENCY_KEY);

/// Templates rendered for each event.
#[derive(Debug)]
pub struct EventTemplates {
    /// The names of the headers, whose templates come first.
    names: Vec<HeaderName>,
    pieces: Vec<TemplateSource>,
    rest: WorkerPenalty,
}

impl EventTemplates {
    pub(super) fn of(settings: &WebhookSettings) -> Self {
        let (names, pieces) = pieces_of(settings);
        Self {
            names,
            pieces,
            rest: WorkerPenalty::default(),
        }
    }

    /// True if a header is a template.
    #[must_use]
    pub const fn has_headers(&self) -> bool {
        !self.names.is_empty()
    }

    /// True if the body is a template.
    #[must_use]
    pub const fn has_body(&self) -> bool {
        self.pieces.len() > self.names.len()
    }

    /// Makes it: adds the headers to those of the POST, and answers the body if it is made too.
    ///
    /// # Errors
    /// Says in words what cannot be made of the event, and why.
    pub async fn make(
        &self,
        templates: &Templates,
        company_id: CompanyId,
        headers: &mut Vec<(HeaderName, HeaderValue)>,
        event: &[u8],
        context: TemplateContext,
    ) -> Result<Option<String>, String> {
        let made = templates
            .fill_in(company_id, &self.rest, &self.pieces, event, context)
            .await;
        let mut made = made.into_iter();
        for (name, value) in self.names.iter().zip(made.by_ref()) {
            let value = value.map_err(|error| error.to_string()).and_then(|value| {
                HeaderValue::from_bytes(value.as_bytes()).map_err(|error| error.to_string())
            });
            let value =
                value.map_err(|why| format!("the header `{name}` cannot be made from this event: {why}"))?;
            headers.push((name.clone(), value));
        }
        made.next()
            .transpose()
            .map_err(|error| format!("the webhook's template cannot be filled in with this event: {error}"))
    }
}

/// The templates of a webhook: those of its headers, with the names of these, then that of its body.
pub fn pieces_of(settings: &WebhookSettings) -> (Vec<HeaderName>, Vec<TemplateSource>) {
    let headers = settings.event_headers.iter().filter_map(|(name, template)| {
        let template = template.clone();
        Some((name.parse().ok()?, TemplateSource::Header { template }))
    });
    let (names, mut pieces): (Vec<_>, Vec<_>) = headers.unzip();
    pieces.extend(settings.template.iter().map(|template| TemplateSource::Body {
        template: template.clone(),
        content_type: settings.content_type.clone(),
    }));
    (names, pieces)
}

/// The headers that every request to a webhook has.
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

/// Puts what stands for those that differ with each event or delivery among those that every request has.
fn add_places(map: &mut HeaderMap, settings: &WebhookSettings) {
    for name in settings.event_headers.keys() {
        if let Ok(name) = name.parse::<HeaderName>() {
            map.insert(name, HeaderValue::from_static(OF_EVENT));
        }
    }
    if settings.idempotency_key {
        map.insert(IDEMPOTENCY_KEY, HeaderValue::from_static(KEY));
    }
}

/// Request to store for a webhook's attempts, without credentials.
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

/// The headers of a request that follow from its delivery and the attempt's number.
pub(crate) fn headers_of(
    delivery: &Delivery,
    settings: &WebhookSettings,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    own_headers(delivery, delivery.attempt_number, settings.idempotency_key)
}

/// Adds to what was kept of an attempt's headers those that follow from its delivery and from when it was made.
pub fn complete_record(
    kept: &mut BTreeMap<String, String>,
    delivery: &Delivery,
    number: u32,
    started_at: Timestamp,
) {
    let is_standard = kept.contains_key(&sent_name(&SIGNATURE));
    let standard = is_standard.then(|| id_and_time(delivery.event_id, started_at));
    for (name, value) in own_headers(delivery, number, false).chain(standard.into_iter().flatten()) {
        kept.insert(sent_name(&name), value.to_str().unwrap_or_default().to_owned());
    }
    let key = kept.get_mut(&sent_name(&IDEMPOTENCY_KEY));
    if let Some(key) = key.filter(|key| **key == KEY) {
        *key = delivery.id.to_string();
    }
}

fn own_headers(
    delivery: &Delivery,
    attempt_number: u32,
    has_key: bool,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let [event_id, delivery_id, attempt] =
        numbers([delivery.event_id.0, delivery.id.0, attempt_number.into()]);
    let kind = HeaderValue::from_static(delivery.kind.route());
    // The same for each attempt, another when it is delivered again on purpose.
    let key = has_key.then(|| (IDEMPOTENCY_KEY, delivery_id.clone()));
    // Names that are made while the program is built need no memory of their own.
    let always = [
        (const { HeaderName::from_static(headers::EVENT_ID) }, event_id),
        (const { HeaderName::from_static(headers::EVENT_KIND) }, kind),
        (
            const { HeaderName::from_static(headers::DELIVERY_ID) },
            delivery_id,
        ),
        (const { HeaderName::from_static(headers::ATTEMPT) }, attempt),
    ];
    let replay = delivery.replay_id.map(|id| {
        (
            const { HeaderName::from_static(headers::REPLAY) },
            HeaderValue::from(id.0),
        )
    });
    key.into_iter().chain(always).chain(replay)
}

/// Numbers as header values, which share one piece of memory.
fn numbers<const N: usize>(numbers: [i64; N]) -> [HeaderValue; N] {
    const LONGEST: usize = "-9223372036854775808".len();
    let mut text = BytesMut::with_capacity(N * LONGEST);
    numbers.map(|number| {
        text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        HeaderValue::from_maybe_shared(text.split().freeze()).expect("digits may stand in a header")
    })
}

/// A header's name as it is sent over HTTP/1.1, each word with a capital: some receivers compare letter by letter.
fn sent_name(name: &HeaderName) -> String {
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
