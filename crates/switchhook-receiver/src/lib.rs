//! Receive the webhooks of Switchhook, and of Dialpad itself: verified, typed, each event once.
//!
//! [`Receiver`] turns the body of a request into an event or says why not; it needs no server and no framework. The rest
//! is there for those who want it: [`Repeats`] drops what was dealt with before, [`Calls`] tells which legs are one call,
//! [`LegOrder`] puts a leg's events in order, [`Journal`] stores lines before anybody acknowledges them. With features:
//! `handlers`, a function for each kind of event on any server; `tower`, a layer; `axum`, a route and an extractor.
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
//!
//! Deliveries are repeated when an answer was lost. To deal with each event once:
//!
//! ```
//! use switchhook_receiver::{Bounds, Labels, Receiver, Repeats, Turn};
//!
//! let receiver = Receiver::builder().secret("a secret").build()?;
//! let repeats = Repeats::in_memory(Bounds::default()); // or Repeats::in_file("seen", …)
//!
//! let handle = |headers: &[(&str, &str)], body: &[u8]| -> u16 {
//!     let labels = Labels::read(|name| headers.iter().find(|header| header.0 == name).map(|header| header.1));
//!     let event = match receiver.receive_labelled(labels, body) {
//!         Ok(event) => event,
//!         Err(refusal) => return refusal.answer_status(),
//!     };
//!     match repeats.begin(event.repeat_key()) {
//!         Turn::Repeat => 200,
//!         Turn::UnderWay => 503,
//!         Turn::First(claim) => {
//!             println!("{}", event.summary()); // deal with it; return without `done`, and it comes again
//!             claim.done().map_or(500, |()| 200)
//!         }
//!     }
//! };
//!
//! let body = switchhook_protocol::sign("a secret", br#"{"call_id": 1, "state": "ringing"}"#);
//! assert_eq!(handle(&[("switchhook-event-id", "17")], body.as_bytes()), 200);
//! assert_eq!(handle(&[("switchhook-event-id", "17")], body.as_bytes()), 200);
//! assert_eq!(repeats.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "axum")]
pub mod axum;
mod calls;
mod clock;
mod journal;
mod labels;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "handlers")]
mod operations;
mod order;
mod received;
mod refusal;
mod repeats;
#[cfg(feature = "http")]
mod whole_body;

use switchhook_protocol::{
    BodyError, MAX_TOKEN_BYTES, Secret, StandardHeaders, StandardKey, Verifier, check_object, recognize_kind,
};

pub use calls::{CallKey, CallOf, Calls, Likeness};
pub use journal::{Format, Found, Journal, JournalError};
pub use labels::Labels;
#[cfg(feature = "tower")]
pub use layer::{Verify, VerifyLayer};
#[cfg(feature = "handlers")]
pub use operations::{Answer, HandlerError, Handlers, Trouble};
pub use order::{LegOrder, Ordered};
pub use received::{PayloadError, Received};
pub use refusal::Refusal;
pub use repeats::{Bounds, Claim, Repeats, Turn};
pub use switchhook_protocol::{
    self as protocol, Kind, MAX_TOKEN_BYTES as MAX_BODY_BYTES, Payload, RepeatKey,
};
#[cfg(feature = "http")]
pub use whole_body::whole_body;

/// Checks the bodies of requests. Made once with [`Receiver::builder`], then shared.
#[derive(Clone, Debug)]
pub struct Receiver {
    trust: Trust,
    quotes: Quotes,
    shapes: Shapes,
}

/// True if a token may be in quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quotes {
    Refused,
    Accepted,
}

/// JSON that an event may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shapes {
    Objects,
    Any,
}

#[derive(Clone, Debug)]
enum Trust {
    /// There are secrets: an event must be signed with one of them, in its body or in its headers.
    Signed(Verifier, Vec<StandardKey>),
    /// There is none: events are plain JSON, and anybody can send them.
    Anybody,
}

impl Receiver {
    /// Begins a receiver. Without any secret it takes unsigned events only.
    pub fn builder() -> ReceiverBuilder {
        ReceiverBuilder {
            secrets: Vec::new(),
            quotes: Quotes::Refused,
            shapes: Shapes::Objects,
        }
    }

    /// Takes the whole body of a request: checks its signature, and that it is one event. The `Content-Type` does not
    /// count.
    ///
    /// Signed events are required if and only if the receiver has a secret.
    ///
    /// # Errors
    /// Says what is wrong with the body; [`Refusal::answer_status`] is what to answer then.
    pub fn receive(&self, content: &[u8]) -> Result<Received, Refusal> {
        self.receive_labelled(Labels::default(), content)
    }

    /// The same with what the request's headers tell: by them repeats are known more surely.
    ///
    /// # Errors
    /// As there.
    pub fn receive_labelled(&self, labels: Labels, content: &[u8]) -> Result<Received, Refusal> {
        self.receive_signed(labels, None, content)
    }

    /// The same with a function that looks up a header by its lower-case name: beside what headers tell, they may hold a signature
    /// as [Standard Webhooks](https://www.standardwebhooks.com) have it. Where there is one it must be valid, and not older than five
    /// minutes; the event may then be plain JSON.
    ///
    /// ```
    /// use switchhook_receiver::Receiver;
    ///
    /// let receiver = Receiver::builder().secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").build()?;
    /// let headers = [("webhook-id", "evt_1"), ("webhook-timestamp", "1614265330"), ("webhook-signature", "v1,AAAA")];
    /// let header = |name: &str| headers.iter().find(|header| header.0 == name).map(|header| header.1);
    /// let refusal = receiver.receive_request(header, br#"{"call_id": 1}"#).unwrap_err();
    /// assert!(refusal.to_string().contains("s old"));
    /// # Ok::<(), switchhook_receiver::InvalidSecret>(())
    /// ```
    ///
    /// # Errors
    /// As there, and if that signature is not valid.
    pub fn receive_request<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a str>,
        content: &[u8],
    ) -> Result<Received, Refusal> {
        let standard = StandardHeaders::read(&header)?;
        self.receive_signed(Labels::read(header), standard.as_ref(), content)
    }

    fn receive_signed(
        &self,
        labels: Labels,
        standard: Option<&StandardHeaders>,
        content: &[u8],
    ) -> Result<Received, Refusal> {
        if content.len() > MAX_TOKEN_BYTES {
            let bytes = content.len();
            return Err(Refusal::TooLarge { bytes });
        }
        if let (Some(standard), Trust::Signed(_, keys)) = (standard, &self.trust) {
            standard.verify(keys, content, clock::now())?;
        }
        let content = match self.quotes {
            Quotes::Refused => content,
            Quotes::Accepted => without_quotes(content),
        };
        let body = match &self.trust {
            Trust::Signed(..) if standard.is_some() && !looks_signed(content) => content.to_vec(),
            Trust::Signed(verifier, _) => verifier.verify(content)?,
            Trust::Anybody if standard.is_some() || looks_signed(content) => {
                return Err(Refusal::SecretMissing);
            }
            Trust::Anybody => content.to_vec(),
        };
        match check_object(&body) {
            Err(BodyError::NotAnObject { .. }) if self.shapes == Shapes::Any => {}
            checked => drop(checked?),
        }
        let kind = recognize_kind(&body).or(labels.kind);
        Ok(Received { kind, body, labels })
    }
}

/// Collects the secrets of a [`Receiver`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ReceiverBuilder {
    secrets: Vec<Secret>,
    quotes: Quotes,
    shapes: Shapes,
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

    /// Takes tokens that stand in quotes too, as a gateway makes them that turns every body into JSON.
    pub fn accept_quoted(mut self) -> Self {
        self.quotes = Quotes::Accepted;
        self
    }

    /// Takes events that are no objects too, such as an array, for whoever keeps what comes and looks at it later: no kind is one,
    /// so that they have only their bytes.
    ///
    /// ```
    /// use switchhook_receiver::Receiver;
    ///
    /// let receiver = Receiver::builder().accept_any_json().build()?;
    /// assert_eq!(receiver.receive(b"[1.0]").map(|event| event.body), Ok(b"[1.0]".to_vec()));
    /// assert!(receiver.receive(b"[1.0").is_err());
    /// # Ok::<(), switchhook_receiver::InvalidSecret>(())
    /// ```
    pub fn accept_any_json(mut self) -> Self {
        self.shapes = Shapes::Any;
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
            secrets => Trust::Signed(Verifier::new(secrets), standard_keys(secrets)),
        };
        Ok(Receiver {
            trust,
            quotes: self.quotes,
            shapes: self.shapes,
        })
    }
}

/// Reason for which a receiver cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSecret {
    /// A secret is the empty text.
    #[error("a secret is empty; for unsigned events give no secret at all")]
    Empty,
}

/// The keys of those that are texts, as Standard Webhooks' are.
fn standard_keys(secrets: &[Secret]) -> Vec<StandardKey> {
    let texts = secrets
        .iter()
        .filter_map(|secret| str::from_utf8(secret.as_bytes()).ok());
    texts.map(StandardKey::new).collect()
}

/// The token inside a JSON string. It holds no character that JSON would escape.
fn without_quotes(content: &[u8]) -> &[u8] {
    let content_or = content.trim_ascii().strip_prefix(b"\"");
    content_or
        .and_then(|inner| inner.strip_suffix(b"\""))
        .unwrap_or(content)
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
        check(&open(), &[b' '; 3 * 1024 * 1024], 413, "bytes");
    }

    #[test]
    fn a_signature_does_not_make_an_event_of_anything() {
        check(&guarded(), sign("new", b"[]").as_bytes(), 400, "an array");
    }

    #[test]
    fn a_token_in_quotes_is_taken_only_if_that_was_asked_for() {
        let quoted = format!(" \"{}\"\n", sign("new", EVENT));
        check(&guarded(), quoted.as_bytes(), 400, "base64url");
        let builder = Receiver::builder().secret("new").accept_quoted();
        let patient = builder.build().expect("the secret is not empty");
        assert_eq!(patient.receive(quoted.as_bytes()).unwrap().body, EVENT);
        assert_eq!(
            patient.receive(sign("new", EVENT).as_bytes()).unwrap().body,
            EVENT
        );
        check(&patient, b"\"", 400, "segments");
    }

    #[test]
    fn the_shape_tells_the_kind_and_the_label_only_where_it_does_not() {
        let receive = |body: &[u8]| {
            let labels = Labels::read(|name| (name == "switchhook-event-kind").then_some("changelog"));
            open().receive_labelled(labels, body).unwrap().kind
        };
        assert_eq!(receive(EVENT), Some(Kind::Call));
        assert_eq!(receive(b"{}"), Some(Kind::Changelog));
        assert!(open().receive(EVENT).unwrap().sms().is_err());
    }

    #[test]
    fn a_signature_in_the_headers_must_hold_and_plain_json_is_enough_then() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let receiver = Receiver::builder()
            .secret("other")
            .also_accept(secret)
            .build()
            .unwrap();
        let now = clock::now();
        let seconds = (now.as_millis() / 1_000).to_string();
        let receive = |receiver: &Receiver, signed: &[u8], seconds: &str, content: &[u8]| {
            let signature = StandardKey::new(secret).sign("evt_1", now, signed);
            let header = |name: &str| match name {
                "webhook-id" => Some("evt_1"),
                "webhook-timestamp" => Some(seconds),
                "webhook-signature" => Some(signature.as_str()),
                "switchhook-event-id" => Some("1"),
                _ => None,
            };
            receiver.receive_request(header, content)
        };
        let event = receive(&receiver, EVENT, &seconds, EVENT).unwrap();
        assert_eq!(
            (event.body.as_slice(), event.labels.event_id.as_deref()),
            (EVENT, Some("1"))
        );
        let both = sign(secret, EVENT);
        let event = receive(&receiver, both.as_bytes(), &seconds, both.as_bytes()).unwrap();
        assert_eq!(event.body, EVENT, "a token is checked too");
        for (content, seconds, receiver, reason) in [
            (
                &b"{}"[..],
                seconds.as_str(),
                &receiver,
                "no signature in `webhook-signature` fits",
            ),
            (EVENT, "1614265330", &receiver, "s old, and at most 300 s"),
            (EVENT, "soon", &receiver, "not a number of seconds"),
            (EVENT, &seconds, &guarded(), "(2 secrets tried)"),
            (EVENT, &seconds, &open(), "this receiver has no secret"),
        ] {
            let refusal = receive(receiver, EVENT, seconds, content).unwrap_err();
            assert!(refusal.to_string().contains(reason), "{refusal}");
        }
        let token = sign("unknown", EVENT);
        let refusal = receive(&receiver, token.as_bytes(), &seconds, token.as_bytes()).unwrap_err();
        assert!(matches!(refusal, Refusal::Signature(_)), "{refusal}");
        let refusal = receiver.receive_request(|name| (name == "webhook-signature").then_some("v1,x"), EVENT);
        assert_eq!(refusal.unwrap_err().answer_status(), 400);
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
