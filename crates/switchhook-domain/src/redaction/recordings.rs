//! Which members of an event lead to the sound or the picture of a call: what nobody sees without `recordings_export`.
//!
//! Real traffic has more names for them than any document, so their parts decide: a name that speaks of a recording and
//! ends in a link. How a member leaves an event's bytes is in `redaction.rs`.

use memchr::memmem;
use smallvec::SmallVec;

use super::{Key, white_end};

/// Parts of a name that speak of something to listen to or to look at. A shared page or a review of a call plays it.
const SUBJECTS: [&str; 8] = [
    "recording",
    "voicemail",
    "audio",
    "video",
    "screencapture",
    "playback",
    "review",
    "share",
];

/// The ends of a name whose value is an address.
const LINKS: [&str; 8] = ["url", "urls", "link", "links", "uri", "uris", "href", "hrefs"];

/// An id that Dialpad gives out with the same scope only.
const VOICEMAIL_ID: &[u8] = b"voicemailrecordingid";

/// A member's name, as far as it matters here: small letters and digits, escapes resolved.
pub(super) struct Name(SmallVec<[u8; 64]>);

impl Name {
    pub(super) fn of(key: Key<'_>) -> Self {
        Self(key.letters().collect())
    }

    /// Whether the member leads to a recording whatever it stands in.
    pub(super) fn leads_to_recording(&self, body: &[u8], value: usize) -> bool {
        self.is_link() && self.has_subject()
            || self.0[..] == *VOICEMAIL_ID
            || is_address(body, value) && self.has_subject()
    }

    /// Whether the value is an address, going by its name alone.
    pub(super) fn is_link(&self) -> bool {
        LINKS.iter().any(|link| self.0.ends_with(link.as_bytes()))
    }

    /// Whether the name speaks of a recording.
    pub(super) fn has_subject(&self) -> bool {
        SUBJECTS
            .iter()
            .any(|subject| memmem::find(&self.0, subject.as_bytes()).is_some())
    }
}

/// Whether the value that begins at `value` is an address, or a list that begins with one.
fn is_address(body: &[u8], value: usize) -> bool {
    let start = match body.get(value) {
        Some(b'[') => white_end(body, value + 1),
        _ => value,
    };
    let Some((b'"', text)) = body
        .get(start..)
        .and_then(<[u8]>::split_first)
        .map(|(quote, text)| (*quote, text))
    else {
        return false;
    };
    let scheme: SmallVec<[u8; 8]> = Key(text)
        .characters()
        .take(6)
        .map(|byte| byte.to_ascii_lowercase())
        .collect();
    scheme.starts_with(b"http:") || scheme.starts_with(b"https:")
}
