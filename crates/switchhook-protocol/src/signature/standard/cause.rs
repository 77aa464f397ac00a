//! Diagnosis of signatures in headers: tries the mistakes that people make with secrets and bodies.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{STANDARD_SECRET_PREFIX, StandardHeaders, StandardKey, seconds_of};
use crate::timestamp::Timestamp;

/// Cause for which a signature does not fit. Secrets are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StandardCause {
    /// The key stands there in base64, and nothing says so.
    #[error("it fits if secret {secret} is taken for base64: write it with `whsec_` before it")]
    Prefix { secret: usize },
    /// The sender took the text with its prefix for the key.
    #[error(
        "it fits if the text of secret {secret} is the key, `whsec_` included: the sender does not read it as base64"
    )]
    Text { secret: usize },
    /// White space came along.
    #[error("it fits without the white space around secret {secret}")]
    WhiteSpace { secret: usize },
    /// The body ends otherwise.
    #[error("it fits the body {} the end of a line: something on the way, or the capture, changed that", if *.added { "without" } else { "with" })]
    LineEnd {
        /// True if it was added, as opposed to removed.
        added: bool,
    },
}

impl StandardHeaders {
    /// Change that would make a signature fit, if one is found. The age of the message does not matter.
    #[must_use]
    pub fn cause(&self, secrets: &[&str], body: &[u8]) -> Option<StandardCause> {
        let fits = |secret: &str, body: &[u8]| self.fits(&[StandardKey::new(secret)], body);
        let others = secrets.iter().zip(1..).find_map(|(text, secret)| {
            let prefixed = format!("{STANDARD_SECRET_PREFIX}{}", text.trim());
            let as_text = format!("{STANDARD_SECRET_PREFIX}{}", STANDARD.encode(text));
            if fits(&prefixed, body) {
                Some(StandardCause::Prefix { secret })
            } else if fits(&as_text, body) {
                Some(StandardCause::Text { secret })
            } else {
                fits(text.trim(), body).then_some(StandardCause::WhiteSpace { secret })
            }
        });
        let any = |body: &[u8]| secrets.iter().any(|secret| fits(secret, body));
        let ends = || {
            if any(&[body, b"\n"].concat()) {
                return Some(StandardCause::LineEnd { added: false });
            }
            let shorter = [b"\r\n".as_slice(), b"\n"]
                .into_iter()
                .find_map(|end| body.strip_suffix(end));
            shorter
                .filter(|body| any(body))
                .map(|_| StandardCause::LineEnd { added: true })
        };
        others.or_else(ends)
    }

    /// Time of sending, as the message says.
    #[must_use]
    pub fn sent_at(&self) -> Option<Timestamp> {
        let seconds: i64 = self.timestamp.parse().ok()?;
        let sent_at = Timestamp::from_millis(seconds.checked_mul(1_000)?);
        debug_assert_eq!(seconds_of(sent_at), seconds);
        Some(sent_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"call_id": 1}"#;

    #[track_caller]
    fn check(signed_with: &str, signed: &[u8], secrets: &[&str], expected: Option<StandardCause>) {
        let at = Timestamp::from_millis(1_614_265_330_000);
        let headers = StandardHeaders {
            id: "evt_1".to_owned(),
            timestamp: "1614265330".to_owned(),
            signature: StandardKey::new(signed_with).sign("evt_1", at, signed),
        };
        assert_eq!(headers.sent_at(), Some(at));
        assert_eq!(headers.cause(secrets, BODY), expected);
    }

    #[test]
    fn what_people_do_to_secrets_and_bodies_is_found_out() {
        let standard = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let bare = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        check(
            standard,
            BODY,
            &["other", bare],
            Some(StandardCause::Prefix { secret: 2 }),
        );
        let as_text = format!("whsec_{}", STANDARD.encode(standard));
        check(
            &as_text,
            BODY,
            &[standard],
            Some(StandardCause::Text { secret: 1 }),
        );
        check(
            "plain",
            BODY,
            &[" plain\n"],
            Some(StandardCause::WhiteSpace { secret: 1 }),
        );
        let longer = [BODY, b"\n"].concat();
        check(
            "plain",
            &longer,
            &["plain"],
            Some(StandardCause::LineEnd { added: false }),
        );
        check("plain", b"{}", &["plain"], None);
        check("plain", BODY, &["other"], None);
    }
}
