//! Standard Webhooks (<https://www.standardwebhooks.com>): a signature that stands in a header beside the body, over the
//! message's id, the attempt's time and the body as it is sent. Making it, and checking it.
//!
//! The time is signed too, so a receiver can refuse what somebody recorded and sends again: a JWT of an event cannot
//! offer that, since it is the same for every attempt.

mod cause;

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{Engine, alphabet};
use serde::{Deserialize, Serialize};

use crate::headers::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use crate::timestamp::Timestamp;

pub use self::cause::StandardCause;

/// Prefix of a secret whose key follows in base64.
pub const STANDARD_SECRET_PREFIX: &str = "whsec_";

/// Tolerance between the time of a message and the receiver's clock.
pub const STANDARD_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The most signatures of a message that are looked at.
const MOST_SIGNATURES: usize = 16;

const VERSION: &str = "v1,";

/// Other libraries take keys with and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A secret, ready to sign and to check messages.
#[derive(Clone)]
pub struct StandardKey(hmac::Key);

impl StandardKey {
    /// Prepares a secret: of one that begins with `whsec_` the key follows in base64, of every other its text is the key.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        let key = key_of(secret).unwrap_or_else(|| secret.as_bytes().to_vec());
        Self(hmac::Key::new(hmac::HMAC_SHA256, &key))
    }

    /// The signature of a message: `v1,` and 32 bytes in base64.
    #[must_use]
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let tag = self.tag(id, &seconds_of(at).to_string(), body);
        let mut signature = String::with_capacity(VERSION.len() + 44);
        signature.push_str(VERSION);
        STANDARD.encode_string(tag, &mut signature);
        signature
    }

    fn tag(&self, id: &str, seconds: &str, body: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
            context.update(part);
        }
        context.sign()
    }
}

impl fmt::Debug for StandardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StandardKey(***)")
    }
}

/// A secret as libraries for Standard Webhooks take it: `whsec_` and its key in base64.
///
/// ```
/// assert_eq!(switchhook_protocol::standard_secret("a shared secret"), "whsec_YSBzaGFyZWQgc2VjcmV0");
/// assert_eq!(switchhook_protocol::standard_secret("whsec_YSBzaGFyZWQgc2VjcmV0"), "whsec_YSBzaGFyZWQgc2VjcmV0");
/// ```
#[must_use]
pub fn standard_secret(secret: &str) -> String {
    match key_of(secret) {
        Some(_) => secret.to_owned(),
        None => format!("{STANDARD_SECRET_PREFIX}{}", STANDARD.encode(secret)),
    }
}

/// True if a secret announces a key in base64, and has none.
#[must_use]
pub fn is_broken_standard_secret(secret: &str) -> bool {
    secret.starts_with(STANDARD_SECRET_PREFIX) && key_of(secret).is_none()
}

/// The key of a secret with the prefix.
fn key_of(secret: &str) -> Option<Vec<u8>> {
    let encoded = secret.strip_prefix(STANDARD_SECRET_PREFIX)?;
    let key = LENIENT.decode(encoded).ok()?;
    (!key.is_empty()).then_some(key)
}

/// Headers of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandardHeaders {
    /// The message's id, the same for every attempt.
    pub id: String,
    /// Time of the attempt, in Unix seconds, as it came.
    pub timestamp: String,
    /// The signatures, with spaces between them.
    pub signature: String,
}

/// Reason for which a message is not genuine, or cannot be verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StandardError {
    /// A header is missing.
    #[error("the request has a `webhook-signature` and no `{header}`: Standard Webhooks sign both")]
    Incomplete { header: &'static str },
    /// The time is none.
    #[error("`webhook-timestamp` is not a number of seconds since 1970")]
    NotATime,
    /// The message is old: somebody may have recorded it.
    #[error(
        "`webhook-timestamp` is {seconds} s old, and at most 300 s are taken: it was sent again as it was, or a clock is wrong"
    )]
    TooOld {
        /// Age.
        seconds: i64,
    },
    /// The message is of the future.
    #[error("`webhook-timestamp` is {seconds} s in the future: a clock is wrong")]
    TooNew {
        /// Time ahead.
        seconds: i64,
    },
    /// No signature has the one form that is known.
    #[error("`webhook-signature` has no signature of version `v1`")]
    NoSignature,
    /// Nothing to check it with.
    #[error("the request is signed, and there is no secret to check it with")]
    NoSecret,
    /// None fits.
    #[error(
        "no signature in `webhook-signature` fits: the secret differs, or the body is not as it was signed ({secrets_tried} \
         {} tried)", if *secrets_tried == 1 { "secret" } else { "secrets" }
    )]
    WrongSignature {
        /// Number of secrets tried.
        secrets_tried: usize,
    },
}

impl StandardHeaders {
    /// Reads the headers of a request; `None` if it has no such signature.
    ///
    /// # Errors
    /// If it has a signature without what that is over.
    pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Result<Option<Self>, StandardError> {
        let Some(signature) = header(WEBHOOK_SIGNATURE) else {
            return Ok(None);
        };
        let other = |name: &'static str| header(name).ok_or(StandardError::Incomplete { header: name });
        Ok(Some(Self {
            id: other(WEBHOOK_ID)?.to_owned(),
            timestamp: other(WEBHOOK_TIMESTAMP)?.to_owned(),
            signature: signature.to_owned(),
        }))
    }

    /// Checks the message at `now` with the secrets that count.
    ///
    /// # Errors
    /// Says why it is not genuine.
    pub fn verify(&self, keys: &[StandardKey], body: &[u8], now: Timestamp) -> Result<(), StandardError> {
        let sent_at: i64 = self.timestamp.parse().map_err(|_| StandardError::NotATime)?;
        let age = seconds_of(now).saturating_sub(sent_at);
        let tolerance = i64::try_from(STANDARD_TOLERANCE.as_secs()).unwrap_or(i64::MAX);
        if age > tolerance {
            return Err(StandardError::TooOld { seconds: age });
        }
        if age < -tolerance {
            return Err(StandardError::TooNew {
                seconds: age.saturating_neg(),
            });
        }
        if keys.is_empty() {
            return Err(StandardError::NoSecret);
        }
        if self.given().next().is_none() {
            return Err(StandardError::NoSignature);
        }
        match self.fits(keys, body) {
            true => Ok(()),
            false => Err(StandardError::WrongSignature {
                secrets_tried: keys.len(),
            }),
        }
    }

    /// True if a signature was made of the body with one of these.
    fn fits(&self, keys: &[StandardKey], body: &[u8]) -> bool {
        keys.iter().any(|key| {
            let tag = self.signed_by(key, body);
            let is_same = |given: &str| {
                aws_lc_rs::constant_time::verify_slices_are_equal(given.as_bytes(), tag.as_bytes())
            };
            self.given().any(|given| is_same(given).is_ok())
        })
    }

    /// The signatures of the version that is known.
    fn given(&self) -> impl Iterator<Item = &str> {
        let all = self.signature.split(' ');
        all.filter_map(|one| one.strip_prefix(VERSION))
            .take(MOST_SIGNATURES)
    }

    fn signed_by(&self, key: &StandardKey, body: &[u8]) -> String {
        STANDARD.encode(key.tag(&self.id, &self.timestamp, body))
    }
}

const fn seconds_of(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_614_265_330_500);
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn headers(signature: &str) -> StandardHeaders {
        StandardHeaders {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(),
            timestamp: "1614265330".to_owned(),
            signature: signature.to_owned(),
        }
    }

    /// The example of the specification.
    #[test]
    fn the_signature_is_the_one_of_the_specification() {
        let body = br#"{"test": 2432232314}"#;
        let signature = StandardKey::new(SECRET).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", NOW, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let keys = [StandardKey::new("another"), StandardKey::new(SECRET)];
        assert_eq!(headers(&signature).verify(&keys, body, NOW), Ok(()));
        let both = format!(
            "v1a,AAAA {} {signature}",
            StandardKey::new("a third").sign("x", NOW, body)
        );
        assert_eq!(headers(&both).verify(&keys, body, NOW), Ok(()));
    }

    #[track_caller]
    fn check(headers: &StandardHeaders, secrets: &[&str], at: Timestamp, expected: StandardError) {
        let keys: Vec<_> = secrets.iter().map(|secret| StandardKey::new(secret)).collect();
        assert_eq!(headers.verify(&keys, b"{}", at), Err(expected));
    }

    #[test]
    fn a_message_that_is_not_genuine_is_refused_with_the_reason() {
        let genuine = headers(&StandardKey::new(SECRET).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", NOW, b"{}"));
        let later = |seconds| NOW.plus(Duration::from_secs(seconds));
        check(
            &genuine,
            &[SECRET],
            later(301),
            StandardError::TooOld { seconds: 301 },
        );
        let early = Timestamp::from_millis(NOW.as_millis() - 302_000);
        check(&genuine, &[SECRET], early, StandardError::TooNew { seconds: 302 });
        check(&genuine, &[], NOW, StandardError::NoSecret);
        check(
            &genuine,
            &["a", "b"],
            NOW,
            StandardError::WrongSignature { secrets_tried: 2 },
        );
        for (secrets_tried, words) in [(1, "(1 secret tried)"), (2, "(2 secrets tried)")] {
            let told = StandardError::WrongSignature { secrets_tried }.to_string();
            assert!(told.ends_with(words), "{told}");
        }
        check(&headers("v2,AAAA"), &[SECRET], NOW, StandardError::NoSignature);
        check(
            &headers("v1,"),
            &[SECRET],
            NOW,
            StandardError::WrongSignature { secrets_tried: 1 },
        );
        let otherwise = StandardHeaders {
            timestamp: "yesterday".to_owned(),
            ..genuine.clone()
        };
        check(&otherwise, &[SECRET], NOW, StandardError::NotATime);
        let moved = StandardHeaders {
            timestamp: "1614265331".to_owned(),
            ..genuine
        };
        check(
            &moved,
            &[SECRET],
            NOW,
            StandardError::WrongSignature { secrets_tried: 1 },
        );
    }

    #[test]
    fn headers_are_all_there_or_none_of_them() {
        let read = |given: &[(&str, &'static str)]| {
            StandardHeaders::read(|name| given.iter().find(|one| one.0 == name).map(|one| one.1))
        };
        assert_eq!(read(&[("webhook-id", "x")]), Ok(None));
        let incomplete = read(&[("webhook-signature", "v1,x"), ("webhook-id", "x")]);
        let header = WEBHOOK_TIMESTAMP;
        assert_eq!(incomplete, Err(StandardError::Incomplete { header }));
    }

    #[test]
    fn a_secret_with_the_prefix_has_its_key_in_base64() {
        for (secret, is_broken) in [
            ("whsec_YQ==", false),
            ("whsec_YQ", false),
            ("whsec_", true),
            ("whsec_!", true),
            ("plain", false),
        ] {
            assert_eq!(is_broken_standard_secret(secret), is_broken, "{secret}");
        }
        let tag = |secret: &str| StandardKey::new(secret).sign("id", NOW, b"{}");
        assert_eq!(tag("whsec_YQ=="), tag("a"));
        assert_eq!(tag("whsec_YQ"), tag("a"));
        assert_eq!(tag(&standard_secret("plain")), tag("plain"));
    }
}
