//! Frames: what one event is on the wire of a websocket.
//!
//! Dialpad's form is the event and nothing else. Ours, for whoever asks for it, has the position to go on from beside it.

use serde::{Deserialize, Serialize};
use switchhook_domain::Kind;
use switchhook_domain::redaction::{Hidden, redact};
use switchhook_domain::secret::Secret;
use switchhook_protocol::headers::{CONTENT_TYPE_JSON, CONTENT_TYPE_JWT};
use switchhook_protocol::{Signer, Timestamp};
use switchhook_store::{EventRecord, LogPosition};

/// A frame in our form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelledFrame {
    /// The position to go on from after this frame.
    pub position: String,
    /// The event; the first frame has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event: Option<LabelledEvent>,
}

/// An event with what a delivery's headers tell of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelledEvent {
    pub id: String,
    /// Its kind, as routes spell it.
    pub kind: String,
    /// Time of acceptance, in Unix milliseconds.
    pub accepted_at: Timestamp,
    /// Content type of the body: JSON or a JWT.
    pub content_type: String,
    /// Body of the event's delivery, byte for byte.
    pub body: String,
}

/// Body of the event's delivery to a webhook with this secret.
#[must_use]
pub fn body(event: &EventRecord, hidden: Hidden, secret: Option<&Secret>) -> String {
    let shown = redact(&event.body, hidden);
    match secret {
        Some(secret) => Signer::new(secret.expose()).sign(&shown),
        None => String::from_utf8_lossy(&shown).into_owned(),
    }
}

/// The frame that comes first: where the connection begins.
#[must_use]
pub fn beginning(position: LogPosition) -> String {
    written(&LabelledFrame {
        position: position.0.to_string(),
        event: None,
    })
}

/// The frame of an event in our form.
#[must_use]
pub fn labelled(position: LogPosition, event: &EventRecord, body: String, is_signed: bool) -> String {
    let content_type = if is_signed {
        CONTENT_TYPE_JWT
    } else {
        CONTENT_TYPE_JSON
    };
    written(&LabelledFrame {
        position: position.0.to_string(),
        event: Some(LabelledEvent {
            id: event.id.to_string(),
            kind: Kind::route(event.kind).to_owned(),
            accepted_at: event.accepted_at,
            content_type: content_type.to_owned(),
            body,
        }),
    })
}

fn written(frame: &LabelledFrame) -> String {
    serde_json::to_string(frame).expect("a frame is plain text")
}
