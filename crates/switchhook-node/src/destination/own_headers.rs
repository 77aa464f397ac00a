//! What differs with each delivery of a webhook that wants it: headers, and a body that is made of the event.

use http::{HeaderMap, HeaderName, HeaderValue};
use switchhook_domain::id::{CompanyId, DeliveryId};
use switchhook_domain::template::Circumstances;
use switchhook_domain::webhook::WebhookSettings;
use switchhook_protocol::headers;

use crate::templates::{Piece, Rest, Templates};

/// What stands for the key in what is kept of a webhook's requests, since it follows from the delivery.
pub const KEY: &str = "(the delivery's id)";

/// What stands there for what is made from the event: it is not kept, since not everybody may see all of an event.
const OF_EVENT: &str = "(made from the event)";

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static(headers::IDEMPOTENCY_KEY);

/// What is made of each event.
#[derive(Debug)]
pub struct OfEvent {
    /// The names of the headers, whose templates come first.
    names: Vec<HeaderName>,
    pieces: Vec<Piece>,
    rest: Rest,
}

impl OfEvent {
    pub(super) fn of(settings: &WebhookSettings) -> Self {
        let (names, pieces) = pieces_of(settings);
        Self {
            names,
            pieces,
            rest: Rest::default(),
        }
    }

    /// Whether there are headers among it.
    #[must_use]
    pub const fn has_headers(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether the body is.
    #[must_use]
    pub const fn has_body(&self) -> bool {
        self.pieces.len() > self.names.len()
    }

    /// Makes it: puts the headers among those of the POST, and answers the body if it is made too.
    ///
    /// # Errors
    /// Says in words what cannot be made of the event, and why.
    pub async fn make(
        &self,
        templates: &Templates,
        company_id: CompanyId,
        headers: &mut HeaderMap,
        event: &[u8],
        circumstances: Circumstances,
    ) -> Result<Option<String>, String> {
        let made = templates
            .fill_in(company_id, &self.rest, &self.pieces, event, circumstances)
            .await;
        let mut made = made.into_iter();
        for (name, value) in self.names.iter().zip(made.by_ref()) {
            let value = value.map_err(|error| error.to_string()).and_then(|value| {
                HeaderValue::from_bytes(value.as_bytes()).map_err(|error| error.to_string())
            });
            let value =
                value.map_err(|why| format!("the header `{name}` cannot be made from this event: {why}"))?;
            headers.insert(name.clone(), value);
        }
        made.next()
            .transpose()
            .map_err(|error| format!("the webhook's template cannot be filled in with this event: {error}"))
    }
}

/// The templates of a webhook: those of its headers, with the names of these, then that of its body.
pub fn pieces_of(settings: &WebhookSettings) -> (Vec<HeaderName>, Vec<Piece>) {
    let headers = settings.event_headers.iter().filter_map(|(name, template)| {
        let template = template.clone();
        Some((name.parse().ok()?, Piece::Header { template }))
    });
    let (names, mut pieces): (Vec<_>, Vec<_>) = headers.unzip();
    pieces.extend(settings.template.iter().map(|template| Piece::Body {
        template: template.clone(),
        content_type: settings.content_type.clone(),
    }));
    (names, pieces)
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
