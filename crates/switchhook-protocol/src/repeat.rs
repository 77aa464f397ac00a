//! By what a receiver knows that an event is one it has had: deliveries can be repeated, and a body carries no id.
//! The label that Switchhook sends is the surest sign; without it each kind has a *natural key* in its payload, and
//! what has none is compared byte for byte. Where keys are remembered is up to the receiver.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::digest;

use crate::event::Payload;
use crate::kind::Kind;
use crate::text::hex;

/// Tells events apart: two with the same key are the same event. A digest, so that it has one length and no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RepeatKey {
    digest: [u8; KEY_BYTES],
    is_brief: bool,
}

/// Half a SHA-256: enough that no two of the events a receiver remembers meet by chance.
const KEY_BYTES: usize = 16;

impl RepeatKey {
    /// For how long identical bytes count as a repeat where nothing else tells: 5 minutes.
    pub const BRIEF: Duration = Duration::from_secs(5 * 60);

    /// The key of an event that came with the header [`EVENT_ID`](crate::headers::EVENT_ID).
    ///
    /// The body counts too: the header is not signed, and with it alone somebody could pass one event off as another
    /// and have the right one taken for a repeat.
    #[must_use]
    pub fn of_labelled(event_id: &str, body: &[u8]) -> Self {
        Self::of_parts("id", [event_id.as_bytes(), body])
    }

    /// The key of an event that came without a label: the natural key of its kind, else its bytes.
    ///
    /// - call: `call_id`, `state`, `event_timestamp`
    /// - sms: `id`, `message_status`, `message_delivery_result`
    /// - agent status: `target.id`, `event_timestamp`
    /// - contact and change log, an event of no known kind, or one that lacks an id or a time: identical bytes, and only
    ///   for [`RepeatKey::BRIEF`], because the same change can be made again later.
    ///
    /// ```
    /// use switchhook_protocol::{Kind, RepeatKey};
    ///
    /// let key = |body: &str| RepeatKey::natural(Some(Kind::Call), body.as_bytes());
    /// let first = key(r#"{"call_id": 7, "state": "hangup", "event_timestamp": 1795253400250}"#);
    /// let again = key(r#"{"event_timestamp": 1795253400250, "state": "hangup", "call_id": 7, "labels": []}"#);
    /// let other = key(r#"{"call_id": 7, "state": "recording", "event_timestamp": 1795253400250}"#);
    /// assert!(first == again && first != other);
    /// ```
    #[must_use]
    pub fn natural(kind: Option<Kind>, body: &[u8]) -> Self {
        let payload = kind.and_then(|kind| Payload::read(kind, body).ok());
        let key = payload.as_ref().and_then(natural_key);
        key.unwrap_or_else(|| Self {
            is_brief: true,
            ..Self::of_parts("bytes", [body])
        })
    }

    /// For how long an event with this key counts as a repeat; `None` for as long as it is remembered.
    #[must_use]
    pub fn window(self) -> Option<Duration> {
        self.is_brief.then_some(Self::BRIEF)
    }

    /// Each part with its length before it, so that no two lists of parts look alike.
    fn of_parts<'a>(what: &'a str, parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [what.as_bytes()].into_iter().chain(parts) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let whole = context.finish();
        let mut digest = [0; KEY_BYTES];
        digest.copy_from_slice(&whole.as_ref()[..KEY_BYTES]);
        Self {
            digest,
            is_brief: false,
        }
    }
}

fn natural_key(payload: &Payload<'_>) -> Option<RepeatKey> {
    let parts = payload.natural_key()?;
    let parts = parts.iter().map(String::as_bytes);
    Some(RepeatKey::of_parts(payload.kind().route(), parts))
}

/// 32 hexadecimal digits, with a `~` before them if the key counts briefly.
impl fmt::Display for RepeatKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_brief {
            f.write_str("~")?;
        }
        f.write_str(&hex(&self.digest))
    }
}

impl FromStr for RepeatKey {
    type Err = InvalidRepeatKey;

    fn from_str(text: &str) -> Result<Self, InvalidRepeatKey> {
        let (is_brief, digits) = match text.strip_prefix('~') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        if digits.len() != 2 * KEY_BYTES || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(InvalidRepeatKey);
        }
        let mut digest = [0; KEY_BYTES];
        for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| InvalidRepeatKey)?;
        }
        Ok(Self { digest, is_brief })
    }
}

/// A text that is no repeat key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a repeat key is 32 hexadecimal digits")]
pub struct InvalidRepeatKey;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, one: &str, other: &str, is_repeat: bool) {
        let key = |body: &str| RepeatKey::natural(Some(kind), body.as_bytes());
        assert_eq!(key(one) == key(other), is_repeat, "{one} {other}");
    }

    #[test]
    fn each_kind_has_its_natural_key() {
        let call = r#"{"call_id":1,"state":"hold","event_timestamp":5}"#;
        check(
            Kind::Call,
            call,
            r#"{"call_id":"1","state":"hold","event_timestamp":5.0,"x":1}"#,
            true,
        );
        check(
            Kind::Call,
            call,
            r#"{"call_id":1,"state":"hold","event_timestamp":6}"#,
            false,
        );
        check(
            Kind::Call,
            call,
            r#"{"call_id":2,"state":"hold","event_timestamp":5}"#,
            false,
        );
        let sms = r#"{"id":1,"message_status":"sent"}"#;
        check(
            Kind::Sms,
            sms,
            r#"{"id":1,"message_status":"sent","text":"x"}"#,
            true,
        );
        check(Kind::Sms, sms, r#"{"id":1,"message_status":"failed"}"#, false);
        check(
            Kind::Sms,
            sms,
            r#"{"id":1,"message_status":"sent","message_delivery_result":"accepted"}"#,
            false,
        );
        let agent = r#"{"target":{"id":1},"event_timestamp":5,"on_duty_status":"busy"}"#;
        check(
            Kind::AgentStatus,
            agent,
            r#"{"target":{"id":1},"event_timestamp":5}"#,
            true,
        );
        check(
            Kind::AgentStatus,
            agent,
            r#"{"target":{"id":2},"event_timestamp":5}"#,
            false,
        );
        check(
            Kind::Contact,
            r#"{"event":"Created"}"#,
            r#"{"event":"Created"}"#,
            true,
        );
        check(
            Kind::Contact,
            r#"{"event":"Created"}"#,
            r#"{"event": "Created"}"#,
            false,
        );
    }

    #[test]
    fn what_has_no_natural_key_counts_briefly() {
        for (kind, body, is_brief) in [
            (Some(Kind::Call), r#"{"call_id":1,"state":"hold"}"#, true),
            (Some(Kind::Call), r#"{"call_id":1,"event_timestamp":1}"#, false),
            (Some(Kind::Sms), r#"{"id":1}"#, false),
            (Some(Kind::AgentStatus), r#"{"event_timestamp":1}"#, true),
            (Some(Kind::Changelog), r#"{"date":1}"#, true),
            (None, "{}", true),
        ] {
            let key = RepeatKey::natural(kind, body.as_bytes());
            assert_eq!(key.window().is_some(), is_brief, "{body}");
        }
    }

    #[test]
    fn a_label_does_not_make_one_event_another() {
        let labelled = RepeatKey::of_labelled("7", b"{}");
        assert_eq!(labelled, RepeatKey::of_labelled("7", b"{}"));
        assert_ne!(labelled, RepeatKey::of_labelled("8", b"{}"));
        assert_ne!(labelled, RepeatKey::of_labelled("7", b"{ }"));
    }

    #[test]
    fn a_key_is_written_and_read() {
        for key in [
            RepeatKey::of_labelled("7", b"{}"),
            RepeatKey::natural(None, b"{}"),
        ] {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for text in [
            "",
            "~",
            "12",
            "+2345678901234567890123456789012",
            "ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ",
        ] {
            assert_eq!(text.parse::<RepeatKey>(), Err(InvalidRepeatKey), "{text}");
        }
    }
}
