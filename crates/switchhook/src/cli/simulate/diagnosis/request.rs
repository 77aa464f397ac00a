//! The requests of a diagnosis. Every event is a new one, so that none is a repeat of another, except where a repeat is meant.

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Value, json};
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::ingest::sample;
use switchhook_protocol::{headers, hex, sign};

use super::probe::{BrokenBody, EventShape, Forgery, HEADERS, HeaderForm, INVENTED, Probe, RequestStyle};

pub(super) struct Requests {
    secret: Option<Vec<u8>>,
    now: Timestamp,
    /// Number of events built.
    count: u64,
}

impl Requests {
    pub(super) fn new(secret: Option<impl AsRef<[u8]>>, now: Timestamp) -> Self {
        Self {
            secret: secret.map(|secret| secret.as_ref().to_vec()),
            now,
            count: 0,
        }
    }

    pub(super) fn is_signed(&self) -> bool {
        self.secret.is_some()
    }

    /// True if a request can be made in this style: some need a secret.
    pub(super) fn is_possible(&self, style: RequestStyle) -> bool {
        let takes_a_secret = matches!(
            style,
            RequestStyle::Plain | RequestStyle::Header(..) | RequestStyle::AllHeaders
        );
        self.is_signed() || !takes_a_secret
    }

    /// Styles to try if the genuine one is refused, the likeliest first.
    pub(super) fn other_styles(&self) -> Vec<RequestStyle> {
        let content_types = if self.is_signed() {
            ["text/plain", "application/json", "application/octet-stream"]
        } else {
            [
                "text/plain",
                "application/x-www-form-urlencoded",
                "application/octet-stream",
            ]
        };
        let mut styles: Vec<_> = content_types.map(RequestStyle::As).into();
        styles.extend([RequestStyle::Labelled, RequestStyle::Plain]);
        styles.retain(|style| self.is_possible(*style));
        styles
    }

    /// Headers and body of the next request.
    pub(super) fn make(&mut self, style: RequestStyle, probe: Probe) -> (HeaderMap, Bytes) {
        // The repeat is the event before it.
        if !matches!(probe, Probe::Repeat(_)) {
            self.count += 1;
        }
        let event = self.event(probe).to_string();
        let body = match probe {
            Probe::Forged(_) if matches!(style, RequestStyle::Header(_, form) if form != HeaderForm::Token) => {
                event
            }
            Probe::Forged(forgery) => self.forged(forgery, &event),
            Probe::Broken(BrokenBody::Empty) => String::new(),
            Probe::Broken(BrokenBody::Truncated) => {
                let whole = self.signed(&event);
                whole.get(..whole.len() / 2).unwrap_or_default().to_owned()
            }
            _ if matches!(style, RequestStyle::Plain | RequestStyle::AllHeaders) => event,
            _ if matches!(style, RequestStyle::Header(_, form) if form != HeaderForm::Token) => event,
            _ => self.signed(&event),
        };
        (self.headers(style, probe, &body), Bytes::from(body))
    }

    fn headers(&self, style: RequestStyle, probe: Probe, body: &str) -> HeaderMap {
        let is_token = body.starts_with("ey") || (self.is_signed() && body.is_empty());
        let content_type = match style {
            RequestStyle::As(content_type) => content_type,
            _ if is_token => headers::CONTENT_TYPE_JWT,
            _ => headers::CONTENT_TYPE_JSON,
        };
        let mut map = HeaderMap::new();
        map.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        let names: &[&'static str] = match &style {
            RequestStyle::Header(name, _) => std::slice::from_ref(name),
            RequestStyle::AllHeaders => &HEADERS,
            _ => &[],
        };
        let form = match style {
            RequestStyle::Header(_, form) => form,
            _ => HeaderForm::Hexadecimal,
        };
        for name in names {
            let value = match (probe, &self.secret) {
                (Probe::Forged(_), Some(secret)) => header_value(form, other_secret(secret).as_bytes(), body),
                (_, secret) => header_value(form, secret.as_deref().unwrap_or_default(), body),
            };
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::try_from(value)) {
                map.insert(name, value);
            }
        }
        if style == RequestStyle::Labelled {
            let attempt = if matches!(probe, Probe::Repeat(_)) { 2 } else { 1 };
            map.insert(headers::EVENT_ID, self.number().into());
            let kind = if let Probe::Kind(kind) = probe {
                kind
            } else {
                Kind::Call
            };
            map.insert(headers::EVENT_KIND, HeaderValue::from_static(kind.route()));
            map.insert(headers::DELIVERY_ID, self.number().into());
            map.insert(headers::ATTEMPT, HeaderValue::from(attempt));
        }
        map
    }

    /// Body of a genuine event: a token if there is a secret.
    fn signed(&self, event: &str) -> String {
        match &self.secret {
            Some(secret) => sign(secret, event.as_bytes()),
            None => event.to_owned(),
        }
    }

    fn forged(&self, forgery: Forgery, event: &str) -> String {
        let genuine = self.signed(event);
        let (signed, tag) = genuine.rsplit_once('.').unwrap_or_default();
        let payload = URL_SAFE_NO_PAD.encode(event);
        match forgery {
            Forgery::OtherSecret => sign(other_secret(genuine.as_bytes()), event.as_bytes()),
            Forgery::ChangedPayload => {
                let changed = URL_SAFE_NO_PAD.encode(event.replacen("hangup", "missed", 1));
                format!("{}.{tag}", signed.replacen(&payload, &changed, 1))
            }
            Forgery::AlgorithmNone => {
                let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
                format!("{header}.{payload}.")
            }
            Forgery::Plain => event.to_owned(),
        }
    }

    /// Number of an event, unique over diagnoses, below 2^53.
    fn number(&self) -> u64 {
        self.now.as_millis().unsigned_abs() % 1_000_000_000_000 * 1_000 + self.count
    }

    fn event(&self, probe: Probe) -> Value {
        match probe {
            Probe::Event(shape) | Probe::Counted(shape) | Probe::Repeat(shape) => self.call(shape),
            Probe::Kind(kind) => self.other(kind),
            Probe::Invented(name) => self.invented_event(name),
            Probe::Forged(_) | Probe::Broken(_) => self.call(EventShape::Documented),
        }
    }

    /// Sample of a kind, with the present time.
    fn sample(&self, kind: Kind) -> Value {
        let sample = sample::body(kind, self.now).expect("there is a sample of each kind");
        serde_json::from_str(&sample).expect("samples are JSON")
    }

    fn call(&self, shape: EventShape) -> Value {
        let mut call = self.sample(Kind::Call);
        merge(&mut call, json!({ "call_id": self.number() }));
        let more = match shape {
            EventShape::Documented => json!({}),
            EventShape::Nulls => json!({
                "contact": {}, "date_connected": null, "duration": null, "entry_point_call_id": null,
                "master_call_id": null, "operator_call_id": null, "entry_point_target": {}, "external_number": null,
                "labels": [], "recording_details": [], "transcription_text": null, "voicemail_link": null,
            }),
            EventShape::MoreMembers => {
                json!({"of_tomorrow": {"id": 1}, "integrations": {}, "mos_score": 4.41})
            }
            EventShape::NewState => json!({"state": "of_tomorrow"}),
            EventShape::Fractions => {
                json!({"duration": 8_951.029_999, "total_duration": 15_000.5, "talk_time": 8_951.03})
            }
            EventShape::LargeIds => json!({"call_id": (1_u64 << 62) + self.number()}),
        };
        merge(&mut call, more);
        call
    }

    /// An event of a kind, with members that real traffic has beyond the documentation.
    fn other(&self, kind: Kind) -> Value {
        let id = self.number();
        let more = match kind {
            Kind::Sms => json!({"id": id, "direction": "outbound", "message_status": "delivered",
                "message_delivery_result": "accepted"}),
            Kind::AgentStatus => json!({"availability_status": "unavailable", "on_duty_status": "wrapup",
                "on_duty_status_reason": null, "call_center_ids": ["4893016274501632"], "powerdialer_mode": false}),
            Kind::Contact => {
                json!({"contact": {"id": id.to_string(), "type": "shared", "display_name": "Ada Byron",
                "phones": ["+15550142"]}})
            }
            Kind::Changelog => json!({"note": format!("Menu {id} was changed."), "additional_data": null,
                "target": {"id": 6_002_147_231_088_640_u64, "type": "Office", "name": "Head office"}}),
            Kind::Call | Kind::Unknown => return self.call(EventShape::Documented),
        };
        let mut event = self.sample(kind);
        merge(&mut event, more);
        event
    }

    fn invented_event(&self, name: &str) -> Value {
        let mut body = json!({"timestamp": self.now.as_millis()});
        for invented in INVENTED.iter().filter(|invented| invented.name == name) {
            let call = self.call(EventShape::Documented);
            merge(&mut body, json!({ invented.member: name, invented.inner: call }));
        }
        body
    }
}

/// Value of the header that a receiver may wait for.
fn header_value(form: HeaderForm, secret: &[u8], body: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), body.as_bytes());
    let secret = String::from_utf8_lossy(secret);
    match form {
        HeaderForm::Hexadecimal | HeaderForm::Token => hex(tag.as_ref()),
        HeaderForm::Base64 => STANDARD.encode(tag),
        HeaderForm::Sha256 => format!("sha256={}", hex(tag.as_ref())),
        HeaderForm::Secret => secret.into_owned(),
        HeaderForm::Bearer => format!("Bearer {secret}"),
    }
}

/// A secret that the receiver does not have.
fn other_secret(secret: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, secret).as_ref())
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
