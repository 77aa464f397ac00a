//! Visibility of an event's contents: what scopes hide is removed, and what the server masks is masked.
//!
//! API and dashboard share it. What a scope hides is the domain's (`redaction.rs`), what a mask hides is `mask.rs`;
//! the kinds that a key may see are checked before (`Clearance::sees`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use switchhook_domain::Kind;
use switchhook_domain::clearance::Clearance;
use switchhook_domain::key::Right;
use switchhook_domain::redaction::{Hidden, redact};
use switchhook_store::EventRecord;

use crate::Node;
use crate::caller::{Caller, Forbidden};
use crate::json_text::{raw, raw_head};
use crate::mask::Mask;

/// True if the caller gets events from the feed and from websockets unmasked, as receivers do. A mask is for those
/// who only read; whoever may change webhooks could have everything delivered anyway.
pub fn receives_unmasked(caller: Caller, node: &Node) -> bool {
    node.settings.mask.is_nothing() || caller.may(Right::Write)
}

/// Refuses a caller who may not listen, because what is sent there is not masked.
///
/// # Errors
/// In words for a person.
pub fn require_unmasked(caller: Caller, node: &Node) -> Result<(), Forbidden> {
    if receives_unmasked(caller, node) {
        return Ok(());
    }
    Err(Forbidden(
        "this server masks what it shows (--mask), and a websocket sends events as they are: listen with a key that may write, \
         or read the feed, which is masked"
            .to_owned(),
    ))
}

/// Part of the events that a caller may see.
#[derive(Debug, Clone, Copy)]
pub struct Visibility {
    clearance: Clearance,
    pub mask: Mask,
}

impl Visibility {
    /// Visibility for this caller on this server.
    pub fn of(caller: Caller, node: &Node) -> Self {
        Self {
            clearance: caller.clearance(),
            mask: node.settings.mask,
        }
    }

    /// True if it hides something that a delivery with this `hidden` shows.
    pub fn sees_less_than(self, kind: Kind, hidden: Hidden) -> bool {
        self.clearance.hidden(kind).or(hidden) != hidden
    }

    /// True if it includes events of this kind.
    pub fn sees(self, kind: Kind) -> bool {
        self.clearance.sees(kind).is_ok()
    }

    /// Bytes of an event, or what somebody made of them, as text.
    pub fn text(self, kind: Kind, bytes: &[u8]) -> String {
        raw(&String::from_utf8_lossy(&self.redacted(kind, bytes)), self.mask).into_owned()
    }

    /// The head of the same.
    pub fn head(self, kind: Kind, bytes: &[u8]) -> String {
        raw_head(&String::from_utf8_lossy(&self.redacted(kind, bytes)), self.mask)
    }

    /// Bytes of an event without what its reader's scopes hide. Masks are left to who shows it.
    pub fn redacted<'a>(&self, kind: Kind, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        redact(bytes, self.clearance.hidden(kind))
    }

    /// Receiver's answer as text. Many receivers echo the request, so it is shown as the event would be.
    pub fn answer(self, kind: Kind, body: &[u8]) -> String {
        self.unwrapped(kind, self.text(kind, body))
    }

    /// The head of the same.
    pub fn answer_head(self, kind: Kind, body: &[u8]) -> String {
        self.unwrapped(kind, self.head(kind, body))
    }

    /// The headers of a request or of its answer: what a receiver got comes back there, too.
    pub fn headers(self, kind: Kind, headers: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let shown = |value: String| match value.trim_start().starts_with(['{', '[']) {
            true => self.text(kind, value.as_bytes()),
            false => self.mask.loose(&value).into_owned(),
        };
        let headers = headers.into_iter();
        headers
            .map(|(name, value)| (name, self.unwrapped(kind, shown(value))))
            .collect()
    }

    /// A token shows all that is in it, and so does what is wrapped otherwise: there is none for whom something is hidden.
    fn unwrapped(self, kind: Kind, text: String) -> String {
        if self.mask.is_nothing() && self.clearance.hidden(kind).is_nothing() {
            return text;
        }
        without_wrapped_objects(&text).into_owned()
    }

    /// The event without what its reader's scopes hide; `None` if its kind is hidden. Masks are left to who shows it.
    pub fn event(self, event: EventRecord) -> Option<EventRecord> {
        self.clearance.sees(event.kind).ok()?;
        let body = match self.redacted(event.kind, &event.body) {
            Cow::Borrowed(_) => event.body.clone(),
            Cow::Owned(body) => Bytes::from(body),
        };
        Some(EventRecord { body, ..event })
    }

    /// Something of which nobody knows what it is, for those who may see everything.
    pub fn anything(self, bytes: &[u8]) -> Option<String> {
        self.clearance.covers(Clearance::FULL).ok()?;
        let text = String::from_utf8_lossy(bytes);
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
        // A token can be read by everybody, so there would be no use in masking parts of it.
        if !self.mask.is_nothing() && !is_json {
            return None;
        }
        Some(raw(&text, self.mask).into_owned())
    }
}

/// A text without the JSON objects in it that are wrapped once more: in base64, alone or as part of a token, or as a text of
/// their own.
fn without_wrapped_objects(text: &str) -> Cow<'_, str> {
    let (mut shown, mut at) = (String::new(), 0);
    while let Some((start, end)) = next_wrapped_object(&text[at..]) {
        shown += &text[at..at + start];
        shown += "•••";
        at += end;
    }
    match at {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(shown + &text[at..]),
    }
}

/// Range of the first of them.
fn next_wrapped_object(text: &str) -> Option<(usize, usize)> {
    /// Shorter ones are words.
    const SHORTEST: usize = 16;
    let is_encoded = |letter: char| letter.is_ascii_alphanumeric() || "-_.+/=%".contains(letter);
    let place =
        |start: usize, length: Option<usize>| (start, length.map_or(text.len(), |length| start + length));
    // What `{"` begins with in base64.
    let encoded = text.match_indices("eyJ");
    let encoded = encoded
        .map(|(start, _)| place(start, text[start..].find(|letter| !is_encoded(letter))))
        .find(|(start, end)| end - start >= SHORTEST);
    let quoted = text
        .find(r#"{\""#)
        .map(|start| place(start, end_of_string(&text[start..])));
    encoded.into_iter().chain(quoted).min()
}

/// End of the JSON string whose rest `text` is.
fn end_of_string(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_objects_are_left_out_wherever_they_stand() {
        for (text, shown) in [
            ("eyJhbGciOiJIUzI1NiJ9.eyJjYWxsX2lkIjoxfQ.c2ln", "•••"),
            (
                r#"{"data": "eyJhbGciOiJIUzI1NiJ9.eyJj", "ok": true}"#,
                r#"{"data": "•••", "ok": true}"#,
            ),
            ("got eyJjYWxsX2lkIjoxfQ==, thanks", "got •••, thanks"),
            ("two: eyJhbGciOiJIUzI1NiJ9 eyJhbGciOiJIUzI1NiJ9", "two: ••• •••"),
            ("keyJohn is no token", "keyJohn is no token"),
            (
                r#"{"data": "{\"a\": \"b\\\"c\"}", "ok": true}"#,
                r#"{"data": "•••", "ok": true}"#,
            ),
            (r#"{"data": "{\"a\": eyJhbGciOiJIUzI1NiJ9"#, r#"{"data": "•••"#),
            ("", ""),
        ] {
            assert_eq!(without_wrapped_objects(text), shown);
        }
    }
}
