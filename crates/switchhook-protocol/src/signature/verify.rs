//! Checking tokens: one algorithm, one form, no options, and a name for everything that can be wrong.
//! The signature is compared in constant time; its payload is returned only once that has matched.
//! What the payload holds is not looked at: claims carry no `exp` and no `aud`, so there is nothing to check.

use std::fmt;

use aws_lc_rs::hmac;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{DecodeError, Engine};

use super::error::{TokenPart, VerifyError};
use crate::body::LARGEST_EVENT;
use crate::text::quoted;

/// The longest token that is looked at: 2 MiB, room for the [`LARGEST_EVENT`] in base64.
pub const MAX_TOKEN_BYTES: usize = 2 * LARGEST_EVENT;

/// Checks many tokens against the same secrets; the keys are prepared once.
///
/// Several secrets are how one is replaced by another without losing an event: any of them may match.
#[derive(Clone)]
pub struct Verifier {
    keys: Vec<hmac::Key>,
}

impl Verifier {
    /// Prepares the secrets. Without any, every token is refused.
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let prepare = |secret: S| hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref());
        Self {
            keys: secrets.into_iter().map(prepare).collect(),
        }
    }

    /// The payload of a compact JWS, if it is signed with HS256 and one of the secrets.
    ///
    /// # Errors
    /// Says what is wrong with the token; never contains anything secret.
    pub fn verify(&self, token: &[u8]) -> Result<Vec<u8>, VerifyError> {
        let segments = Segments::of(token)?;
        check_header(&decode(segments.header, TokenPart::Header)?)?;
        let signature = decode(segments.signature, TokenPart::Signature)?;
        if self.keys.is_empty() {
            return Err(VerifyError::NoSecret);
        }
        let matches = |key| hmac::verify(key, segments.signed, &signature).is_ok();
        if !self.keys.iter().any(matches) {
            return Err(VerifyError::WrongSignature {
                secrets_tried: self.keys.len(),
            });
        }
        decode(segments.payload, TokenPart::Payload)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({} secrets)", self.keys.len())
    }
}

/// Checks one token. For many with the same secrets, keep a [`Verifier`].
///
/// # Errors
/// Says what is wrong with the token.
///
/// ```
/// use switchhook_protocol::{VerifyError, sign, verify};
///
/// let token = sign("the new secret", br#"{"id":1}"#);
/// assert_eq!(verify(token.as_bytes(), ["the new secret", "the old one"])?, br#"{"id":1}"#);
///
/// let refused = verify(token.as_bytes(), ["another"]);
/// assert_eq!(refused, Err(VerifyError::WrongSignature { secrets_tried: 1 }));
/// # Ok::<(), VerifyError>(())
/// ```
pub fn verify<S: AsRef<[u8]>>(
    token: &[u8],
    secrets: impl IntoIterator<Item = S>,
) -> Result<Vec<u8>, VerifyError> {
    Verifier::new(secrets).verify(token)
}

struct Segments<'a> {
    header: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
    /// Signed text: header, dot and payload.
    signed: &'a [u8],
}

impl<'a> Segments<'a> {
    fn of(token: &'a [u8]) -> Result<Self, VerifyError> {
        if token.is_empty() {
            return Err(VerifyError::Empty);
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(VerifyError::TooLarge { bytes: token.len() });
        }
        if token.trim_ascii_start().starts_with(b"{") {
            return Err(VerifyError::PlainJson);
        }
        let mut segments = token.split(|byte| *byte == b'.');
        let three = [segments.next(), segments.next(), segments.next()];
        let ([Some(header), Some(payload), Some(signature)], None) = (three, segments.next()) else {
            let found = token.split(|byte| *byte == b'.').count();
            return Err(VerifyError::Segments { found });
        };
        let signed = &token[..header.len() + 1 + payload.len()];
        Ok(Self {
            header,
            payload,
            signature,
            signed,
        })
    }
}

fn decode(segment: &[u8], part: TokenPart) -> Result<Vec<u8>, VerifyError> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|error| match error {
        _ if segment.ends_with(b"=") => VerifyError::Padded { part },
        DecodeError::InvalidByte(at, byte) => VerifyError::NotBase64 {
            part,
            at,
            found: char::from(byte),
        },
        DecodeError::InvalidLength(_) => VerifyError::CutOff {
            part,
            length: segment.len(),
        },
        DecodeError::InvalidPadding => VerifyError::Padded { part },
        DecodeError::InvalidLastSymbol { .. } => VerifyError::NotCanonical { part },
    })
}

fn check_header(header: &[u8]) -> Result<(), VerifyError> {
    if header == br#"{"alg":"HS256","typ":"JWT"}"# {
        return Ok(());
    }
    let members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(|error| VerifyError::HeaderNotJson {
            reason: error.to_string(),
        })?;
    if members.contains_key("crit") {
        return Err(VerifyError::Critical);
    }
    match members.get("alg") {
        None => Err(VerifyError::NoAlgorithm),
        Some(algorithm) if algorithm == "HS256" => Ok(()),
        Some(algorithm) => Err(refuse_algorithm(algorithm)),
    }
}

fn refuse_algorithm(algorithm: &serde_json::Value) -> VerifyError {
    let is_none = |name: &str| name.eq_ignore_ascii_case("none");
    if algorithm.as_str().is_some_and(is_none) {
        return VerifyError::Unsigned;
    }
    let found = quoted(&algorithm.to_string()).into_owned();
    VerifyError::OtherAlgorithm { found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign;

    const SECRET: &str = "not much of a secret";

    fn token_of(header: &str, payload: &str) -> String {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload)
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let tag = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    #[track_caller]
    fn check(token: &str, expected: &VerifyError) {
        assert_eq!(verify(token.as_bytes(), [SECRET]).as_ref(), Err(expected));
    }

    #[track_caller]
    fn check_header(header: &str, expected: &VerifyError) {
        check(&token_of(header, "{}"), expected);
    }

    #[test]
    fn no_other_algorithm_is_accepted_even_with_a_signature_that_matches() {
        check_header(r#"{"alg":"none"}"#, &VerifyError::Unsigned);
        check_header(r#"{"alg":"NONE"}"#, &VerifyError::Unsigned);
        check_header(r#"{"typ":"JWT"}"#, &VerifyError::NoAlgorithm);
        for algorithm in ["\"RS256\"", "\"HS512\"", "\"hs256\"", "5", "null"] {
            let found = algorithm.to_owned();
            check_header(
                &format!("{{\"alg\":{algorithm}}}"),
                &VerifyError::OtherAlgorithm { found },
            );
        }
        check_header(
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
            &VerifyError::Critical,
        );
    }

    #[test]
    fn a_header_that_is_no_object_is_refused() {
        for header in ["", "[]", "\"HS256\"", "{\"alg\":\"HS256\"", "{}{}"] {
            let refused = verify(token_of(header, "{}").as_bytes(), [SECRET]);
            assert!(
                matches!(refused, Err(VerifyError::HeaderNotJson { .. })),
                "{header}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_header_may_say_more_and_be_spaced_otherwise() {
        let token = token_of("{ \"kid\": \"1\",\r\n \"alg\": \"HS256\" }", "{}");
        assert_eq!(verify(token.as_bytes(), [SECRET]), Ok(b"{}".to_vec()));
    }

    #[test]
    fn a_token_has_three_segments() {
        check("", &VerifyError::Empty);
        check("abcd", &VerifyError::Segments { found: 1 });
        check("a.b", &VerifyError::Segments { found: 2 });
        let token = sign(SECRET, b"{}");
        check(&format!("{token}."), &VerifyError::Segments { found: 4 });
        check(&format!("{token}.a.b"), &VerifyError::Segments { found: 5 });
        check(" {\"id\": \"a.b.c\"}", &VerifyError::PlainJson);
    }

    #[test]
    fn each_event_has_one_spelling_of_its_token_only() {
        let token = sign(SECRET, b"{\"a\":1}");
        check(
            &format!("{token}="),
            &VerifyError::Padded {
                part: TokenPart::Signature,
            },
        );
        check(
            &format!("{token}\n"),
            &VerifyError::NotBase64 {
                part: TokenPart::Signature,
                at: 43,
                found: '\n',
            },
        );
        check(
            &token[..token.len() - 2],
            &VerifyError::CutOff {
                part: TokenPart::Signature,
                length: 41,
            },
        );
        let last = token.chars().last().expect("a token is not empty");
        let twin = char::from(u8::try_from(last).expect("base64 is ASCII") + 1);
        let respelled = format!("{}{twin}", &token[..token.len() - 1]);
        check(
            &respelled,
            &VerifyError::NotCanonical {
                part: TokenPart::Signature,
            },
        );
        check(
            &token.replacen('.', "+.", 1),
            &VerifyError::NotBase64 {
                part: TokenPart::Header,
                at: 36,
                found: '+',
            },
        );
    }

    #[test]
    fn a_payload_is_checked_for_its_spelling_too() {
        let header = "eyJhbGciOiJIUzI1NiJ9";
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let signed = format!("{header}.e31");
        let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
        check(
            &format!("{signed}.{tag}"),
            &VerifyError::NotCanonical {
                part: TokenPart::Payload,
            },
        );
    }

    #[test]
    fn any_of_the_secrets_may_match_and_none_of_the_others() {
        let token = sign("new", b"{}");
        assert!(verify(token.as_bytes(), ["old", "new"]).is_ok());
        assert_eq!(
            verify(token.as_bytes(), ["old", "older"]),
            Err(VerifyError::WrongSignature { secrets_tried: 2 })
        );
        assert_eq!(verify::<&str>(token.as_bytes(), []), Err(VerifyError::NoSecret));
    }

    #[test]
    fn a_changed_body_does_not_match() {
        let token = sign(SECRET, b"{\"a\":1}");
        let other = URL_SAFE_NO_PAD.encode(b"{\"a\":2}");
        let payload = token.split('.').nth(1).expect("there are three segments");
        check(
            &token.replace(payload, &other),
            &VerifyError::WrongSignature { secrets_tried: 1 },
        );
    }

    #[test]
    fn a_signature_of_another_length_does_not_match() {
        let token = sign(SECRET, b"{}");
        let (signed, _) = token.rsplit_once('.').expect("there are dots");
        for signature in ["", "AAAA"] {
            check(
                &format!("{signed}.{signature}"),
                &VerifyError::WrongSignature { secrets_tried: 1 },
            );
        }
    }

    #[test]
    fn an_oversized_token_is_not_looked_at() {
        let token = "a".repeat(MAX_TOKEN_BYTES + 1);
        check(
            &token,
            &VerifyError::TooLarge {
                bytes: MAX_TOKEN_BYTES + 1,
            },
        );
        let largest_event = format!("{{\"a\":\"{}\"}}", "x".repeat(LARGEST_EVENT - 8));
        let token = sign(SECRET, largest_event.as_bytes());
        assert!(verify(token.as_bytes(), [SECRET]).is_ok());
    }
}
