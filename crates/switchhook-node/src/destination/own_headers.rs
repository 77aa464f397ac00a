//! The headers that differ with each delivery of a webhook that wants them.

use http::{HeaderMap, HeaderName, HeaderValue};
use switchhook_domain::id::DeliveryId;
use switchhook_domain::template::{Circumstances, HeaderTemplate, TemplateError};
use switchhook_domain::webhook::WebhookSettings;
use switchhook_protocol::headers;

/// What stands for the key in what is kept of a webhook's requests, since it follows from the delivery.
pub const KEY: &str = "(the delivery's id)";

/// What stands there for what is made from the event: it is not kept, since not everybody may see all of an event.
const OF_EVENT: &str = "(made from the event)";

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static(headers::IDEMPOTENCY_KEY);

/// Makes headers from events.
#[derive(Debug)]
pub struct EventHeaders(Vec<(HeaderName, Result<HeaderTemplate, TemplateError>)>);

impl EventHeaders {
    pub(super) fn of(settings: &WebhookSettings) -> Self {
        let headers = settings.event_headers.iter();
        let read = headers.filter_map(|(name, text)| Some((name.parse().ok()?, HeaderTemplate::parse(text))));
        Self(read.collect())
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts those of an event among the headers of its POST.
    ///
    /// # Errors
    /// Says in words which header cannot be made of it, and why.
    pub fn add_to(
        &self,
        headers: &mut HeaderMap,
        event: &[u8],
        circumstances: Circumstances,
    ) -> Result<(), String> {
        for (name, template) in &self.0 {
            let template = template.as_ref().map_err(Clone::clone);
            let value = template.and_then(|template| template.fill_in(event, circumstances));
            let value = value.map_err(|error| error.to_string()).and_then(|value| {
                HeaderValue::from_bytes(value.as_bytes()).map_err(|error| error.to_string())
            });
            let value =
                value.map_err(|why| format!("the header `{name}` cannot be made from this event: {why}"))?;
            headers.insert(name, value);
        }
        Ok(())
    }
}

/// Puts what stands for such headers among those that every request has.
pub(super) fn add_places(map: &mut HeaderMap, settings: &WebhookSettings) {
    for name in settings.event_headers.keys() {
        if let Ok(name) = name.parse::<HeaderName>() {
            map.insert(name, HeaderValue::from_static(OF_EVENT));
        }
    }
    if settings.idempotency_key {
        map.insert(IDEMPOTENCY_KEY, HeaderValue::from_static(KEY));
    }
}

/// The key of a delivery: the same for each of its attempts, another when it is delivered again on purpose.
pub fn add_key(map: &mut HeaderMap, id: DeliveryId) {
    map.insert(IDEMPOTENCY_KEY, HeaderValue::from(id.0));
}
