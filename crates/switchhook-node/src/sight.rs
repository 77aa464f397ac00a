//! What somebody gets to see of an event: as it came, without what their key's scopes hide, and masked if the server masks.
//!
//! One place for the API and the dashboard. What a scope hides is the domain's (`redaction.rs`), what a mask hides is
//! `mask.rs`; which kinds a key may see at all is asked for before (`Clearance::sees`).

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

/// Whether a caller gets events as receivers do, from the feed and from websockets. A mask is for those who look on; whoever may
/// change webhooks could have everything delivered anyway.
pub fn receives_unmasked(caller: Caller, node: &Node) -> bool {
    node.settings.dashboard.mask.is_nothing() || caller.may(Right::Write)
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

/// Whose eyes.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    clearance: Clearance,
    pub mask: Mask,
}

impl Sight {
    /// What this caller sees on this server.
    pub fn of(caller: Caller, node: &Node) -> Self {
        Self {
            clearance: caller.clearance(),
            mask: node.settings.dashboard.mask,
        }
    }

    /// Whether something is kept from it that a delivery with this `hidden` shows.
    pub fn sees_less_than(self, kind: Kind, hidden: Hidden) -> bool {
        self.clearance.hidden(kind).or(hidden) != hidden
    }

    /// Whether it sees events of this kind.
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

    /// The headers of an answer: receivers send back there, too, what they got.
    pub fn headers(self, headers: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let shown = headers
            .into_iter()
            .map(|(name, value)| match self.mask.loose(&value) {
                Cow::Borrowed(_) => (name, value),
                Cow::Owned(masked) => (name, masked),
            });
        shown.collect()
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
