//! What crosses the wire between Switchhook (or Dialpad) and a receiver: the five kinds of event, their
//! payloads, their signatures and headers, and the scopes by which they are seen. No clock, no IO, no async: a receiver compiles this and nothing more.
//! Which events go where is not decided here, only read; start with [`Payload`] and [`verify`].
//!
//! An event is its bytes. They are stored and sent exactly as they came, so the payload types are *views* that
//! borrow from them: made for matching and display, lenient about whatever real traffic holds, and never
//! written back.
//!
//! ```
//! use switchhook_protocol::{CallState, Kind, Payload, sign, verify};
//!
//! let body = br#"{"call_id": 4513924407164928, "state": "hangup", "duration": 8951.03}"#;
//! let token = sign("a shared secret", body);
//!
//! let verified = verify(token.as_bytes(), ["a shared secret"])?;
//! assert_eq!(verified, body);
//! let Payload::Call(call) = Payload::read(Kind::Call, &verified)? else { unreachable!() };
//! assert_eq!(call.state.and_then(|state| state.known()), Some(CallState::Hangup));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agent_status;
mod asyncapi;
mod body;
mod call;
mod changelog;
mod common;
mod contact;
mod document;
mod event;
pub mod headers;
mod kind;
mod outline;
mod party;
mod reading;
mod repeat;
pub mod scope;
mod shape;
mod signature;
mod sms;
mod spelling;
mod target;
mod text;
mod timestamp;
mod value;

pub use agent_status::{AgentStatusEvent, AgentType, Availability, OnDutyStatus};
pub use asyncapi::ASYNCAPI_YAML;
pub use body::{BodyError, LARGEST_EVENT, check_object};
pub use call::{CallEvent, CallState, CallStateFilter, RecordingDetail};
pub use changelog::{ChangedBy, ChangelogEvent};
pub use common::Direction;
pub use contact::{ContactChange, ContactEvent, ContactType};
pub use document::{JsonNode, Shape};
pub use event::{Payload, ReadError};
pub use kind::{Kind, Subject};
pub use outline::{JsonType, Outline, Value};
pub use party::Contact;
pub use repeat::{InvalidRepeatKey, RepeatKey};
pub use shape::{kind_instead_of, recognize_kind};
pub use signature::{
    Cause, Diagnosis, Hash, MAX_TOKEN_BYTES, Respelling, STANDARD_SECRET_PREFIX, STANDARD_TOLERANCE, Secret,
    SecretChange, Signer, StandardCause, StandardError, StandardHeaders, StandardKey, TokenPart, Verifier,
    VerifyError, diagnose, is_broken_standard_secret, key_id, sign, standard_secret, verify,
};
pub use sms::{MessageDeliveryResult, MessageStatus, SmsDirection, SmsEvent};
pub use spelling::{UnknownWord, same_word};
pub use target::{Target, TargetType};
pub use text::{Text, hex, quoted, shortened};
pub use timestamp::{InvalidTimestamp, Timestamp, format_http_date, parse_http_date};
pub use value::{Id, Json, Milliseconds, Word};

#[doc(hidden)]
pub use serde as __serde;
