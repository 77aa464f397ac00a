//! Receive the webhooks of Switchhook, and of Dialpad itself: one call from the body of a request to a typed event.
//! No server and no framework: hand over the raw bytes of the body, whatever its `Content-Type`, and answer as told.
//! What is in an event is described by [`Payload`]; signatures are checked in `switchhook-protocol`.
//!
//! Read the body as raw bytes. Signed events come as `application/jwt`, which JSON extractors of web frameworks
//! drop or refuse; and nothing has to be parsed before the signature has been checked.
//!
//! ```
//! use switchhook_receiver::{Payload, Receiver};
//!
//! // Once, at the start. While a secret is being replaced, the old one is still accepted.
//! let receiver = Receiver::builder()
//!     .secret("the new secret")
//!     .also_accept("the old secret")
//!     .build()?;
//!
//! // For each request: its body in, the status to answer out.
//! let handle = |body: &[u8]| -> u16 {
//!     let event = match receiver.receive(body) {
//!         Ok(event) => event,
//!         Err(refusal) => {
//!             eprintln!("refused: {refusal}");
//!             return refusal.answer_status();
//!         }
//!     };
//!     if let Ok(Payload::Call(call)) = event.payload() {
//!         println!("call {:?} is now {:?}", call.call_id, call.state);
//!     }
//!     200
//! };
//!
//! let body = switchhook_protocol::sign("the old secret", br#"{"call_id": 1, "state": "ringing"}"#);
//! assert_eq!(handle(body.as_bytes()), 200);
//! assert_eq!(handle(br#"{"call_id": 1, "state": "ringing"}"#), 401);
//! # Ok::<(), switchhook_receiver::InvalidSecret>(())
//! ```

mod received;
mod refusal;

use switchhook_protocol::{Secret, Verifier, check_object, tell_kind};

pub use received::{PayloadError, Received};
pub use refusal::Refusal;
pub use switchhook_protocol::{self as protocol, Kind, Payload};

/// Checks the bodies of requests. Made once with [`Receiver::builder`], then shared.
#[derive(Clone, Debug)]
pub struct Receiver {
    trust: Trust,
}

#[derive(Clone, Debug)]
enum Trust {
    /// There are secrets: an event must be signed with one of them.
    Signed(Verifier),
    /// There is none: events are plain JSON, and anybody can send them.
    Anybody,
}

impl Receiver {
    /// Begins a receiver. Without any secret it takes unsigned events only.
    pub fn builder() -> ReceiverBuilder {
        ReceiverBuilder { secrets: Vec::new() }
    }

    /// Takes the whole body of a request: checks its signature, and that it is one event.
    ///
    /// Signed events are required if and only if the receiver has a secret.
    ///
    /// # Errors
    /// Says what is wrong with the body; [`Refusal::answer_status`] is what to answer then.
    pub fn receive(&self, content: &[u8]) -> Result<Received, Refusal> {
        let body = match &self.trust {
            Trust::Signed(verifier) => verifier.verify(content)?,
            Trust::Anybody if looks_signed(content) => return Err(Refusal::SecretMissing),
            Trust::Anybody => content.to_vec(),
        };
        check_object(&body)?;
        let kind = tell_kind(&body);
        Ok(Received { kind, body })
    }
}

/// Collects the secrets of a [`Receiver`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ReceiverBuilder {
    secrets: Vec<Secret>,
}

impl ReceiverBuilder {
    /// The secret that was given when the webhook was created.
    pub fn secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.secrets.insert(0, Secret::new(secret));
        self
    }

    /// Another secret to accept, such as the former one while the sender changes over.
    pub fn also_accept(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.secrets.push(Secret::new(secret));
        self
    }

    /// Makes the receiver.
    ///
    /// # Errors
    /// If a secret is empty. Where it is read from the environment, that is a variable that was not set; taking it
    /// for "no secret" would let everybody in.
    pub fn build(self) -> Result<Receiver, InvalidSecret> {
        if self.secrets.iter().any(Secret::is_empty) {
            return Err(InvalidSecret::Empty);
        }
        let trust = match self.secrets.as_slice() {
            [] => Trust::Anybody,
            secrets => Trust::Signed(Verifier::new(secrets)),
        };
        Ok(Receiver { trust })
    }
}

/// Why a receiver cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSecret {
    /// A secret is the empty text.
    #[error("a secret is empty; for unsigned events give no secret at all")]
    Empty,
}

/// A compact JWS begins with the base64url of `{"`, and JSON never begins with a letter `e`.
fn looks_signed(content: &[u8]) -> bool {
    content.starts_with(b"ey")
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::sign;

    const EVENT: &[u8] = br#"{"call_id": 9223372036854775807, "state": "hangup", "duration": 8951.030}"#;

    fn open() -> Receiver {
        Receiver::builder()
            .build()
            .expect("there is no secret to be wrong")
    }

    fn guarded() -> Receiver {
        let builder = Receiver::builder().also_accept("old").secret("new");
        builder.build().expect("neither secret is empty")
    }

    #[track_caller]
    fn check(receiver: &Receiver, content: &[u8], status: u16, reason: &str) {
        let refusal = receiver.receive(content).expect_err("it is refused");
        assert_eq!(refusal.answer_status(), status, "{refusal}");
        assert!(refusal.to_string().contains(reason), "{refusal}");
    }

    #[test]
    fn a_signed_event_comes_out_byte_for_byte() {
        for secret in ["new", "old"] {
            let event = guarded().receive(sign(secret, EVENT).as_bytes()).unwrap();
            assert_eq!(event.body, EVENT);
            assert_eq!(event.kind, Some(Kind::Call));
            assert!(matches!(event.payload(), Ok(Payload::Call(_))));
        }
    }

    #[test]
    fn with_a_secret_unsigned_events_are_refused() {
        check(&guarded(), EVENT, 401, "plain JSON");
        check(&guarded(), sign("other", EVENT).as_bytes(), 401, "2 secrets");
        check(&guarded(), b"eyJhbGciOiJub25lIn0.e30.", 401, "`none`");
        check(&guarded(), b"", 400, "empty");
        check(&guarded(), b"hello", 400, "segments");
        check(&guarded(), &[b'a'; 3 * 1024 * 1024], 413, "bytes");
    }

    #[test]
    fn without_a_secret_plain_events_are_taken_and_signed_ones_refused() {
        let event = open().receive(EVENT).unwrap();
        assert_eq!(event.body, EVENT);
        check(&open(), sign("new", EVENT).as_bytes(), 401, "no secret");
        check(&open(), b"[]", 400, "an array");
        check(&open(), b"", 400, "empty");
    }

    #[test]
    fn a_signature_does_not_make_an_event_of_anything() {
        check(&guarded(), sign("new", b"[]").as_bytes(), 400, "an array");
    }

    #[test]
    fn an_empty_secret_is_a_mistake_and_not_an_open_door() {
        let built = Receiver::builder().secret("").build();
        assert_eq!(built.err(), Some(InvalidSecret::Empty));
        let built = Receiver::builder().secret("new").also_accept("").build();
        assert_eq!(built.err(), Some(InvalidSecret::Empty));
    }

    #[test]
    fn an_event_of_no_known_shape_is_received_and_can_be_read_by_who_knows_its_kind() {
        let event = open().receive(br#"{"date": 1795253400250}"#).unwrap();
        assert_eq!(event.kind, None);
        assert_eq!(event.payload(), Err(PayloadError::UnknownKind));
        let payload = event.payload_as(Kind::Changelog);
        assert!(matches!(payload, Ok(Payload::Changelog(_))));
    }
}
