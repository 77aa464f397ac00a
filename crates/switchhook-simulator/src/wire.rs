//! The request that carries an event to a receiver, right or wrong on purpose, and what a good receiver does with it.

use switchhook_protocol::headers::{CONTENT_TYPE_JSON, CONTENT_TYPE_JWT};
use switchhook_protocol::{Signer, sign};

use crate::fault::{Fault, Sending};

/// Makes requests as Dialpad does: the JSON itself, or with a secret the JWT.
///
/// A test suite can drive its own handler with it, without any network:
///
/// ```
/// use switchhook_protocol::{Timestamp, verify};
/// use switchhook_simulator::{Demand, Fault, Faults, FaultyStream, Scenario, Dialect, Wire};
///
/// // The handler under test: what it answers to a request's body.
/// fn handle(body: &[u8]) -> u16 {
///     match verify(body, ["the webhook's secret"]) {
///         Ok(_event) => 200,
///         Err(_) => 401,
///     }
/// }
///
/// let scenario = Scenario::find("ring-all-answered").expect("it is one of them");
/// let start = Timestamp::from_millis(1_795_420_800_000);
/// let events = scenario.play(7, start, Dialect::Observed);
/// let faults = Faults::none().with(Fault::Duplicate, 100_000).with(Fault::BadSignature, 300_000);
/// let wire = Wire::new(Some("the webhook's secret"));
/// for sending in FaultyStream::new(events.into_iter(), faults, 7) {
///     let request = wire.request(&sending);
///     let status = handle(&request.body);
///     assert!(request.demand.is_met_by(status), "{:?} got {status}", sending.fault);
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Wire {
    signer: Option<Signer>,
    old_signer: Option<Signer>,
}

/// The body of a request and its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireRequest {
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    pub body: Vec<u8>,
    /// Expected answer of a good receiver.
    pub demand: Demand,
}

/// Expected answer of a good receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    /// Answers 2xx.
    Take,
    /// Answers 4xx: it is not from the phone company, or not whole.
    Refuse,
    /// Either; but it does not fail.
    Answer,
}

impl Demand {
    /// True if an answer with that status is right.
    #[must_use]
    pub const fn is_met_by(self, status: u16) -> bool {
        let is_taken = matches!(status, 200..=299);
        let is_refused = matches!(status, 400..=499);
        match self {
            Self::Take => is_taken,
            Self::Refuse => is_refused,
            Self::Answer => is_taken || is_refused,
        }
    }
}

impl Wire {
    /// Requests that are signed, if there is a secret.
    #[must_use]
    pub fn new(secret: Option<&str>) -> Self {
        Self {
            signer: secret.map(Signer::new),
            old_signer: None,
        }
    }

    /// The secret of before a rotation, which the receiver still knows. What is signed with it must be taken; without it
    /// [`Fault::OldSecret`] uses one that nobody knows any more, and must be refused.
    #[must_use]
    pub fn with_old_secret(mut self, secret: &str) -> Self {
        self.old_signer = Some(Signer::new(secret));
        self
    }

    /// The request for an event, with what goes wrong.
    #[must_use]
    pub fn request(&self, sending: &Sending) -> WireRequest {
        let event = sending.event.body.as_bytes();
        let mut request = self.right(event);
        match sending.fault {
            Some(Fault::BadSignature) => {
                request.content_type = CONTENT_TYPE_JWT;
                request.body = self.forged(event, sending.number).into_bytes();
                request.demand = Demand::Refuse;
            }
            Some(Fault::OldSecret) => {
                request.content_type = CONTENT_TYPE_JWT;
                match &self.old_signer {
                    Some(old) => request.body = old.sign(event).into_bytes(),
                    None => {
                        request.body = sign(RETIRED, event).into_bytes();
                        request.demand = Demand::Refuse;
                    }
                }
            }
            Some(Fault::WrongContentType) => {
                request.content_type = "text/plain";
                request.demand = Demand::Answer;
            }
            Some(Fault::Truncated) => {
                request.body.truncate(request.body.len() * 3 / 5);
                request.demand = Demand::Refuse;
            }
            _ => {}
        }
        request
    }

    fn right(&self, event: &[u8]) -> WireRequest {
        let (content_type, body) = match &self.signer {
            Some(signer) => (CONTENT_TYPE_JWT, signer.sign(event).into_bytes()),
            None => (CONTENT_TYPE_JSON, event.to_vec()),
        };
        WireRequest {
            content_type,
            body,
            demand: Demand::Take,
        }
    }

    /// A token that must not be believed, in one of three ways.
    fn forged(&self, event: &[u8], number: u64) -> String {
        let strangers = sign(STRANGERS, event);
        let signer = self.signer.clone().unwrap_or_else(|| Signer::new(STRANGERS));
        match number % 3 {
            0 => strangers,
            1 => {
                // The right signature of other bytes.
                let mut other = event.to_vec();
                other.push(b' ');
                let (_, signature) = split(&signer.sign(&other));
                let (unsigned, _) = split(&strangers);
                format!("{unsigned}.{signature}")
            }
            _ => {
                let (unsigned, _) = split(&strangers);
                let payload = unsigned.split('.').nth(1).unwrap_or_default();
                format!("{ALG_NONE}.{payload}.")
            }
        }
    }
}

/// A token's signed part and its signature.
fn split(token: &str) -> (String, String) {
    let (unsigned, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    (unsigned.to_owned(), signature.to_owned())
}

const STRANGERS: &str = "a secret that only a stranger knows";
const RETIRED: &str = "a secret that was retired long ago";

/// `{"alg":"none","typ":"JWT"}`
const ALG_NONE: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";

#[cfg(test)]
mod tests {
    use switchhook_protocol::{Kind, Timestamp, check_object, verify};

    use super::*;
    use crate::event::SimulatedEvent;

    fn sending(number: u64, fault: Option<Fault>) -> Sending {
        let event = SimulatedEvent {
            kind: Kind::Call,
            at: Timestamp::from_millis(0),
            story: 1,
            subject: 1,
            step: "hangup",
            body: r#"{"call_id":1,"state":"hangup"}"#.to_owned(),
        };
        Sending { event, number, fault }
    }

    #[test]
    fn a_verifying_receiver_does_what_is_demanded() {
        let wire = Wire::new(Some("secret"));
        for number in 1..=3 {
            for fault in [None].into_iter().chain(Fault::ALL.map(Some)) {
                let request = wire.request(&sending(number, fault));
                let status = if verify(&request.body, ["secret"]).is_ok() {
                    200
                } else {
                    401
                };
                assert!(request.demand.is_met_by(status), "{fault:?} {number}: {status}");
            }
        }
    }

    #[test]
    fn an_old_secret_that_is_named_must_be_taken() {
        let wire = Wire::new(Some("new")).with_old_secret("old");
        let request = wire.request(&sending(1, Some(Fault::OldSecret)));
        assert_eq!(request.demand, Demand::Take);
        assert!(verify(&request.body, ["new", "old"]).is_ok());
    }

    #[test]
    fn without_a_secret_it_is_the_json() {
        let wire = Wire::new(None);
        let request = wire.request(&sending(1, None));
        assert_eq!(request.content_type, "application/json");
        assert!(check_object(&request.body).is_ok());
        let broken = wire.request(&sending(1, Some(Fault::Truncated)));
        assert!(check_object(&broken.body).is_err());
    }

    #[test]
    fn an_error_is_no_refusal() {
        assert!(!Demand::Refuse.is_met_by(500));
        assert!(!Demand::Answer.is_met_by(503));
        assert!(!Demand::Take.is_met_by(302));
        assert!(Demand::Answer.is_met_by(415));
    }
}
